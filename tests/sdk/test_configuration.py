"""A client's configuration, and what is wrong with a wrong one."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segl.sdk import ClientCertificate, ClientConfiguration, Environment, InvalidInput, Proxy, Timeouts
from tls_service import Authority, pem_files


def test_the_api_root_must_be_https() -> None:
    with pytest.raises(InvalidInput, match="'http://localhost/api' is not an https URL"):
        Environment("http://localhost/api", b"", "984661185")


@pytest.mark.parametrize(
    "api_root",
    [
        "https://",
        "https:///api",
        "https://[x/api",
        "https://host:99999/api",
        "https://segl:s3cret@host/api",
        "https://host/api?token=s3cret",
        "https://host/api#s3cret",
        "https://host/api ",
    ],
)
def test_the_api_root_is_a_host_and_a_path(api_root: str) -> None:
    with pytest.raises(InvalidInput, match="The API root") as error:
        Environment(api_root, b"", "984661185")
    assert "s3cret" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"missing\.p12.*No such file"):
        ClientCertificate.from_pkcs12(tmp_path / "missing.p12", "secret")


CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@pytest.fixture
def pem(authority: Authority, tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its private key."""
    return pem_files(authority.organization("123456789"), tmp_path)


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"nothing", "it is not PEM"),
        (b"", "it is not PEM"),
        (b"%PDF-1.7", "it is a PDF"),
        (f"{CERTIFICATE}\nAA==\n-----END CERTIFICATE-----".encode(), "they are damaged"),
    ],
)
def test_trust_anchors_must_be_certificates(tmp_path: Path, content: bytes, because: str) -> None:
    (tmp_path / "root.pem").write_bytes(content)

    with pytest.raises(InvalidInput, match=rf"from '.*root\.pem': .*{because}.*{CERTIFICATE} in it\.$"):
        Environment("https://localhost/api", tmp_path / "root.pem", "984661185").anchors()
    with pytest.raises(InvalidInput, match=f"from the bytes given: .*{because}"):
        Environment("https://localhost/api", content, "984661185").anchors()


def test_swapped_pem_files_are_reported_by_name(pem: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = pem

    with pytest.raises(InvalidInput, match=r"certificates .* from '.*key\.pem': it has a private key only \(the cert"):
        ClientCertificate.from_pem(key, certificate)
    with pytest.raises(
        InvalidInput, match=r"private key .* from '.*certificate\.pem': it has certificates, but no pri"
    ):
        ClientCertificate.from_pem(certificate, certificate)
    with pytest.raises(InvalidInput, match=r"key\.pem': The private key cannot be read: .*password"):
        ClientCertificate.from_pem(certificate, key, "none was needed")


def test_a_pkcs12_file_needs_a_password_as_text(tmp_path: Path) -> None:
    (tmp_path / "organization.p12").write_bytes(b"%PDF-1.7")
    nothing: Any = None

    with pytest.raises(InvalidInput, match='password is of type NoneType; write it as a text, "" if there is none'):
        ClientCertificate.from_pkcs12(tmp_path / "organization.p12", nothing)
    with pytest.raises(InvalidInput, match=r"organization\.p12': The PKCS#12 file cannot be read"):
        ClientCertificate.from_pkcs12(tmp_path / "organization.p12", "secret")


ASK: dict[str, Callable[[Any], object]] = {
    "trust anchors": lambda given: Environment("https://localhost/api", given, "984661185").anchors(),
    "certificate": lambda given: ClientCertificate.from_pem(given, "key.pem"),
    "PKCS#12": lambda given: ClientCertificate.from_pkcs12(given, "secret"),
    "ready file": lambda given: ClientConfiguration.sandbox(given, "123456789"),
}


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            "-----BEGIN PRIVATE KEY-----s3cret",
            "^The file's path looks like its content: give",
        ),
        ("s3cret\nline", "looks like its content"),
        (500 * "s3cret", "looks like its content"),
        (bytearray(b"s3cret"), "^A file is of type bytearray; write its path, or its content as bytes"),
        ("a\0b", "^Cannot read 'a"),
    ],
)
def test_a_content_is_given_as_bytes_and_not_shown(ask: str, given: object, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence) as error:
        ASK[ask](given)
    assert "s3cret" not in str(error.value)
    assert error.value.__context__ is None


def test_a_private_key_that_was_given_as_a_text_is_not_shown(pem: tuple[Path, Path]) -> None:
    certificate, key = pem

    with pytest.raises(InvalidInput, match="looks like its content: give content as bytes") as error:
        ClientCertificate.from_pem(certificate, key.read_text())
    assert key.read_text().splitlines()[1] not in str(error.value)


