"""What must not be accepted: each is a clear error in the wire's words, and leaves nothing behind."""

import re
import sqlite3
import ssl
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

import pdfs
from api_answers import assert_valid
from certificates import Authority, subject
from running_sandbox import ROOT, Sandbox
from segl.core import asice
from segl.core.asice import PackageFile
from segl.core.keys import SigningKey
from segl.core.protocol import (
    ContactInformation,
    Email,
    ErrorMessage,
    ManifestDocument,
    PortalJobRequest,
    PortalJobResponse,
    PortalManifest,
    SignatureType,
    Signer,
)
from segl.sdk import ClientConfiguration
from segl.sdk.tls import client_context

CONTRACT = (ROOT / "demo" / "contract.pdf").read_bytes()
SENDER, PRIVATE, BROKER = "123456789", "310248711", "318602352"


@dataclass(frozen=True)
class Request:
    """A create request that is right in every respect; change one with `dataclasses.replace`."""

    content: bytes = CONTRACT
    caller: str = SENDER
    signed_by: str = SENDER
    sender: str = SENDER
    manifest_sender: str = SENDER
    file_name: str = "contract.pdf"
    named: str = "contract.pdf"
    title: str = "Contract"
    media_type: str = "application/pdf"
    signature_type: SignatureType | None = None
    signed_ago: timedelta = timedelta()
    key: SigningKey | None = None
    """What signs the package; by default the key of the organization `signed_by`."""
    written: Callable[[bytes], bytes] = bytes
    """What becomes of the manifest before it is signed."""
    others: Mapping[str, bytes] = field(default_factory=dict)
    """Further files in the package."""
    content_type: str = "multipart/mixed; boundary=segl"
    tampering: Callable[[bytes], bytes] = bytes  # changes nothing
    cutting: Callable[[bytes], bytes] = bytes

    def send(self, sandbox: Sandbox) -> httpx.Response:
        with client(sandbox, self.caller) as http:
            url = f"{sandbox.ready['api_root']}/{self.sender}/portal/signature-jobs"
            return http.post(url, content=self.cutting(self.body(sandbox)), headers={"Content-Type": self.content_type})

    def body(self, sandbox: Sandbox) -> bytes:
        manifest = PortalManifest(
            signers=(Signer(ContactInformation(Email("someone@example.com")), signature_type=self.signature_type),),
            sender=self.manifest_sender,
            title=self.title,
            documents=(ManifestDocument(self.title, self.named, self.media_type),),
        )
        package = asice.build(
            manifest=self.written(manifest.to_xml()),
            documents=[
                PackageFile(name, "application/pdf", content)
                for name, content in {self.file_name: self.content, **self.others}.items()
            ],
            key=self.key or ClientConfiguration.sandbox(sandbox.ready_file, self.signed_by).certificate,
            signing_time=datetime.now(UTC) - self.signed_ago,
        )
        return (
            b"--segl\r\nContent-Type: application/xml\r\n\r\n"
            + PortalJobRequest("ref").to_xml()
            + b"\r\n--segl\r\nContent-Type: application/octet-stream\r\n\r\n"
            + self.tampering(package)
            + b"\r\n--segl--\r\n"
        )


def client(sandbox: Sandbox, organization: str) -> httpx.Client:
    hooks = {"response": [held_against_the_schema]}
    return httpx.Client(verify=tls_context(sandbox, organization), trust_env=False, timeout=30, event_hooks=hooks)


def held_against_the_schema(response: httpx.Response) -> None:
    if response.headers.get("Content-Type") == "application/xml":
        assert_valid(response.read())


def tls_context(sandbox: Sandbox, organization: str) -> ssl.SSLContext:
    configuration = ClientConfiguration.sandbox(sandbox.ready_file, organization)
    environment = configuration.environment
    return client_context(
        anchors=environment.anchors(),
        organization_number=environment.organization_number,
        key=configuration.certificate,
    )


