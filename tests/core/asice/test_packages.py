"""Document packages: built, opened, and refused when anything about them is not as it must be."""

import re
import shutil
import struct
import subprocess
import zipfile
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from itertools import groupby
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from certificates import NOW, Authority, subject
from clients import ASIC, DOTNET, INCLUSIVE, JAVA, V2, XADES, Shape, package, signatures, zipped
from segl.core.asice import SIGNING_TIME_TOLERANCE, Package, PackageFile, build, misnamed, open_package
from segl.core.errors import InvalidPackage, UntrustedCertificate
from segl.core.keys import PrivateKey

ROOT = Authority.root()
ISSUER = ROOT.intermediate()
KEY = ISSUER.organization("123456789")
TRUST = ROOT.trust()
KNOWING = TRUST._replace(intermediates=(ISSUER.key.certificate,))
MANIFEST = b"<manifest/>"
DOCUMENTS = {"kontrakt æ + 1.pdf": b"%PDF-1.4 ...", "vedlegg.txt": b"hei"}
FILES = {**DOCUMENTS, "manifest.xml": MANIFEST}
CANONICAL_1_1 = "http://www.w3.org/2006/12/xml-c14n11"
CLIENTS = pytest.mark.parametrize("shape", [JAVA, DOTNET, V2], ids=["Java", ".NET", "SigningCertificateV2"])


def _build(documents: dict[str, bytes] = DOCUMENTS) -> bytes:
    files = [PackageFile(name, "application/pdf", content) for name, content in documents.items()]
    return build(manifest=MANIFEST, documents=files, key=KEY, signing_time=NOW)


BUILT = _build()
SIGNATURES = zipfile.ZipFile(BytesIO(BUILT)).read("META-INF/signatures.xml")


def _open(data: bytes, **arguments: object) -> Package:
    settled = {"trust": KNOWING, "now": NOW, "tolerance": SIGNING_TIME_TOLERANCE, "expected_signer": KEY.certificate}
    return open_package(data, **{**settled, **arguments})  # type: ignore[arg-type] # given by name in each test


def _with(changes: dict[str, bytes | None]) -> bytes:
    """The built package with files replaced, added or (None) left out."""
    files = {**FILES, "META-INF/signatures.xml": SIGNATURES, **changes}
    return zipped({name: content for name, content in files.items() if content is not None})


def assert_holds(opened: Package) -> None:
    assert list(opened.documents.items()) == list(DOCUMENTS.items())
    assert (opened.manifest, opened.signing_time) == (MANIFEST, NOW)
    assert opened.chain == (KEY.certificate, ISSUER.key.certificate, ROOT.key.certificate)


def test_a_package_that_was_built_opens() -> None:
    assert_holds(_open(BUILT, trust=TRUST))


@CLIENTS
def test_a_package_in_each_clients_shape_opens(shape: Shape) -> None:
    assert_holds(_open(package(shape, FILES, KEY)))


@pytest.mark.parametrize(
    "shape",
    [
        replace(JAVA, digest="sha384"),
        replace(V2, digest="sha384"),
        replace(V2, digest="sha512"),
        replace(JAVA, canonicalization=CANONICAL_1_1, transform=CANONICAL_1_1),
    ],
    ids=["SHA-384", "V2 with SHA-384", "V2 with SHA-512", "Canonical XML 1.1"],
)
def test_a_package_with_each_accepted_algorithm_opens(shape: Shape) -> None:
    assert_holds(_open(package(shape, FILES, KEY)))


def test_a_package_with_ten_certificates_opens() -> None:
    certificate = f"<X509Certificate>{_base64(ISSUER.key)}</X509Certificate>"
    assert_holds(_open(_replacing("</X509Data>", 7 * certificate + "</X509Data>")))


def test_a_package_to_the_byte_as_java_writes_it_opens() -> None:
    """Flags 0x808 and sizes of zero before each file, the sizes after it; names and base64 as Java encodes them."""
    written = package(JAVA, FILES, KEY)
    assert struct.unpack_from("<4s5H3L", written) == (b"PK\x03\x04", 20, 0x808, 8, 0, 33, 0, 0, 0)
    with zipfile.ZipFile(BytesIO(written)) as archive:
        assert {(each.flag_bits, each.compress_type) for each in archive.infolist()} == {(0x808, zipfile.ZIP_DEFLATED)}
        assert archive.namelist() == [*FILES, "META-INF/signatures.xml"]
        xml = archive.read("META-INF/signatures.xml").decode()
    assert 'Id="ID_0" URI="kontrakt+%C3%A6+%2B+1.pdf"' in xml
    assert xml.count("<X509Certificate>") == 3
    assert re.search(r"<SignatureValue>([\w+/]{76}&#13;\n){4}[\w+/]{38}==</SignatureValue>", xml)

    assert_holds(_open(written, trust=TRUST))


