"""Django in the test process: settings in a folder of their own, and databases to use and throw away.

Importing the module sets Django up. No test touches the database that the settings name: they get a fresh,
migrated one from the fixture `database`.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = Path(__file__).parent / "configuration"


def _set_up() -> None:
    folder = Path(tempfile.mkdtemp(prefix="segl-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(CONFIGURATION, folder, dirs_exist_ok=True)
    os.environ["SEGL_CONFIG"] = str(folder / "segl.toml")
    os.environ["DJANGO_SETTINGS_MODULE"] = "segl.service.config.settings"
    import django
    from django.conf import settings

    django.setup()
    settings.ALLOWED_HOSTS.append("testserver")  # as Django's own test runner does


_set_up()


@contextmanager
def use_database(url: str) -> Iterator[None]:
    """Point Django at the database behind `url`, in this thread and in those that start within.

    Threads that were started within must have ended when it is left: their connections are theirs to close.
    """
    from django.db import connections

    from segl.service.config import settings

    before = connections.settings
    _forget_connections()
    connections.settings = connections.configure_settings({"default": settings.database_settings(url)})
    try:
        yield
    finally:
        _forget_connections()
        connections.settings = before


def _forget_connections() -> None:
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()
        del connections[connection.alias]


def migrate(url: str) -> None:
    """Bring the database behind `url` up to date."""
    from django.core.management import call_command

    with use_database(url):
        call_command("migrate", verbosity=0)
