"""Fixtures of the SDK's tests: a service over real TLS, and a client's configuration for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from segl.sdk import ClientConfiguration
from tls_service import SERVICE, Authority, Service, configured, serving


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority("Trusted Root")


@pytest.fixture
def service(authority: Authority, tmp_path: Path) -> Iterator[Service]:
    """A service that works."""
    with serving(authority.organization(SERVICE), authority, tmp_path) as running:
        yield running


@pytest.fixture
def configuration(authority: Authority, service: Service, tmp_path: Path) -> ClientConfiguration:
    return configured(authority, service, tmp_path)
