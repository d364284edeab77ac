"""Django's settings for the database that a URL names."""

import pytest
from django.db import connection

from django_environment import use_database


@pytest.mark.parametrize("given", [{}, {"tcp_user_timeout": "30000", "keepalives_idle": "60"}])
def test_a_connection_notices_a_host_that_dies_unless_the_url_says_otherwise(
    postgresql_url: str, given: dict[str, str]
) -> None:
    defaults = {
        "connect_timeout": "10",
        "tcp_user_timeout": "10000",
        "keepalives_idle": "5",
        "keepalives_interval": "2",
        "keepalives_count": "3",
    }
    url = "&".join([postgresql_url, *(f"{name}={value}" for name, value in given.items())])
    with use_database(url):
        connection.ensure_connection()
        found = connection.connection.info.get_parameters()
    assert {name: found.get(name) for name in defaults} == {**defaults, **given}
