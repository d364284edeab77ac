"""The throw-away PKI: what the official clients look for in it, and that a kill never costs a key."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from segl.core.certificates import TrustAnchors, load_pem, organization_number
from segl.core.keys import PrivateKey
from segl.sandbox.pki import ORGANIZATIONS, PASSWORD, SERVER_NUMBER, SandboxPki, ensure_pki
from segl.service.config.checking import is_of_sandbox


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> SandboxPki:
    return ensure_pki(tmp_path_factory.mktemp("pki"))


def leaf(path: Path) -> x509.Certificate:
    return load_pem(path.read_bytes())[0]


def chain(pki: SandboxPki, path: Path) -> tuple[x509.Certificate, ...]:
    """The chain as one finds it who trusts the root alone and got the certificate file."""
    certificate, *sent = load_pem(path.read_bytes())
    anchors = TrustAnchors.from_pem(pki.trust_anchors.read_bytes())
    return anchors.chain(certificate, extra=sent, at=datetime.now(UTC))


def test_everything_chains_to_a_root_that_says_it_has_no_legal_effect(pki: SandboxPki) -> None:
    root = leaf(pki.trust_anchors)
    assert is_of_sandbox(root)
    for files in (pki.server, pki.seal, *pki.organizations):
        assert len(chain(pki, files.certificate)) == 3
        assert chain(pki, files.certificate)[-1] == root
    assert load_pem(pki.signer_ca.certificate.read_bytes())[0].issuer == root.subject


def test_the_server_certificate_has_the_number_where_java_and_where_dotnet_look(pki: SandboxPki) -> None:
    certificate = leaf(pki.server.certificate)
    subject = certificate.subject
    assert [each.value for each in subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)] == [SERVER_NUMBER]
    assert organization_number(certificate) == SERVER_NUMBER == "984661185"
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.SERVER_AUTH in extended
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature


def test_the_seal_may_make_signatures_that_bind(pki: SandboxPki) -> None:
    certificate = leaf(pki.seal.certificate)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.content_commitment
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


def test_there_is_a_public_a_private_and_a_broker_organization(pki: SandboxPki) -> None:
    organizations = {
        each.organization.number: (each.organization.sector, each.organization.broker_for) for each in pki.organizations
    }
    assert organizations == {
        "123456789": ("public", ()),
        "310248711": ("private", ()),
        "318602352": ("private", ("123456789",)),
    }
    for files in pki.organizations:
        assert organization_number(leaf(files.certificate)) == files.organization.number


def test_pkcs12_and_pem_hold_the_same_key_and_chain(pki: SandboxPki) -> None:
    for files in pki.organizations:
        pem = PrivateKey.from_pem(files.certificate.read_bytes(), files.private_key.read_bytes())
        bundle = PrivateKey.from_pkcs12(files.pkcs12.read_bytes(), PASSWORD)
        assert (bundle.certificate, bundle.chain) == (pem.certificate, pem.chain)


def test_private_keys_are_for_the_owner_alone(pki: SandboxPki) -> None:
    folder = pki.trust_anchors.parent
    secret = [*folder.glob("*-key.pem"), *folder.glob("*.p12")]
    assert len(secret) == 12
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}


def test_certificates_suit_clocks_that_are_late_and_folders_that_grow_old(pki: SandboxPki) -> None:
    now = datetime.now(UTC)
    for path in (pki.trust_anchors, pki.server.certificate, pki.organizations[0].certificate):
        certificate = leaf(path)
        assert certificate.not_valid_before_utc < now - timedelta(hours=23)
        assert certificate.not_valid_after_utc > now + timedelta(days=19 * 365)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    ensure_pki(tmp_path)
    before = contents(tmp_path)
    ensure_pki(tmp_path)
    assert contents(tmp_path) == before


def test_whatever_is_missing_is_made_with_the_keys_that_are_there(tmp_path: Path) -> None:
    files = [*ensure_pki(tmp_path).files()]
    keys = {path: content for path, content in contents(tmp_path).items() if path.name.endswith("-key.pem")}
    for missing in files:
        if missing in keys:
            continue
        missing.unlink()
        pki = ensure_pki(tmp_path)
        assert missing.exists()
        assert {path: path.read_bytes() for path in keys} == keys
        if missing != pki.trust_anchors:  # a new root certificate has a new number, though the same key
            assert len(chain(pki, pki.organizations[0].certificate)) == 3


def test_a_half_written_file_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "server-key.pem.part").write_text("-----BEGIN PRIV")
    pki = ensure_pki(tmp_path)
    assert len(chain(pki, pki.server.certificate)) == 3
    assert not list(tmp_path.glob("*.part"))


def test_a_further_organization_joins_those_that_are_there(tmp_path: Path) -> None:
    ensure_pki(tmp_path, ORGANIZATIONS[:1])
    before = contents(tmp_path)
    pki = ensure_pki(tmp_path, ORGANIZATIONS[:2])
    assert before.items() <= contents(tmp_path).items()
    assert len(chain(pki, pki.organizations[1].certificate)) == 3


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.iterdir()}
