"""Which of the certificates below a root may speak for an organization."""

import re

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certificates import NOW, Authority, subject
from segl.core.callers import CallerPolicy, check_connecting_use
from segl.core.errors import UntrustedCertificate
from segl.core.keys import PrivateKey

ROOT = Authority.root()
ISSUER = ROOT.intermediate()
OTHER = ROOT.intermediate("Another Issuer")
NUMBER = "123456789"
SOFT, CARD = "2.16.578.1.26.1.3.2", "2.16.578.1.26.1.3.5"
CLIENT, SERVER, EMAIL = (
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
)


def issued(
    *purposes: x509.ObjectIdentifier,
    by: Authority = ISSUER,
    name: x509.Name | None = None,
    policies: tuple[str, ...] = (),
    **uses: bool,
) -> PrivateKey:
    """An organization's certificate, as SEID 2 has it unless `name` says otherwise."""
    extensions: list[x509.ExtensionType] = [x509.ExtendedKeyUsage(purposes)] if purposes else []
    if policies:
        named = [x509.PolicyInformation(x509.ObjectIdentifier(each), None) for each in policies]
        extensions.append(x509.CertificatePolicies(named))
    name = name or subject("Virksomhet AS", organization_identifier=f"NTRNO-{NUMBER}")
    return by.issue(name, kind="P-256", extensions=extensions, **uses)  # type: ignore[arg-type]  # flags by name


USUAL = CallerPolicy()


def judged(key: PrivateKey, policy: CallerPolicy = USUAL) -> str:
    """The number, or why there is none."""
    try:
        return policy.check(key.certificate, ROOT.trust(), extra=key.chain, at=NOW)[1]
    except UntrustedCertificate as error:
        return str(error)


@pytest.mark.parametrize(
    ("purposes", "named"),
    [
        ((), None),
        ((CLIENT,), None),
        ((CLIENT, EMAIL), None),  # organization certificates of Buypass and Commfides
        ((SERVER, CLIENT), None),
        ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), None),
        ((SERVER,), "serverAuth"),
        ((EMAIL,), "emailProtection"),
        ((ExtendedKeyUsageOID.CODE_SIGNING,), "codeSigning"),
        ((SERVER, x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.12")), "serverAuth, 1.3.6.1.4.1.311.10.3.12"),
    ],
)
def test_a_caller_has_a_certificate_for_clients_or_for_anything(
    purposes: tuple[x509.ObjectIdentifier, ...], named: str | None
) -> None:
    refused = (
        f"The certificate CN=Virksomhet AS,2.5.4.97=NTRNO-{NUMBER} is not for clients: its extended key usage lacks "
        f"clientAuth, it has {named}; use an organization certificate (virksomhetssertifikat) for authentication."
    )
    assert judged(issued(*purposes)) == (refused if named else NUMBER)


SEID_1 = subject("VIRKSOMHET AS", organization="VIRKSOMHET AS", serial_number=NUMBER)
IN_COMMON_NAME = subject(f"VIRKSOMHET AS {NUMBER}")
TWICE = x509.Name([*IN_COMMON_NAME, *[x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, f"NTRNO-{NUMBER}")] * 2])


@pytest.mark.parametrize(
    ("name", "counts", "counts_where_allowed"),
    [
        (subject("Virksomhet", organization_identifier=f"NTRNO-{NUMBER}", serial_number="987654321"), True, True),
        (SEID_1, True, True),
        (IN_COMMON_NAME, False, True),
        (subject(f"www.{NUMBER}.no"), False, True),
        (subject("Virksomhet", serial_number="9578-4050-123456789"), False, False),
        (subject(f"VIRKSOMHET AS {NUMBER}", organization_identifier=NUMBER, serial_number=NUMBER), False, False),
        (subject(f"VIRKSOMHET AS {NUMBER}", organization_identifier=f"VATNO-{NUMBER}"), False, False),
        (subject("Virksomhet", organization_identifier=f"NTRNO-{NUMBER}0"), False, False),
        (subject("Virksomhet", organization_identifier="NTRNO-١٢٣٤٥٦٧٨٩"), False, False),
        (TWICE, False, False),
        (subject("Virksomhet"), False, False),
    ],
    ids=lambda value: value.rfc4514_string() if isinstance(value, x509.Name) else str(value),
)
def test_the_number_counts_where_seid_has_it_and_in_the_common_name_where_that_is_allowed(
    name: x509.Name, *, counts: bool, counts_where_allowed: bool
) -> None:
    key = issued(CLIENT, name=name)
    for policy, expected in (
        (USUAL, counts),
        (CallerPolicy(number_in_common_name=True), counts_where_allowed),
    ):
        found = judged(key, policy)
        assert found == NUMBER if expected else "names no organization number where it counts, which is once" in found
        assert policy.number(key.certificate) == (NUMBER if expected else None)


def test_an_issuer_counts_by_its_name_and_key() -> None:
    policy = CallerPolicy(issuers=(ISSUER.key.certificate,))
    again = ROOT.intermediate()  # with another certificate
    assert again.key.certificate != ISSUER.key.certificate
    assert judged(issued(CLIENT), policy) == judged(issued(CLIENT, by=again), policy) == NUMBER
    for other, named in (
        (OTHER, "CN=Another Issuer"),
        (ROOT, "CN=Test Root"),
        (ISSUER.intermediate("Below"), "CN=Below"),
    ):
        refusal = judged(issued(CLIENT, by=other), policy)
        assert f"was issued by {named}, whose certificates do not count here: use an organization" in refusal
        assert refusal.endswith("that was issued by CN=Test Issuer.")


def test_a_root_may_be_an_issuer_that_counts() -> None:
    policy = CallerPolicy(issuers=(ROOT.key.certificate,))
    assert judged(issued(CLIENT, by=ROOT), policy) == NUMBER
    assert "do not count here" in judged(issued(CLIENT), policy)


def test_a_certificate_names_one_of_the_policies_that_count() -> None:
    policy = CallerPolicy(policies=(x509.ObjectIdentifier(SOFT), x509.ObjectIdentifier(CARD)))
    assert judged(issued(CLIENT, policies=(CARD, "0.4.0.2042.1.1")), policy) == NUMBER
    for named, said in (
        (("2.16.578.1.26.1.3.3",), "2.16.578.1.26.1.3.3"),
        ((), r"\(none\)"),
        (("2.5.29.32.0",), "2.5.29"),
    ):
        refusal = judged(issued(CLIENT, policies=named), policy)
        assert re.search(
            f"has the certificate policies {said}.* which do not count here: use .* {SOFT}, {CARD}[.]", refusal
        )


def test_a_connection_takes_a_certificate_for_digital_signatures() -> None:
    check_connecting_use(issued(content_commitment=False).certificate)
    with pytest.raises(UntrustedCertificate, match=r"its key usage lacks digitalSignature; .* for authentication"):
        check_connecting_use(issued(digital_signature=False).certificate)