def changed_document(package: bytes) -> bytes:
    """The package with one byte of the stored document changed, and the checksums of the ZIP put right."""
    source, target = zipfile.ZipFile(BytesIO(package)), BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            archive.writestr(name, content.replace(b"%PDF-1", b"%PDF-2") if name == "contract.pdf" else content)
    return target.getvalue()


def repeated(element: str, count: int) -> Callable[[bytes], bytes]:
    """The manifest with so many of an element that it has one of."""
    pattern = re.compile(rf"<{element}>.*?</{element}>|<{element} .*?</{element}>".encode(), re.DOTALL)
    return lambda manifest: pattern.sub(lambda found: found[0] * count, manifest)


def titled(title: str) -> Callable[[bytes], bytes]:
    """The manifest with another title of the job."""
    return lambda manifest: manifest.replace(b"<title>Contract", f"<title>{title}".encode(), 1)


def as_xml(request: bytes) -> Callable[[bytes], bytes]:
    """The body with another XML in its first part."""
    return lambda body: re.sub(
        rb"<\?xml.*?</portal-signature-job-request>", lambda _: request, body, count=1, flags=re.DOTALL
    )


def zipped(*members: tuple[str, bytes], deflated: bool = False) -> Callable[[bytes], bytes]:
    """Instead of the package, a ZIP of these members in addition to its own."""

    def pack(package: bytes) -> bytes:
        source, target = zipfile.ZipFile(BytesIO(package)), BytesIO()
        method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(target, "w", method) as archive:
            for name, content in [*((each, source.read(each)) for each in source.namelist()), *members]:
                archive.writestr(name, content)
        return target.getvalue()

    return pack


def with_another_local_name(package: bytes) -> bytes:
    """The package whose first local header names another file than the directory does."""
    return package.replace(b"contract.pdf", b"contrakt.pdf", 1)


def wrapped(package: bytes) -> bytes:
    """The package with its signature moved into an object of another one, which refers to other contents."""
    source = zipfile.ZipFile(BytesIO(package))
    signatures = source.read("META-INF/signatures.xml")
    start, end = signatures.index(b"<ds:Signature "), signatures.index(b"</asic:XAdESSignatures>")
    whole = signatures[start:end]
    outer = whole.replace(b"</ds:Signature>", b"<ds:Object>" + whole + b"</ds:Object></ds:Signature>")
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            is_signature = name == "META-INF/signatures.xml"
            archive.writestr(name, signatures[:start] + outer + signatures[end:] if is_signature else source.read(name))
    return target.getvalue()


def expired_key() -> SigningKey:
    return Authority.root().issue(
        subject("Virksomhet", organization_identifier=f"NTRNO-{SENDER}"),
        not_before=datetime.now(UTC) - timedelta(days=400),
        not_after=datetime.now(UTC) - timedelta(days=1),
    )