def test_a_package_as_dotnet_writes_it_opens() -> None:
    """The namespaces of the root count in what was signed: its prefix everywhere, its default where it was kept."""
    written = package(DOTNET, FILES, KEY)
    with zipfile.ZipFile(BytesIO(written)) as archive:
        assert {each.flag_bits & 0x8 for each in archive.infolist()} == {0}
        xml = archive.read("META-INF/signatures.xml").decode()
    assert f'<xades:XAdESSignatures xmlns="{XADES}" xmlns:xades="{ASIC}">' in xml
    assert 'Id="Id_1" URI="manifest.xml"' in xml
    assert '<X509SerialNumber xmlns="http://www.w3.org/2000/09/xmldsig#">-42</X509SerialNumber>' in xml
    assert xml.count("<X509Certificate>") == 1

    assert_holds(_open(written))


def test_an_elliptic_key_signs_and_opens_too() -> None:
    seal = ISSUER.seal()
    data = build(manifest=MANIFEST, documents=[PackageFile("a.pdf", "a/b", b"x")], key=seal, signing_time=NOW)
    assert _open(data, expected_signer=seal.certificate).chain[0] == seal.certificate


def test_a_mimetype_entry_is_accepted_when_it_says_the_right_thing() -> None:
    assert_holds(_open(_with({"mimetype": b"application/vnd.etsi.asic-e+zip"})))
    with pytest.raises(InvalidPackage, match="The file mimetype must say"):
        _open(_with({"mimetype": b"application/zip"}))


def test_what_asic_says_of_itself_need_not_be_signed() -> None:
    assert_holds(_open(_with({"META-INF/manifest.xml": b"<files/>"})))


@pytest.mark.parametrize("seconds", [-5, 5])
def test_a_package_may_be_five_seconds_off(seconds: int) -> None:
    _open(BUILT, now=NOW + timedelta(seconds=seconds))


def test_a_package_of_no_organization_is_refused_from_none_too() -> None:
    nobody = ISSUER.issue(subject("Nobody"))
    with pytest.raises(UntrustedCertificate, match="CN=Nobody names no organization number"):
        _open(package(JAVA, FILES, nobody), expected_signer=nobody.certificate)


def test_any_trusted_organization_may_sign_where_none_is_expected() -> None:
    assert_holds(_open(BUILT, expected_signer=None))


@pytest.mark.parametrize(
    ("hrefs", "documents", "absent", "unknown", "repeated"),
    [
        (["a", "b"], ["a"], "b", "none", "none"),
        (["a"], ["a", "b"], "none", "b", "none"),
        (["a", "a"], ["a"], "none", "none", "a"),
    ],
)
def test_manifest_and_package_must_name_the_same_files(
    hrefs: list[str], documents: list[str], absent: str, unknown: str, repeated: str
) -> None:
    (fault,) = misnamed(hrefs, documents)
    assert fault.endswith(
        f"missing from the package: {absent}; missing from the manifest: {unknown}; "
        f"more than once in the manifest: {repeated}."
    )
    assert not [*misnamed(["a", "b"], ["b", "a"])]


def test_the_chain_may_be_completed_from_known_intermediates_alone() -> None:
    with pytest.raises(UntrustedCertificate, match="does not chain to a trust anchor"):
        _open(package(DOTNET, FILES, KEY), trust=TRUST)


def test_what_is_built_is_valid_by_the_official_schema(reference: Path) -> None:
    folder = reference / "schema" / "thirdparty"
    etree.XMLSchema(etree.parse(folder / "ts_102918v010201.xsd")).assertValid(etree.fromstring(SIGNATURES))


