"""What `segl migrate` does with the database that it finds."""

from dataclasses import replace

import psycopg
import pytest
from django.db import DatabaseError

from builders import in_threads
from django_environment import use_database
from segl.service import configuration
from segl.service.config.checking import check_database, unusable_database
from segl.service.config.reading import ConfigurationError
from segl.service.config.wiring import prepare_database
from segl.service.configuration import ConfiguredOrganization
from segl.service.organizations import add_organization, organization, organizations


def test_of_several_that_migrate_an_empty_database_one_does_and_the_others_wait(postgresql_url: str) -> None:
    with use_database(postgresql_url):
        assert in_threads(*[lambda: prepare_database(configuration.current())] * 3) == [None] * 3
        check_database()


def test_a_role_that_must_not_create_tables_gets_an_error_that_says_what_it_lacks(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
    with (
        use_database(postgresql_url.replace("//postgres:", "//guest:")),
        pytest.raises(DatabaseError) as error,
    ):
        prepare_database(configuration.current())
    assert str(unusable_database(error.value)) == (
        "The role in the setting `database` lacks a privilege: permission denied for schema public. Make it the "
        "owner of the database, or GRANT CREATE ON SCHEMA public TO it; migrate and serve with the same role."
    )


def test_an_organization_that_would_act_for_an_unknown_one_is_reported(sqlite: None) -> None:
    broker = ConfiguredOrganization("318602352", "Formidler AS", "private", ("310248711",))
    with pytest.raises(
        ConfigurationError, match=r"`organizations` .* 318602352 is to act for 310248711, not registered: enter it"
    ):
        prepare_database(replace(configuration.current(), organizations=(broker,)))
    assert organizations() == []
    add_organization(number="310248711", name="Bryggen Bil AS", sector="private")
    prepare_database(replace(configuration.current(), organizations=(broker,)))
    assert organization("318602352").broker_for == ("310248711",)
