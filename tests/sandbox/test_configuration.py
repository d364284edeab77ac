"""The file that a sandbox writes is a configuration of the service, whatever its folder is called."""

from dataclasses import replace
from pathlib import Path

import pytest

from segl.sandbox.configuration import Start, write_configuration
from segl.sandbox.pki import SandboxPki, ensure_pki
from segl.service.config.loading import load
from segl.service.configuration import Address, KeyFiles


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> SandboxPki:
    return ensure_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(params=["plain", 'with "quotes", \\ and æøå'])
def start(pki: SandboxPki, tmp_path: Path, request: pytest.FixtureRequest) -> Start:
    folder = tmp_path / request.param
    folder.mkdir()
    return Start(
        folder=folder,
        pki=replace(pki, seal=KeyFiles(folder / "seal.pem", folder / "seal-key.pem")),
        api_port=8443,
        web_port=8081,
        database_url="sqlite:///segl.sqlite3",
        calls_per_second=7,
        poll_seconds=3,
    )


def test_the_service_reads_what_was_decided(start: Start) -> None:
    configuration = load(write_configuration(start), {})
    assert configuration.sandbox
    assert configuration.folder == start.folder
    assert (configuration.api_root, configuration.web_root) == ("https://127.0.0.1:8443/api", "http://127.0.0.1:8081")
    assert (configuration.api.listen, configuration.web.listen) == (
        Address("127.0.0.1", 8443),
        Address("127.0.0.1", 8081),
    )
    assert (configuration.calls_per_second, configuration.poll_interval.total_seconds()) == (7, 3)
    assert configuration.database == "sqlite:///segl.sqlite3"


def test_the_keys_are_those_of_the_pki(start: Start) -> None:
    configuration = load(write_configuration(start), {})
    pki = start.pki
    assert configuration.trust_anchors == (pki.trust_anchors,)
    assert configuration.intermediates == (pki.intermediates,)
    assert (configuration.seal, configuration.seal_root) == (pki.seal, pki.trust_anchors)
    assert (configuration.signer_ca, configuration.api.tls) == (pki.signer_ca, pki.server)
    assert configuration.contact_register is not None
    assert configuration.contact_register.key == pki.server
    assert configuration.revocation.policy == "off"


def test_the_organizations_are_those_of_the_pki(start: Start) -> None:
    configured = load(write_configuration(start), {}).organizations
    assert [(each.number, each.name, each.sector, each.broker_for) for each in configured] == [
        ("123456789", "Nordvik kommune", "public", ()),
        ("310248711", "Bryggen Bil AS", "private", ()),
        ("318602352", "Formidler AS", "private", ("123456789",)),
    ]


def test_the_master_key_is_that_of_the_first_start(start: Start) -> None:
    first = load(write_configuration(start), {})
    second = load(write_configuration(replace(start, poll_seconds=9)), {})
    assert (first.master_key, second.poll_interval.total_seconds()) == (second.master_key, 9)
    assert (start.folder / "master-key").stat().st_mode & 0o777 == 0o600
