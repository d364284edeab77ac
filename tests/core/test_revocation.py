"""What counts as an answer to whether a certificate was revoked, and what it says."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from certificates import NOW, Authority, certificate, private_key, subject
from revocations import HOUR, RELATIVE, REVOKED_AT, asks_at, crl, ocsp_answer, point, scope
from segl.core import revocation
from segl.core.keys import PrivateKey
from segl.core.revocation import SKEW, Good, NoAnswer, Revoked, Status

ROOT = Authority.root()
ISSUER = ROOT.intermediate()
CA = ISSUER.key
URL = "http://crl.example/issuer.crl"
CERTIFICATE = ISSUER.organization("123456789", extensions=asks_at(responder="http://ocsp.example", crl=URL)).certificate
OTHER = ISSUER.organization("987654321").certificate
SERIAL = CERTIFICATE.serial_number.to_bytes(20).lstrip(b"\0").hex().upper()
FOREIGN = Authority.root("Somebody Else").key
UNKNOWN = ocsp.OCSPCertStatus.UNKNOWN
REVOKED = ocsp.OCSPCertStatus.REVOKED
COMPROMISED = x509.ReasonFlags.key_compromise


DAYS = timedelta(days=30)


def responder(
    issuer: Authority = ISSUER,
    *,
    use: x509.ObjectIdentifier = ExtendedKeyUsageOID.OCSP_SIGNING,
    since: timedelta = -DAYS,
    until: timedelta = DAYS,
) -> PrivateKey:
    """A delegated responder of this issuer, valid from and until so long from now."""
    uses = [x509.ExtendedKeyUsage([use])]
    name = subject("Responder")
    return issuer.issue(name, kind="P-256", extensions=uses, not_before=NOW + since, not_after=NOW + until)


def judged_ocsp(data: bytes) -> Status:
    return revocation.judge_ocsp(data, certificate=CERTIFICATE, issuer=CA.certificate, at=NOW)


def judged_crl(data: bytes) -> Status:
    return revocation.judge_crl(data, certificate=CERTIFICATE, issuer=CA.certificate, at=NOW)


def test_the_addresses_are_those_of_http() -> None:
    assert revocation.ocsp_urls(CERTIFICATE) == ("http://ocsp.example",)
    assert revocation.crl_urls(CERTIFICATE) == (URL,)
    assert revocation.ocsp_urls(OTHER) == revocation.crl_urls(OTHER) == ()


def test_lists_of_others_or_for_some_reasons_are_not_asked() -> None:
    points = [
        point("http://a.example", reasons=frozenset({COMPROMISED})),
        point("http://b.example", crl_issuer=[x509.DirectoryName(subject("CRL issuer"))]),
        point("file:///etc/passwd"),
        x509.DistributionPoint([x509.DirectoryName(subject("CRL issuer"))], None, None, None),
        x509.DistributionPoint(None, RELATIVE, None, None),
        point("https://c.example"),
    ]
    certificate = ISSUER.issue(subject("A"), kind="P-256", extensions=[x509.CRLDistributionPoints(points)]).certificate
    assert revocation.crl_urls(certificate) == ("https://c.example",)


@pytest.mark.parametrize("organization", ["buypass-class-3-ca-g2-st-business", "commfides-legal-person-g3"])
def test_official_issuers_name_a_list(reference: Path, organization: str) -> None:
    pem = (reference / "certificates" / "production" / f"{organization}.pem").read_bytes()
    (url,) = revocation.crl_urls(x509.load_pem_x509_certificate(pem))
    assert url.startswith("http://crl.")


def test_a_question_names_the_certificate_and_nothing_else() -> None:
    question = ocsp.load_der_ocsp_request(revocation.ocsp_request(CERTIFICATE, CA.certificate))
    assert question.serial_number == CERTIFICATE.serial_number
    assert question.hash_algorithm.name == "sha1"
    assert len(question.extensions) == 0


class TestOcsp:
    def test_a_certificate_is_good_until_the_next_update(self) -> None:
        assert judged_ocsp(ocsp_answer(CERTIFICATE, CA)) == Good(NOW + HOUR)

    def test_a_certificate_is_revoked_since_then(self) -> None:
        assert judged_ocsp(ocsp_answer(CERTIFICATE, CA, status=REVOKED, reason=COMPROMISED)) == Revoked(
            REVOKED_AT, COMPROMISED
        )
        assert judged_ocsp(ocsp_answer(CERTIFICATE, CA, status=REVOKED)) == Revoked(REVOKED_AT, None)

    @pytest.mark.parametrize(("since", "until"), [(-DAYS, DAYS), (SKEW, DAYS), (-DAYS, timedelta())])
    def test_a_responder_that_the_issuer_authorized_may_answer(self, since: timedelta, until: timedelta) -> None:
        answer = ocsp_answer(CERTIFICATE, CA, signer=responder(since=since, until=until))
        assert judged_ocsp(answer) == Good(NOW + HOUR)

    def test_a_responder_whose_certificate_has_a_weak_signature_may_not(self) -> None:
        name, key, uses = subject("Responder"), private_key("Responder"), [ExtendedKeyUsageOID.OCSP_SIGNING]
        extended = [x509.ExtendedKeyUsage(uses)]
        weak = certificate(name, key, CA.certificate.subject, CA.key, extensions=extended, algorithm=hashes.SHA224())
        answer = ocsp_answer(CERTIFICATE, CA, signer=PrivateKey(weak, (), key))
        assert judged_ocsp(answer) == NoAnswer("the signature uses sha224, not SHA-256 or better")

    def test_an_answer_under_the_name_of_an_issuer_with_an_rsa_key_is_none_unless_it_signed(self) -> None:
        issuer = ROOT.issue(subject("RSA issuer"), kind="RSA", ca=True)
        of_it = Authority(issuer).organization("123456789").certificate
        answer = ocsp_answer(of_it, issuer, signer=Authority(FOREIGN).issue(subject("A")), sends_certificate=False)
        judged = revocation.judge_ocsp(answer, certificate=of_it, issuer=issuer.certificate, at=NOW)
        assert judged == NoAnswer("the answer is signed neither by the issuer nor by a certificate in it")

    def test_the_issuer_may_have_an_rsa_key(self) -> None:
        issuer = Authority(ROOT.issue(subject("RSA issuer"), kind="RSA", ca=True))
        certificate = issuer.organization("123456789").certificate
        for answer, judge in (
            (ocsp_answer(certificate, issuer.key), revocation.judge_ocsp),
            (crl(issuer.key), revocation.judge_crl),
        ):
            status = judge(answer, certificate=certificate, issuer=issuer.key.certificate, at=NOW)
            assert status == Good(NOW + HOUR)

    def test_an_answer_without_next_update_counts_when_it_is_made_now(self) -> None:
        assert judged_ocsp(ocsp_answer(CERTIFICATE, CA, this_update=NOW, next_update=None)) == Good(NOW)
        judged = judged_ocsp(ocsp_answer(CERTIFICATE, CA, this_update=NOW - HOUR, next_update=None))
        assert judged == NoAnswer("the answer was valid until 2026-11-24 11:00:00 UTC only")

    @pytest.mark.parametrize("distance", [-SKEW, SKEW])
    def test_clocks_may_differ_a_little(self, distance: timedelta) -> None:
        early, late = NOW + max(distance, -HOUR), NOW + max(distance, timedelta()) + HOUR
        assert judged_ocsp(ocsp_answer(CERTIFICATE, CA, this_update=early, next_update=late)) == Good(late)
        expired = ocsp_answer(CERTIFICATE, CA, next_update=NOW - SKEW)
        assert judged_ocsp(expired) == Good(NOW - SKEW)

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (ocsp_answer(CERTIFICATE, CA, status=UNKNOWN), "the responder does not know the certificate"),
            (ocsp_answer(OTHER, CA), "the answer is about another certificate"),
            (ocsp_answer(CERTIFICATE, FOREIGN, signer=CA), "the answer is about another certificate"),
            (
                ocsp_answer(CERTIFICATE, CA, next_update=NOW - SKEW - timedelta(seconds=1)),
                "the answer was valid until 2026-11-24 11:54:59 UTC only",
            ),
            (
                ocsp_answer(CERTIFICATE, CA, this_update=NOW + SKEW + timedelta(seconds=1)),
                "the answer is dated 2026-11-24 12:05:01 UTC, which is yet to come",
            ),
            (
                ocsp_answer(CERTIFICATE, CA, signature_algorithm=hashes.SHA224()),
                "the signature uses sha224, not SHA-256 or better",
            ),
        ],
        ids=["unknown", "other", "other issuer", "stale", "ahead", "hash"],
    )
    def test_what_says_nothing_is_no_answer(self, answer: bytes, reason: str) -> None:
        assert judged_ocsp(answer) == NoAnswer(reason)

    @pytest.mark.parametrize(
        "signer",
        [
            FOREIGN,
            responder(Authority(FOREIGN)),
            responder(ROOT),
            responder(Authority.root("Test Issuer")),
            responder(use=ExtendedKeyUsageOID.CLIENT_AUTH),
            responder(until=-timedelta(seconds=1)),
            responder(since=2 * SKEW),
            ISSUER.organization("123456789"),
        ],
        ids=[
            "foreign",
            "foreign responder",
            "responder of the root",
            "responder of an impostor",
            "other use",
            "expired",
            "future",
            "organization",
        ],
    )
    def test_others_may_not_answer(self, signer: PrivateKey) -> None:
        for status in (ocsp.OCSPCertStatus.GOOD, REVOKED):
            judged = judged_ocsp(ocsp_answer(CERTIFICATE, CA, status=status, signer=signer))
            assert isinstance(judged, NoAnswer)
            assert judged.reason.endswith("which the issuer has not authorized to answer now")
            assert signer.certificate.subject.rfc4514_string() in judged.reason

    def test_an_answer_under_the_issuers_name_is_none_unless_it_signed(self) -> None:
        impostor = Authority.root("Test Issuer").key
        assert impostor.certificate.subject == CA.certificate.subject
        answer = ocsp_answer(CERTIFICATE, CA, signer=impostor, sends_certificate=False)
        assert judged_ocsp(answer) == NoAnswer("the answer is signed neither by the issuer nor by a certificate in it")

    @pytest.mark.parametrize("error", [ocsp.OCSPResponseStatus.TRY_LATER, ocsp.OCSPResponseStatus.UNAUTHORIZED])
    def test_an_error_is_no_answer(self, error: ocsp.OCSPResponseStatus) -> None:
        answer = ocsp.OCSPResponseBuilder.build_unsuccessful(error)
        assert judged_ocsp(answer.public_bytes(Encoding.DER)) == NoAnswer(f"the responder answers {error.name}")

    @given(st.binary(max_size=400))
    def test_garbage_is_no_answer(self, data: bytes) -> None:
        assert isinstance(judged_ocsp(data), NoAnswer)
        assert isinstance(judged_crl(data), NoAnswer)

    @pytest.mark.parametrize(
        ("content", "judge"),
        [(ocsp_answer(CERTIFICATE, CA, status=REVOKED), judged_ocsp), (crl(CA, CERTIFICATE), judged_crl)],
        ids=["OCSP", "CRL"],
    )
    def test_no_changed_byte_makes_a_revoked_certificate_good(
        self, content: bytes, judge: Callable[[bytes], Status]
    ) -> None:
        assert isinstance(judge(content), Revoked)
        for position in range(len(content)):
            for change in (0x01, 0xFF):
                changed = bytearray(content)
                changed[position] ^= change
                assert not isinstance(judge(bytes(changed)), Good), position


class TestCrl:
    def test_a_certificate_that_is_not_listed_is_good_until_the_next_update(self) -> None:
        assert judged_crl(crl(CA, OTHER)) == Good(NOW + HOUR)

    def test_a_certificate_that_is_listed_is_revoked_since_then(self) -> None:
        assert judged_crl(crl(CA, OTHER, CERTIFICATE)) == Revoked(REVOKED_AT, None)
        assert judged_crl(crl(CA, CERTIFICATE, reason=COMPROMISED)) == Revoked(REVOKED_AT, COMPROMISED)

    def test_a_certificate_on_hold_is_revoked_until_it_is_released(self) -> None:
        hold, release = x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl
        assert judged_crl(crl(CA, CERTIFICATE, reason=hold)) == Revoked(REVOKED_AT, hold)
        assert judged_crl(crl(CA, CERTIFICATE, reason=release)) == Good(NOW + HOUR)

    @pytest.mark.parametrize(
        "extension",
        [
            (scope(URL), True),
            (scope(user_certs=True), True),
            (x509.CRLNumber(7), False),
            (x509.FreshestCRL([point("http://crl.example/delta.crl")]), False),
        ],
        ids=["this part", "users", "number", "delta beside it"],
    )
    def test_a_list_that_is_complete_for_the_certificate_counts(
        self, extension: tuple[x509.ExtensionType, bool]
    ) -> None:
        assert judged_crl(crl(CA, extensions=[extension])) == Good(NOW + HOUR)
        assert judged_crl(crl(CA, CERTIFICATE, extensions=[extension])) == Revoked(REVOKED_AT, None)

    @pytest.mark.parametrize(
        "extension",
        [
            (scope("http://crl.example/another-part.crl"), True),
            (scope("http://crl.example/another-part.crl"), False),
            (scope(ca_certs=True), True),
            (scope(attribute_certs=True), True),
            (scope(some_reasons=True), True),
            (scope(indirect=True), True),
            (scope(relative=True), True),
            (x509.DeltaCRLIndicator(7), True),
            (x509.DeltaCRLIndicator(7), False),
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),
        ],
        ids=[
            "part",
            "part, uncritical",
            "CAs",
            "attributes",
            "reasons",
            "indirect",
            "relative",
            "delta",
            "delta, uncritical",
            "new",
        ],
    )
    def test_a_list_that_need_not_name_the_certificate_is_no_answer(
        self, extension: tuple[x509.ExtensionType, bool]
    ) -> None:
        judged = judged_crl(crl(CA, extensions=[extension]))
        assert judged == NoAnswer(f"the CRL need not list the certificate (extension {extension[0].oid.dotted_string})")

    def test_a_list_of_users_says_nothing_about_an_issuer(self) -> None:
        for part, status in ((scope(user_certs=True), NoAnswer), (scope(ca_certs=True), Good)):
            data = crl(ROOT.key, extensions=[(part, True)])
            judged = revocation.judge_crl(data, certificate=CA.certificate, issuer=ROOT.key.certificate, at=NOW)
            assert isinstance(judged, status)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (crl(FOREIGN), "the CRL is issued by CN=Somebody Else"),
            (crl(FOREIGN, name=CA.certificate.subject), "the CRL is not signed by the issuer"),
            (crl(CA, signature_algorithm=hashes.SHA224()), "the signature uses sha224, not SHA-256 or better"),
            (
                crl(CA, this_update=NOW - 2 * HOUR, next_update=NOW - HOUR),
                "the answer was valid until 2026-11-24 11:00:00 UTC only",
            ),
            (
                crl(CA, this_update=NOW + HOUR, next_update=NOW + 2 * HOUR),
                "the answer is dated 2026-11-24 13:00:00 UTC, which is yet to come",
            ),
        ],
        ids=["foreign", "foreign under its name", "hash", "stale", "ahead"],
    )
    def test_what_does_not_hold_is_no_answer(self, data: bytes, reason: str) -> None:
        assert judged_crl(data) == NoAnswer(reason)

    def test_an_issuer_without_key_usage_and_certificates_without_constraints_are_judged_too(self) -> None:
        issuer, key = private_key("Without key usage", "P-256"), private_key("Without constraints", "P-256")
        name = subject("Without key usage")
        ca = certificate(name, issuer, name, issuer, ca=True, without=[x509.KeyUsage])
        below = certificate(subject("Below"), key, name, issuer, without=[x509.BasicConstraints])
        data = crl(PrivateKey(ca, (), issuer), extensions=[(scope(user_certs=True), True)])
        assert revocation.judge_crl(data, certificate=below, issuer=ca, at=NOW) == Good(NOW + HOUR)

    def test_one_who_may_not_sign_lists_is_not_believed(self) -> None:
        organization = ISSUER.organization("123456789")
        below = Authority(organization).issue(subject("Below"), kind="P-256").certificate
        judged = revocation.judge_crl(crl(organization), certificate=below, issuer=organization.certificate, at=NOW)
        assert isinstance(judged, NoAnswer)
        assert judged.reason.endswith("which may not sign CRLs")


class TestOpenssl:
    """What another implementation understands and says."""

    @pytest.fixture
    def openssl(self, tmp_path: Path) -> Callable[..., None]:
        executable = shutil.which("openssl")
        if executable is None:
            pytest.skip("OpenSSL is not installed: apt-get install openssl")
        (tmp_path / "ca.pem").write_bytes(CA.certificate.public_bytes(Encoding.PEM))
        (tmp_path / "ca.key").write_bytes(CA.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (tmp_path / "request.der").write_bytes(revocation.ocsp_request(CERTIFICATE, CA.certificate))

        def run(*arguments: str) -> None:
            subprocess.run([executable, *arguments], cwd=tmp_path, check=True, capture_output=True, timeout=30)

        return run

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("V\t271124120000Z\t\t{serial}\tunknown\t/CN=A\n", Good),
            ("R\t271124120000Z\t261122120000Z,keyCompromise\t{serial}\tunknown\t/CN=A\n", Revoked),
            ("", NoAnswer),
        ],
        ids=["good", "revoked", "unknown"],
    )
    def test_its_responder_is_asked_and_understood(
        self, openssl: Callable[..., None], tmp_path: Path, line: str, expected: type[Status]
    ) -> None:
        (tmp_path / "index.txt").write_text(line.format(serial=SERIAL))
        openssl(
            *("ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca.key"),
            *("-reqin", "request.der", "-respout", "answer.der", "-ndays", "1"),
        )
        judged = revocation.judge_ocsp(
            (tmp_path / "answer.der").read_bytes(),
            certificate=CERTIFICATE,
            issuer=CA.certificate,
            at=datetime.now(UTC),
        )
        assert isinstance(judged, expected)
        if isinstance(judged, Revoked):
            assert judged == Revoked(REVOKED_AT, COMPROMISED)

    def test_its_lists_are_understood(self, openssl: Callable[..., None], tmp_path: Path) -> None:
        (tmp_path / "index.txt").write_text(
            f"R\t271124120000Z\t261122120000Z,keyCompromise\t{SERIAL}\tunknown\t/CN=A\n"
        )
        (tmp_path / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ndefault_md=sha256\n"
            "default_crl_days=1\ncrl_extensions=crl\n[crl]\nauthorityKeyIdentifier=keyid\n"
        )
        openssl(*("ca", "-gencrl", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-out", "crl.pem"))
        openssl(*("crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der"))
        data = (tmp_path / "crl.der").read_bytes()
        for listed, expected in ((CERTIFICATE, Revoked(REVOKED_AT, COMPROMISED)), (OTHER, None)):
            judged = revocation.judge_crl(data, certificate=listed, issuer=CA.certificate, at=datetime.now(UTC))
            assert judged == expected if expected else isinstance(judged, Good)