@pytest.mark.parametrize("content", ["not yet", "{}", "[]", "null", '"text"', '{"organizations": [1], "server": {}}'])
def test_a_ready_file_must_be_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "ready.json").write_text(content)

    with pytest.raises(InvalidInput, match=r"ready\.json' is not a ready file; `segl sandbox"):
        Environment.sandbox(tmp_path / "ready.json")
    with pytest.raises(InvalidInput, match=r"ready\.json' is not a ready file; `segl sandbox"):
        ClientConfiguration.sandbox(tmp_path / "ready.json", "123456789")


def test_the_sandbox_must_have_the_organization(tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text(json.dumps({"organizations": [{"number": "123456789"}]}))

    with pytest.raises(InvalidInput, match="The sandbox has no 999999999, only 123456789"):
        ClientConfiguration.sandbox(tmp_path / "ready.json", "999999999")


def test_an_organization_number_is_text(tmp_path: Path) -> None:
    number: Any = 123456789

    with pytest.raises(InvalidInput, match='123456789, of type int; write its 9 digits as a text, "…"'):
        ClientConfiguration.sandbox(tmp_path / "ready.json", number)


def test_a_configuration_is_made_of_its_parts(configuration: ClientConfiguration) -> None:
    for wrong in (
        {"environment": "https://localhost/api"},
        {"certificate": "organization.p12"},
        {"sender": "123456789"},
    ):
        with pytest.raises(InvalidInput, match=r"of type str; write (Environment|ClientCertificate|Sender)"):
            replace(configuration, **wrong)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(
    ("environment", "api_root"),
    [
        (Environment.PRODUCTION, "https://api.signering.posten.no/api"),
        (Environment.DIFITEST, "https://api.difitest.signering.posten.no/api"),
        (Environment.DIFIQA, "https://api.difiqa.signering.posten.no/api"),
    ],
)
def test_the_official_services_environments_are_known(environment: Environment, api_root: str) -> None:
    assert (environment.api_root, environment.organization_number) == (api_root, "984661185")
    assert not environment.keeps_idempotency_keys
    roots = [each for each in environment.anchors() if each.issuer == each.subject]
    assert len(roots) == 5
    assert all(each.not_valid_after_utc.year >= 2040 for each in roots)


def test_test_and_production_trust_nothing_in_common() -> None:
    assert not {*Environment.PRODUCTION.anchors()} & {*Environment.DIFITEST.anchors()}


@pytest.mark.parametrize(
    ("url", "user", "password", "sentence"),
    [
        ("proxy.example.com:3128", None, None, 'must be "http://host:port"'),
        ("socks5://proxy.example.com", None, None, 'must be "http://host:port"'),
        ("http://segl:s3cret@proxy.example.com", None, None, "give user and password separately"),
        ("http://proxy.example.com:3128", "segl", None, "needs both user and password"),
        ("http://[x", None, None, 'must be "http://host:port"'),
        ("http://proxy.example.com:99999", None, None, 'must be "http://host:port"'),
        ("http://proxy.example.com:3128", 7, "s3cret", "Proxy.user is of type int; write a text"),
        ("http://proxy.example.com:3128", "segl", b"s3cret", "Proxy.password is of type bytes; write a text"),
    ],
)
def test_a_proxy_is_a_url_and_credentials(url: str, user: Any, password: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence) as error:
        Proxy(url, user, password)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"calls_per_second": 0}, "calls_per_second is 0; it must be more than 0"),
        ({"connections": 0}, "connections is 0; it must be more than 0"),
        ({"connections": 2.5}, "connections is 2.5, of type float; write a whole number"),
        ({"retries": -1}, "retries is -1; it must be 0 or more"),
        ({"retries": True}, "retries is True, of type bool; write a whole number"),
        ({"user_agent_suffix": 5}, "user_agent_suffix is 5, of type int; write a text"),
        ({"retries": "2"}, "retries is '2', of type str; write a whole number"),
        ({"proxy": "http://segl:s3cret@proxy"}, r"The proxy is of type str; write Proxy\("),
        ({"user_agent_suffix": "a\r\nb"}, "user_agent_suffix must be printable ASCII"),
    ],
)
def test_a_wrong_choice_is_refused(pem: tuple[Path, Path], wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        ClientConfiguration(Environment.DIFITEST, ClientCertificate.from_pem(*pem), **wrong)


@pytest.mark.parametrize("seconds", [0, -1, 1e12, math.inf, math.nan])
def test_a_time_out_is_more_than_nothing_and_ends(seconds: float) -> None:
    with pytest.raises(InvalidInput, match=r"Timeouts\.call is .*; it must be more than 0 and at most 1000000"):
        Timeouts(call=seconds)