RIGHT = Request()
REFUSED = {
    "not a PDF": (replace(RIGHT, content=b"Dear all, please sign."), "INVALID_DOCUMENT", "not a PDF"),
    "an empty document": (replace(RIGHT, content=b""), "INVALID_DOCUMENT", "not a PDF"),
    "a user password": (replace(RIGHT, content=pdfs.encrypted(user="u", owner="o")), "INVALID_DOCUMENT", "password"),
    "an owner password": (replace(RIGHT, content=pdfs.encrypted(user="", owner="o")), "INVALID_DOCUMENT", "password"),
    "a broken PDF": (replace(RIGHT, content=CONTRACT[:-2000]), "INVALID_DOCUMENT", "damaged"),
    "documents of over 10 MiB": (
        replace(RIGHT, content=CONTRACT + b"\n%" + b"x" * 10_485_760),
        "DOCUMENTS_TOO_LARGE",
        "10485760",
    ),
    "a changed package": (replace(RIGHT, tampering=changed_document), "ASICE_VALIDATION_FAILED", "was changed"),
    "a package of another organization": (
        replace(RIGHT, signed_by=PRIVATE),
        "ASICE_VALIDATION_FAILED",
        f"signed by organization {PRIVATE}",
    ),
    "a package that is no ZIP": (
        replace(RIGHT, tampering=lambda package: package[:-30]),
        "ASICE_VALIDATION_FAILED",
        "not a ZIP file",
    ),
    "an old package": (replace(RIGHT, signed_ago=timedelta(minutes=5)), "ASICE_VALIDATION_FAILED", "signed at"),
    "a manifest of another sender": (
        replace(RIGHT, manifest_sender=PRIVATE),
        "ASICE_VALIDATION_FAILED",
        "the URL 123456789",
    ),
    "a manifest that names another file": (
        replace(RIGHT, named="other.pdf"),
        "ASICE_VALIDATION_FAILED",
        "missing from the package: other.pdf",
    ),
    "another media type": (replace(RIGHT, media_type="image/png"), "MEDIA_TYPE_NOT_SUPPORTED", "image/png"),
    "a package with a file that the manifest does not name": (
        replace(RIGHT, others={"more.pdf": CONTRACT}),
        "ASICE_VALIDATION_FAILED",
        "missing from the manifest: more.pdf",
    ),
    "no document": (
        replace(RIGHT, written=repeated("document", 0)),
        "SCHEMA_VALIDATION_ERROR",
        "There are 0 documents; there must be from 1 to 20",
    ),
    "21 documents": (
        replace(RIGHT, written=repeated("document", 21)),
        "SCHEMA_VALIDATION_ERROR",
        "There are 21 documents; there must be from 1 to 20",
    ),
    "no signer": (
        replace(RIGHT, written=repeated("signer", 0)),
        "SCHEMA_VALIDATION_ERROR",
        "There are 0 signers; there must be from 1 to 10",
    ),
    "11 signers": (
        replace(RIGHT, written=repeated("signer", 11)),
        "SCHEMA_VALIDATION_ERROR",
        "There are 11 signers; there must be from 1 to 10",
    ),
    "an empty title": (
        replace(RIGHT, written=lambda manifest: manifest.replace(b">Contract<", b"><", 1)),
        "SCHEMA_VALIDATION_ERROR",
        "title is 0 characters; it must be at least 1",
    ),
    "a title of 81 characters": (
        replace(RIGHT, written=titled("x" * 81)),
        "SCHEMA_VALIDATION_ERROR",
        "title is 81 characters",
    ),
    "XML with an entity": (
        replace(RIGHT, cutting=as_xml(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')),
        "SCHEMA_VALIDATION_ERROR",
        "DOCTYPE",
    ),
    "XML of 1000 levels": (
        replace(RIGHT, cutting=as_xml(b"<a>" * 1000 + b"</a>" * 1000)),
        "SCHEMA_VALIDATION_ERROR",
        "",
    ),
    "XML of 10 MB": (
        replace(RIGHT, cutting=as_xml(b"<a>" + b"x" * 10_000_000 + b"</a>")),
        "SCHEMA_VALIDATION_ERROR",
        "at most 1000000 are accepted",
    ),
    "a manifest with a DTD": (
        replace(RIGHT, written=lambda manifest: manifest.replace(b"<portal-", b"<!DOCTYPE x><portal-", 1)),
        "SCHEMA_VALIDATION_ERROR",
        "DTD",
    ),
    "a ZIP bomb": (
        replace(RIGHT, tampering=zipped(("bomb.pdf", bytes(11_000_000)), deflated=True)),
        "ASICE_VALIDATION_FAILED",
        "more than 200 times its size",
    ),
    "a ZIP that unpacks to more than a package may hold": (
        replace(RIGHT, tampering=zipped(("bomb.pdf", bytes(100_000_000)), deflated=True)),
        "ASICE_VALIDATION_FAILED",
        "at most 12582912 are accepted",
    ),
    "a path out of the folder": (
        replace(RIGHT, tampering=zipped(("../evil.pdf", b"x"))),
        "ASICE_VALIDATION_FAILED",
        "unsafe name",
    ),
    "two files of one name": (
        replace(RIGHT, tampering=zipped(("contract.pdf", b"x"))),
        "ASICE_VALIDATION_FAILED",
        "two files called",
    ),
    "two files of one name after case folding": (
        replace(RIGHT, tampering=zipped(("CONTRACT.PDF", b"x"))),
        "ASICE_VALIDATION_FAILED",
        "two files called",
    ),
    "two files of one name after normalization": (
        replace(RIGHT, tampering=zipped(("\u00e5.pdf", b"x"), ("a\u030a.pdf", b"x"))),
        "ASICE_VALIDATION_FAILED",
        "two files called",
    ),
    "65 000 members": (
        replace(RIGHT, tampering=zipped(*((f"{number}", b"") for number in range(65_000)))),
        "ASICE_VALIDATION_FAILED",
        "at most 64 are accepted",
    ),
    "headers that say different things": (
        replace(RIGHT, tampering=with_another_local_name),
        "ASICE_VALIDATION_FAILED",
        "say different things",
    ),
    "a file that is not signed": (
        replace(RIGHT, tampering=zipped(("more.pdf", CONTRACT))),
        "ASICE_VALIDATION_FAILED",
        "is not signed",
    ),
    "a signature wrapped in another": (
        replace(RIGHT, tampering=wrapped),
        "ASICE_VALIDATION_FAILED",
        "occurs more than once",
    ),
    "a package signed with an expired certificate": (
        replace(RIGHT, key=expired_key()),
        "ASICE_VALIDATION_FAILED",
        "expired",
    ),
    "a package signed with a foreign certificate": (
        replace(RIGHT, key=Authority.root().intermediate().organization(SENDER)),
        "ASICE_VALIDATION_FAILED",
        "does not chain to a trust anchor",
    ),
    "not multipart": (replace(RIGHT, content_type="application/xml"), "INVALID_REQUEST", "multipart/mixed"),
    "a multipart that ends too soon": (
        replace(RIGHT, cutting=lambda body: body[:-20]),
        "INVALID_REQUEST",
        "closing boundary",
    ),
    "parts in the wrong order": (
        replace(RIGHT, cutting=lambda body: body.replace(b"application/xml", b"text/plain", 1)),
        "INVALID_REQUEST",
        "application/xml and then application/octet-stream",
    ),
    "XML with a DTD": (
        replace(RIGHT, cutting=lambda body: body.replace(b"<portal-sig", b"<!DOCTYPE x><portal-sig", 1)),
        "SCHEMA_VALIDATION_ERROR",
        "DTD",
    ),
    "an authenticated signature for a private organization": (
        replace(
            RIGHT,
            caller=PRIVATE,
            signed_by=PRIVATE,
            sender=PRIVATE,
            manifest_sender=PRIVATE,
            signature_type=SignatureType.AUTHENTICATED_SIGNATURE,
        ),
        "SIGNATURE_TYPE_NOT_ALLOWED",
        "may ask for ADVANCED_ELECTRONIC_SIGNATURE only",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_job_is_refused_and_leaves_nothing(sandbox: Sandbox, case: str) -> None:
    request, code, words = REFUSED[case]
    before = everything_in(sandbox)

    response = request.send(sandbox)

    assert response.status_code == 400, response.text
    assert response.headers["Content-Type"] == "application/xml"
    error = ErrorMessage.from_xml(response.content)
    assert (error.code, error.type) == (code, "CLIENT")
    assert words in error.message
    assert everything_in(sandbox) == before


def test_the_same_job_without_a_fault_is_accepted(sandbox: Sandbox) -> None:
    assert RIGHT.send(sandbox).status_code == 200
    assert replace(RIGHT, caller=BROKER, signed_by=BROKER).send(sandbox).status_code == 200


@pytest.mark.parametrize(
    ("caller", "sender", "code"),
    [
        (PRIVATE, SENDER, "BROKER_NOT_AUTHORIZED"),
        (BROKER, PRIVATE, "BROKER_NOT_AUTHORIZED"),
        (SENDER, "999999999", "BROKER_NOT_AUTHORIZED"),
    ],
)
def test_a_caller_that_may_not_act_for_the_sender_is_refused(
    sandbox: Sandbox, caller: str, sender: str, code: str
) -> None:
    before = everything_in(sandbox)

    response = replace(RIGHT, caller=caller, signed_by=caller, sender=sender, manifest_sender=sender).send(sandbox)

    assert response.status_code == 403
    assert ErrorMessage.from_xml(response.content).code == code
    assert everything_in(sandbox) == before


@pytest.mark.parametrize(
    ("caller", "path", "status"),
    [
        (PRIVATE, f"/{SENDER}/portal/signature-jobs", 403),
        (SENDER, f"/{SENDER}/portal/signature-job", 404),
        (SENDER, f"/{SENDER}", 405),
    ],
)
def test_what_will_be_refused_is_not_even_received(sandbox: Sandbox, caller: str, path: str, status: int) -> None:
    root = urlsplit(sandbox.ready["api_root"])
    context = tls_context(sandbox, caller)
    with closing(HTTPSConnection(str(root.hostname), root.port, context=context, timeout=10)) as connection:
        connection.request("POST", root.path + path, headers={"Content-Length": "10000000"})  # and no body
        response = connection.getresponse()
        assert response.status == status
        assert ErrorMessage.from_xml(response.read()).type == "CLIENT"


def test_a_stranger_that_sends_everything_first_finds_the_refusal(sandbox: Sandbox) -> None:
    for sent in (RIGHT.content * 500, iter([RIGHT.content] * 500)):
        with client(sandbox, PRIVATE) as http:
            response = http.post(f"{sandbox.ready['api_root']}/{SENDER}/portal/signature-jobs", content=sent)
        assert response.status_code == 403
        assert ErrorMessage.from_xml(response.content).code == "BROKER_NOT_AUTHORIZED"


def test_a_body_beyond_all_limits_is_not_even_read(sandbox: Sandbox) -> None:
    before = everything_in(sandbox)

    response = replace(RIGHT, cutting=lambda body: body + b"x" * 17 * 1024 * 1024).send(sandbox)

    assert response.status_code == 413
    assert ErrorMessage.from_xml(response.content).type == "CLIENT"
    assert everything_in(sandbox) == before


@pytest.mark.parametrize("resource", ["/complete?version=1", "/cancel", "/pades", "/xades/1"])
def test_another_organizations_job_does_not_exist_for_the_caller(sandbox: Sandbox, resource: str) -> None:
    job_id = PortalJobResponse.from_xml(RIGHT.send(sandbox).content).signature_job_id
    method = "POST" if resource.startswith(("/complete", "/cancel")) else "GET"

    def asked(number: int) -> tuple[int, str, str]:
        with client(sandbox, PRIVATE) as http:
            url = f"{sandbox.ready['api_root']}/{PRIVATE}/portal/signature-jobs/{number}{resource}"
            answer = http.request(method, url)
        error = ErrorMessage.from_xml(answer.content)
        return answer.status_code, error.code, re.sub(rf"\b{number}\b", "N", error.message)

    assert asked(job_id) == asked(2_000_000_000)
    assert asked(job_id)[:2] == (404, "SIGNATURE_JOB_NOT_FOUND")


@pytest.mark.parametrize(
    "path",
    [
        "/123456789/nothing",
        "/%00",
        "/123456789/portal/signature-jobs/99999999999999999999/pades",
        "/123456789/portal/signature-jobs/1/xades/99999999999999999999",
    ],
)
def test_an_unknown_address_gets_an_error_document(sandbox: Sandbox, path: str) -> None:
    with client(sandbox, SENDER) as http:
        for method in ("GET", "POST"):
            response = http.request(method, f"{sandbox.ready['api_root']}{path}")
            assert response.status_code in {404, 405}
            assert ErrorMessage.from_xml(response.content).type == "CLIENT"


def everything_in(sandbox: Sandbox) -> tuple[Any, ...]:
    """How many rows each table has that only accepted jobs add to, and every file of documents."""
    with closing(sqlite3.connect(sandbox.folder / "segl.sqlite3")) as database:
        tables = ["job", "signer", "document", "notification", "signing", "sealing", "status_change"]
        rows = tuple(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)
    files = sorted(path.name for path in (sandbox.folder / "documents").rglob("*") if path.is_file())
    return rows, files


def test_another_hosts_name_is_refused_with_an_error_document(sandbox: Sandbox) -> None:
    with client(sandbox, SENDER) as http:
        response = http.get(f"{sandbox.ready['api_root']}/{SENDER}", headers={"Host": "elsewhere.example"})
    assert response.status_code == 400
    assert "The Host header names another host" in ErrorMessage.from_xml(response.content).message


def test_two_host_headers_are_refused_with_an_error_document(sandbox: Sandbox) -> None:
    root = urlsplit(sandbox.ready["api_root"])
    context = tls_context(sandbox, SENDER)
    with closing(HTTPSConnection(str(root.hostname), root.port, context=context, timeout=10)) as connection:
        connection.request("GET", f"{root.path}/{SENDER}", headers={"Host": root.netloc, "host": root.netloc})
        response = connection.getresponse()
        assert response.status == 400
        assert "The Host header must be sent once" in ErrorMessage.from_xml(response.read()).message


@pytest.mark.parametrize(
    ("method", "headers", "status", "code"),
    [
        ("BREW", [], 400, "INVALID_REQUEST"),
        ("POST", [("Content-Length", "1"), ("Content-Length", "2")], 400, "INVALID_REQUEST"),
        ("GET", [("Long", "x" * 70_000)], 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
    ],
)
def test_an_invalid_request_is_refused_with_an_error_document(
    sandbox: Sandbox, method: str, headers: list[tuple[str, str]], status: int, code: str
) -> None:
    root = urlsplit(sandbox.ready["api_root"])
    context = tls_context(sandbox, SENDER)
    with closing(HTTPSConnection(str(root.hostname), root.port, context=context, timeout=10)) as connection:
        connection.putrequest(method, f"{root.path}/{SENDER}/portal/signature-jobs")
        for header in headers:
            connection.putheader(*header)
        connection.endheaders()
        response = connection.getresponse()
        assert (response.status, response.headers["Content-Type"]) == (status, "application/xml")
        assert ErrorMessage.from_xml(response.read()).code == code


def test_no_log_contains_a_token_whose_form_is_refused(sandbox: Sandbox) -> None:
    token = "A" * 32
    url = f"{sandbox.ready['web_root']}/s/{token}"
    assert httpx.post(url, headers={"Origin": "http://elsewhere.example"}, trust_env=False).status_code == 403
    assert token not in sandbox.folder.with_name(f"{sandbox.folder.name}.log").read_text()


@pytest.mark.parametrize("charset", ["hex", "undefined", "punycode", "utf-16", "ISO-8859-1"])
def test_the_query_is_read_the_same_whatever_the_charset_of_the_content_type_is(sandbox: Sandbox, charset: str) -> None:
    headers = {"Content-Type": f"text/plain; charset={charset}"}
    jobs = f"{sandbox.ready['api_root']}/{SENDER}/portal/signature-jobs"
    with client(sandbox, SENDER) as http:
        assert http.get(f"{jobs}?polling_queue=of-{charset}", headers=headers).status_code == 204
        confirmed = http.post(f"{jobs}/2147483647/complete?version=1", headers=headers, content=b"x")
        assert (confirmed.status_code, ErrorMessage.from_xml(confirmed.content).code) == (
            404,
            "SIGNATURE_JOB_NOT_FOUND",
        )
        many = http.get(f"{jobs}?{'&'.join('a' * 1200)}", headers=headers)
        assert (many.status_code, ErrorMessage.from_xml(many.content).code) == (400, "INVALID_REQUEST")