def test_what_is_built_has_the_shape_of_the_official_example(reference: Path) -> None:
    example = etree.parse(reference / "examples" / "xades" / "signatures.xml").getroot()
    ours = etree.fromstring(zipfile.ZipFile(BytesIO(_build({"a.pdf": b""}))).read("META-INF/signatures.xml"))
    assert [each for each, _ in groupby(each.tag for each in ours.iter())] == [each.tag for each in example.iter()]


@pytest.mark.parametrize("data", [BUILT, *(package(each, FILES, KEY) for each in (JAVA, DOTNET, V2))])
def test_xmlsec1_accepts_the_signature(tmp_path: Path, data: bytes) -> None:
    if shutil.which("xmlsec1") is None:
        pytest.skip("xmlsec1 is not installed: apt-get install xmlsec1")
    zipfile.ZipFile(BytesIO(data)).extractall(tmp_path)
    (tmp_path / "kontrakt+%C3%A6+%2B+1.pdf").write_bytes(DOCUMENTS["kontrakt æ + 1.pdf"])
    (tmp_path / "kontrakt+æ+++1.pdf").write_bytes(DOCUMENTS["kontrakt æ + 1.pdf"])
    (tmp_path / "root.pem").write_bytes(ROOT.key.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "issuer.pem").write_bytes(ISSUER.key.certificate.public_bytes(Encoding.PEM))
    arguments = [
        "--trusted-pem",
        "root.pem",
        "--untrusted-pem",
        "issuer.pem",
        "--verification-gmt-time",
        f"{NOW:%F %T}",
    ]
    arguments += ["--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"]
    done = subprocess.run(
        ["xmlsec1", "--verify", *arguments, "META-INF/signatures.xml"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def _signed(edit: Callable[[str], str], shape: Shape = JAVA) -> bytes:
    """A package whose signature was edited after signing."""
    edited = edit(signatures(shape, FILES, KEY).decode()).encode()
    return zipped({**FILES, "META-INF/signatures.xml": edited})


def _base64(key: PrivateKey) -> str:
    return b64encode(key.certificate.public_bytes(Encoding.DER)).decode()


def _of_version_6() -> str:
    der = KEY.certificate.public_bytes(Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05")
    return b64encode(der).decode()


def _replacing(old: str, new: str) -> bytes:
    assert old in signatures(JAVA, FILES, KEY).decode()
    return _signed(lambda text: text.replace(old, new))


def _twice(text: str) -> str:
    start, end = text.index("<Signature "), text.index("</Signature>") + len("</Signature>")
    return text[:end] + text[start:end] + text[end:]


def _wrapped(text: str) -> str:
    """The signed properties are moved aside, and others put where properties are looked for."""
    start, end = text.index("<SignedProperties"), text.index("</SignedProperties>") + len("</SignedProperties>")
    signed = text[start:end].replace(
        "<SignedProperties",
        '<SignedProperties xmlns="http://uri.etsi.org/01903/v1.3.2#" xmlns:ns2="http://www.w3.org/2000/09/xmldsig#"',
        1,
    )
    forged = text[start:end].replace('Id="SignedProperties"', 'Id="Other"').replace("2026-11-24T12", "2026-11-24T13")
    return text[:start] + forged + text[end:].replace("</Signature>", f"<Object>{signed}</Object></Signature>")


def _signed_at(time: datetime) -> bytes:
    return package(replace(JAVA, signing_time=time), FILES, KEY)


SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
NO_TRANSFORMS = '<Transforms><Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/></Transforms>'
REFUSED = {
    "document changed": (_with({"vedlegg.txt": b"nei"}), "The file vedlegg.txt was changed"),
    "manifest changed": (_with({"manifest.xml": b"<other/>"}), "The file manifest.xml was changed"),
    "document missing": (_with({"vedlegg.txt": None}), "refers to 'vedlegg.txt', which is not a separate file"),
    "document added": (_with({"extra.pdf": b"x"}), "The file extra.pdf is not signed"),
    "file added in META-INF": (_with({"META-INF/x": b"x"}), "The file META-INF/x is not signed"),
    "manifest missing": (_with({"manifest.xml": None}), "has no manifest.xml"),
    "signature missing": (_with({"META-INF/signatures.xml": None}), "has no META-INF/signatures.xml"),
    "signature no XML": (_with({"META-INF/signatures.xml": b"x"}), "not well-formed"),
    "no signature in it": (_with({"META-INF/signatures.xml": b"<a/>"}), "exactly one Signature"),
    "signature in another root": (_replacing("XAdESSignatures", "Other"), "one XAdESSignatures element"),
    "two signatures": (_signed(_twice), "exactly one Signature"),
    "same Id twice": (_replacing("<Object>", '<Object Id="SignedProperties"/><Object>'), "occurs more"),
    "signed properties wrapped": (_signed(_wrapped), "SignedProperties points to nothing that can be signed"),
    "signing time changed": (_replacing("T12:00:00", "T12:00:01"), "SignedProperties was changed after signing"),
    "digest changed": (_replacing("<DigestValue>", "<DigestValue>AAAA"), "signature value does not match"),
    "signature value changed": (_replacing("<SignatureValue>", "<SignatureValue>AAAA"), "value does not match"),
    "signature value no base64": (_replacing("<SignatureValue>", "<SignatureValue>!"), "SignatureValue is not base64"),
    "certificate left out": (
        _signed(lambda text: text[: text.index("<X509Certificate>")] + text[text.index("</X509Data>") :]),
        "does not have the certificate that the signed properties name",
    ),
    "certificate of another with the same key": (
        _signed(lambda text: text.replace(_base64(KEY), _base64(ISSUER.organization("123456789"))), DOTNET),
        "does not have the certificate that the signed properties name",
    ),
    "certificate garbage": (_replacing("</X509Data>", "<X509Certificate>AAAA</X509Certificate></X509Data>"), "be read"),
    "certificate of version 6": (
        _replacing("</X509Data>", f"<X509Certificate>{_of_version_6()}</X509Certificate></X509Data>"),
        "5 is not a valid X509 version",
    ),
    "another certificate named too": (_replacing("</Cert>", "</Cert><Cert/>"), "SignedProperties was changed"),
    "11 certificates": (
        _replacing("</X509Data>", 11 * "<X509Certificate>AAAA</X509Certificate>" + "</X509Data>"),
        "14 certificates; at most 10",
    ),
    "file with a transform": (
        _replacing('manifest.xml"><DigestMethod', f'manifest.xml">{NO_TRANSFORMS}<DigestMethod'),
        "transforms that are not accepted",
    ),
    "transform with parameters": (
        _replacing(f'<Transform Algorithm="{INCLUSIVE}"/>', f'<Transform Algorithm="{INCLUSIVE}"><a/></Transform>'),
        "Transform is .*not accepted",
    ),
    "reference without URI": (_replacing('URI="manifest.xml"', ""), "has no URI"),
    "reference to nothing": (_replacing('URI="manifest.xml"', 'URI="#nothing"'), "points to nothing"),
    "reference twice": (_replacing('URI="vedlegg.txt"', 'URI="manifest.xml"'), "does not match"),
    "target of another": (_replacing('Target="#Signature"', 'Target="#Other"'), "Target #Other"),
    "SHA-1 digest": (_replacing(SHA256, "http://www.w3.org/2000/09/xmldsig#sha1"), "DigestMethod is .*not acc"),
    "no digest method": (_replacing("DigestMethod", "Other"), "one ds:DigestMethod in Reference; there are 0"),
    "two signing times": (
        _replacing("</SigningTime>", "</SigningTime><SigningTime/>"),
        "xades:SigningTime in SignedProperties; there are 2",
    ),
    "signing time empty": (_replacing(">2026-11-24T12:00:00.000+00:00<", "><"), "SigningTime '' is not a date-time"),
    "signature value empty": (
        _signed(lambda text: re.sub("<SignatureValue>[^<]+", "<SignatureValue>", text)),
        "signature value does not match",
    ),
    "parts in another order": (
        _signed(lambda text: re.sub("(?s)(<SignatureValue>.*)(<KeyInfo>.*</KeyInfo>)", r"\2\1", text)),
        "in this order",
    ),
    "unknown part": (_replacing("<KeyInfo>", "<Extra/><KeyInfo>"), "must consist of"),
    "signed with XSLT": (
        package(replace(JAVA, transform="http://www.w3.org/TR/1999/REC-xslt-19991116"), FILES, KEY),
        "Transform is .*not accepted",
    ),
    "RSA with SHA-1": (
        package(replace(JAVA, signature_method="http://www.w3.org/2000/09/xmldsig#rsa-sha1"), FILES, KEY),
        "SignatureMethod is .*not accepted",
    ),
    "method of another kind of key": (
        package(replace(JAVA, signature_method="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"), FILES, KEY),
        "is not for keys of the kind",
    ),
    "RSA method with an elliptic key": (package(JAVA, FILES, ISSUER.seal()), "is not for keys of the kind"),
    "RSA key of 2047 bits": (
        package(JAVA, FILES, ISSUER.issue(KEY.certificate.subject, kind="RSA-2047")),
        "The RSA key has 2047 bits; 2048 are needed",
    ),
    "unknown canonicalization": (
        package(replace(JAVA, canonicalization="urn:none"), FILES, KEY),
        "CanonicalizationMethod is 'urn:none'",
    ),
    "instruction in what is signed": (_replacing("<SignatureMethod", "<?a b?><SignatureMethod"), "<.a b.>; leave"),
    "instruction in the properties": (_replacing("T12:00:00", "T12:00<?a b?>:00"), "instruction <.a b.>; leave"),
    "language of what is signed": (_replacing("<SignedInfo>", '<SignedInfo xml:lang="nb">'), "does not match"),
    "language of the properties": (_replacing("<Cert>", '<Cert xml:lang="nb">'), "was changed after signing"),
    "language inherited": (_replacing("<Signature ", '<Signature xml:lang="nb" '), "Signature has the attribute"),
    "space inherited": (_replacing("<Object>", '<Object xml:space="preserve">'), "Object has the attribute xml:space"),
    "base inherited": (_replacing("res xmlns", 'res xml:base="urn:a" xmlns'), "Signatures has the attribute xml:base"),
    "signed by another organization": (
        package(JAVA, FILES, ISSUER.organization("987654321")),
        "signed by organization 987654321, but sent by 123456789",
    ),
    "signed too early": (_signed_at(NOW - timedelta(seconds=6)), "more than 5 seconds"),
    "signed too late": (_signed_at(NOW + timedelta(seconds=6)), "more than 5 seconds"),
    "signed at no time": (_signed_at(NOW.replace(tzinfo=None)), "SigningTime .* has no offset"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_package_with_a_fault_is_refused_with_what_is_wrong(name: str) -> None:
    data, sentence = REFUSED[name]
    with pytest.raises(InvalidPackage, match=sentence):
        _open(data)


def test_comments_are_no_part_of_what_is_signed() -> None:
    for at in ("<SignatureMethod", ":00:00", "<SignatureValue>"):
        assert_holds(_open(_replacing(at, "<!-- a -->" + at)))


def test_a_document_signed_twice_is_refused() -> None:
    files = {"a b.pdf": b"x", "manifest.xml": MANIFEST}
    twice = signatures(JAVA, {**files, "a%20b.pdf": b"x"}, KEY)
    with pytest.raises(InvalidPackage, match="not a separate file"):
        _open(zipped({**files, "META-INF/signatures.xml": twice}))


def test_a_package_of_an_organization_that_nobody_vouches_for_is_refused() -> None:
    stranger = Authority.root("Somebody Else").organization("123456789")
    with pytest.raises(UntrustedCertificate, match="does not chain to a trust anchor"):
        _open(package(JAVA, FILES, stranger))


@pytest.mark.parametrize("name", ["manifest.xml", "META-INF/x.pdf"])
def test_a_document_with_a_reserved_name_is_not_packed(name: str) -> None:
    with pytest.raises(InvalidPackage, match="cannot be called"):
        _build({name: b"x"})


def test_a_document_with_an_unsafe_name_is_not_packed() -> None:
    with pytest.raises(InvalidPackage, match="unsafe name"):
        _build({"../x.pdf": b"x"})


JAVAS = package(JAVA, FILES, KEY)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([BUILT, JAVAS]), st.data())
def test_a_package_with_a_changed_byte_is_refused_or_means_the_same(original: bytes, data: st.DataObject) -> None:
    """The same only where the byte means nothing: in the ZIP's version and attribute fields."""
    position = data.draw(st.integers(0, len(original) - 1))
    byte = data.draw(st.integers(1, 255))
    changed = original[:position] + bytes([original[position] ^ byte]) + original[position + 1 :]
    try:
        opened = _open(changed)
    except (InvalidPackage, UntrustedCertificate):
        return
    assert_holds(opened)
