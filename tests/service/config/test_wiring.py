"""What a process does at its start, and what `segl migrate` does with the database that it finds."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError

from builders import in_threads
from django_environment import use_database
from segl.sandbox.pki import SandboxPki
from segl.service import configuration
from segl.service.config.checking import check_database, unusable_database
from segl.service.config.reading import ConfigurationError
from segl.service.config.wiring import give_keys, prepare_database
from segl.service.configuration import ConfiguredOrganization
from segl.service.organizations import add_organization, organization, organizations
from segl.service.sealing import Sealer


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


def test_a_process_warns_at_its_start_of_keys_that_others_can_read(
    pki: SandboxPki, sealer: Sealer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The keys of the sandbox's PKI cannot be read by others."""
    master_key, gone = tmp_path / "master-key", tmp_path / "gone"
    master_key.touch(0o600)
    mine = {"seal": pki.seal, "seal_root": pki.trust_anchors, "signer_ca": pki.signer_ca, "contact_register": None}
    secret_files = (master_key, pki.seal.private_key, pki.signer_ca.private_key, gone)
    settings = replace(configuration.current(), secret_files=secret_files, **mine)  # type: ignore[arg-type]  # each its own
    give_keys(settings)
    assert caplog.messages == []
    for mode, readable in ((0o640, False), (0o644, True), (0o604, True)):
        master_key.chmod(mode)
        caplog.clear()
        give_keys(settings)
        warning = f"Every user of this machine can read {master_key}, which is secret: run `chmod o= {master_key}`."
        assert caplog.messages == ([warning] if readable else [])


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
