"""The commands `segl doctor` and `segl explain`: what they print and with which status they exit."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, pkcs12
from typer.testing import CliRunner, Result

from certificates import certificate, private_key, subject
from connect_proxy import connect_proxy
from pdfs import encrypted, pdf
from segl.commands import diagnosing
from segl.commands.main import app
from segl.core import asice
from segl.core.asice import PackageFile
from segl.core.keys import PrivateKey
from segl.core.protocol import AuthenticationLevel, ManifestDocument, PortalManifest
from segl.diagnosis.doctor import CHECKS
from segl.sdk import (
    ContactInformation,
    Email,
    Environment,
    Notifications,
    PersonalIdentificationNumber,
    Signer,
    Sms,
)
from tls_service import CUSTOMER, SERVICE, Authority, Service, pem_files, serving

ROOT = Authority("Trusted Root")


def run(*arguments: str | Path, typed: str | None = None, **variables: str) -> Result:
    runner = CliRunner(env={"NO_COLOR": "1", **variables})
    return runner.invoke(app, [str(each) for each in arguments], input=typed)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a person who has a certificate, in both forms, and the service's root."""
    key = ROOT.organization(CUSTOMER)
    encryption = BestAvailableEncryption(b"s3cret")
    (tmp_path / "mine.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(b"o", key.key, key.certificate, key.chain, encryption)
    )
    pem_files(key, tmp_path)
    (tmp_path / "password").write_text("s3cret\n")
    (tmp_path / "wrong").write_text("wr0ng\n")
    (tmp_path / "root.pem").write_bytes(ROOT.pem())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    own = folder / "service"
    own.mkdir()
    with serving(ROOT.organization(SERVICE), ROOT, own) as running:
        yield running


def at(service: Service) -> list[str]:
    return ["--api-root", service.api_root, "--trust-anchors", "root.pem", "--organization", SERVICE]


MINE = ["--pkcs12", "mine.p12", "--password-file", "password"]
PEM = ["--certificate", "certificate.pem", "--private-key", "key.pem"]


@pytest.mark.parametrize("mine", [MINE, PEM], ids=["PKCS#12", "PEM"])
def test_the_doctor_finds_nothing_wrong(folder: Path, service: Service, mine: list[str]) -> None:
    result = run("doctor", *at(service), *mine)

    assert f"{service.api_root}\n  ✓ certificate  It belongs to Organization 123456789, organization" in result.output
    assert "  ✓ access       The service says: You are welcome\n" in result.output
    assert "✗" not in result.output
    # Test certificates are valid for an hour, and roots need not be sent along.
    assert result.output.endswith("\n\n1 warning.\n")
    assert result.exit_code == 0


def test_the_doctor_says_what_is_wrong(folder: Path, service: Service) -> None:
    result = run("doctor", *at(service), "--pkcs12", "mine.p12", "--password-file", "wrong")

    assert "  ✗ certificate  'mine.p12': The PKCS#12 file cannot be read: Invalid password" in result.output
    assert "  – access       Not checked: another fault prevented it." in result.output
    assert "  ✓ network      127.0.0.1 accepts connections on port" in result.output
    assert result.output.endswith("\n\n1 fault.\n")
    assert "wr0ng" not in result.output
    assert result.exit_code == 1


def test_the_doctors_findings_as_json_keep_their_keys(folder: Path, service: Service) -> None:
    result = run("doctor", *at(service), *MINE, "--sender", "987654321", "--json")

    report = json.loads(result.stdout)
    assert list(report) == ["passed", "checked_at", "api_root", "checks"]
    assert (report["passed"], report["api_root"]) == (True, service.api_root)
    assert datetime.fromisoformat(report["checked_at"]) <= datetime.now(UTC)
    assert [each["check"] for each in report["checks"]] == [each for each in CHECKS if each != "proxy"]
    assert report["checks"][0] == {
        "check": "certificate",
        "state": "ok",
        "sentence": "It belongs to Organization 123456789, organization number 123456789.",
    }
    assert report["checks"][-2]["sentence"] == "123456789 is authorized as broker of 987654321."
    assert result.exit_code == 0


def test_a_persons_certificate_is_shown_without_the_identity_number(folder: Path, service: Service) -> None:
    name, key = subject("Kari Nordmann", serial_number="UN:NO-01017012345"), private_key("Kari")
    issuer = private_key(ROOT.name, "P-256")
    persons = certificate(name, key, ROOT.root.subject, issuer, False, True, *ROOT.dates)
    pem_files(PrivateKey(persons, (ROOT.root,), key), folder)

    for result in (run("doctor", *at(service), *PEM), run("doctor", *at(service), *PEM, "--json")):
        assert "CN=Kari Nordmann,2.5.4.5=UN:NO-010170*****, has no organization number." in result.output
        assert "01017012345" not in result.output
        assert result.exit_code == 1


def test_passwords_come_from_files_or_variables(folder: Path, service: Service) -> None:
    with connect_proxy("segl:s3cret") as proxy:
        through = ["--proxy", proxy.url, "--proxy-user", "segl"]
        well = run(
            "doctor",
            *at(service),
            "--pkcs12",
            "mine.p12",
            *through,
            SEGL_PASSWORD="s3cret",
            SEGL_PROXY_PASSWORD="s3cret",
        )
        refused = run("doctor", *at(service), *MINE, *through, "--proxy-password-file", "wrong")

    assert (well.exit_code, refused.exit_code) == (0, 1)
    assert "  ✓ proxy        127.0.0.1 accepts connections" in well.output
    assert "did not open a connection to the service. The proxy refused (407 Proxy Authentication" in refused.output
    assert not {"s3cret", "wr0ng"} & {*(well.output + refused.output).split()}


def test_a_password_is_asked_for_at_a_terminal(folder: Path, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosing, "_at_terminal", lambda: True)

    result = run("doctor", *at(service), "--pkcs12", "mine.p12", typed="s3cret\n")

    assert "Password (SEGL_PASSWORD)" in result.stderr
    assert "  ✓ certificate" in result.stdout
    assert "s3cret" not in result.output
    assert result.exit_code == 0


@pytest.mark.parametrize(("file", "said"), [("mine.p12", True), ("missing.p12", False)])
def test_a_pkcs12_file_without_its_password_is_explained(
    folder: Path, service: Service, file: str, *, said: bool
) -> None:
    result = run("doctor", *at(service), "--pkcs12", file)

    assert ("No password was given: use --password-file or SEGL_PASSWORD." in result.output) is said
    assert result.exit_code == 1


def test_the_names_of_the_environments_are_whole_words_in_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run("doctor", "-h", COLUMNS="80").output

    assert {"production,", "difitest,", "difiqa."} <= set(shown.split())


def test_the_password_of_a_key_is_asked_for_when_it_has_one(
    folder: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosing, "_at_terminal", lambda: True)

    assert "Password" not in run("doctor", *at(service), *PEM).output
    key, encryption = private_key(CUSTOMER), BestAvailableEncryption(b"s3cret")
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    assert run("doctor", *at(service), *PEM, typed="s3cret\n").exit_code == 0
    assert run("doctor", *at(service), *PEM, typed="wr0ng\n").exit_code == 1

    monkeypatch.setattr(diagnosing, "_at_terminal", lambda: False)
    message = "segl: key.pem is encrypted: give its password with --password-file or SEGL_PASSWORD.\n"
    without = run("doctor", *at(service), *PEM)
    assert (without.exit_code, without.stderr) == (2, message)


def test_a_sandboxs_own_organizations_need_no_files(folder: Path, service: Service) -> None:
    ready = {
        "api_root": service.api_root,
        "server": {"trust_anchors": "root.pem", "organization_number": SERVICE},
        "organizations": [{"number": CUSTOMER, "pkcs12": "mine.p12", "password": "s3cret"}],
    }
    (folder / "ready.json").write_text(json.dumps(ready))

    result = run("doctor", "--sandbox", "ready.json", "--sender", CUSTOMER)

    assert "You are welcome" in result.output
    assert result.exit_code == 0


def test_the_official_environments_have_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Environment, "DIFIQA", Environment("https://127.0.0.1:1/api", folder / "root.pem", SERVICE))

    result = run("doctor", "--environment", "difiqa", *MINE)

    assert "  ✗ network      https://127.0.0.1:1/api accepts no connection" in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "segl: Say which service: --environment, --sandbox, or --api-root with"),
        (["--environment", "difitest", "--sandbox", "ready.json"], "segl: Name only one service: "),
        (["--api-root", "https://localhost/api", *MINE], "--organization belong together: give all three."),
        (["--environment", "difitest"], "segl: Say which certificate is yours: --pkcs12, or"),
        (["--environment", "difitest", *MINE, *PEM], "segl: Give your certificate as --pkcs12, or as"),
        (["--environment", "difitest", "--certificate", "certificate.pem"], "segl: Give your certificate as"),
        (["--environment", "difitest", *MINE, "--sender", "12"], "segl: An organization number is 9 digits; '12' is"),
        (["--environment", "difitest", *MINE, "--proxy", "x:y@z"], 'Proxy.url must be "http://host:port"'),
        (["--sandbox", "password", *MINE], "segl: 'password' is not a ready file"),
        (["--environment", "difitest", "--pkcs12", "mine.p12", "--password-file", "no"], "segl: no: Cannot be read"),
        (["--environment", "elsewhere"], "Invalid value for '--environment'"),
    ],
)
def test_incorrect_use_of_the_doctor_is_explained(folder: Path, arguments: list[str], sentence: str) -> None:
    result = run("doctor", *arguments)

    assert sentence in result.output
    assert result.exit_code == 2


def test_the_doctor_works_with_the_sdk_alone(folder: Path, service: Service) -> None:
    heavy = "django", "pyhanko", "pikepdf", "typst", "pypdfium2", "obstore", "uvicorn"
    program = f"import sys; sys.modules.update(dict.fromkeys({heavy})); from segl.commands.main import main; main()"

    ended = subprocess.run(
        [sys.executable, "-c", program, "doctor", *at(service), *MINE], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")


SIGNED_AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
CONTRACT = (Path(__file__).parents[2] / "demo" / "contract.pdf").read_bytes()


@pytest.fixture
def package(folder: Path) -> Path:
    """A document package for two people, whose title names one."""
    signers = (
        Signer(PersonalIdentificationNumber("01017012345"), Notifications(Email("kari@example.com"))),
        Signer(ContactInformation(sms=Sms("99999999"))),
    )
    document = ManifestDocument("Contract", "contract.pdf", "application/pdf")
    manifest = PortalManifest(signers, CUSTOMER, "Contract with 01017012345", (document,))
    file = folder / "package.zip"
    file.write_bytes(
        asice.build(
            manifest=manifest.to_xml(),
            documents=[PackageFile("contract.pdf", "application/pdf", CONTRACT)],
            key=LASTING.organization(CUSTOMER),
            signing_time=SIGNED_AT,
        )
    )
    return file


LASTING = Authority("Lasting Root", (SIGNED_AT.replace(year=2020), SIGNED_AT.replace(year=2030)))


def test_a_good_package_is_described(package: Path) -> None:
    Path("root.pem").write_bytes(LASTING.pem())

    result = run("explain", "package.zip", "--trust", "root.pem", "--at", "2026-11-25T13:00:04+01:00")

    assert result.output.startswith(
        f"""package.zip
    Title       Contract with 010170*****
    Sender      123456789
    Document    contract.pdf: Contract, application/pdf, {len(CONTRACT)} bytes
    Signer      010170*****, kari@example.com
    Signer      99999999
    Signed      2026-11-25T12:00:00+00:00 by Organization 123456789, organization number 123456789
  ✓ archive      It is a ZIP file of 3 files.
  ✓ signature    It is valid for what its XML says.
"""
    )
    assert "  ✓ chain        It leads to CN=Lasting Root.\n" in result.output
    assert result.output.endswith("\n\nNothing is wrong.\n")
    assert result.exit_code == 0


def test_each_rule_that_a_package_breaks_is_listed(package: Path) -> None:
    with zipfile.ZipFile(package) as good, zipfile.ZipFile("broken.zip", "w") as broken:
        for name in good.namelist():
            broken.writestr(name, b"no PDF" if name == "contract.pdf" else good.read(name))

    result = run("explain", "broken.zip", "--at", "2026-11-25T12:00:06Z")

    assert "  ✗ files        The file contract.pdf was changed after the package was signed.\n" in result.output
    assert "  ✗ signing-time The package was signed at 2026-11-25T12:00:00+00:00, more than 5 seconds" in result.output
    assert "  – chain        Not checked: no trust anchors were given.\n" in result.output
    assert "  ✗ documents    contract.pdf: The document is not a PDF; send one" in result.output
    assert result.output.endswith("\n\n3 faults.\n")
    assert result.exit_code == 1


def test_documents_are_looked_into_as_the_service_does(folder: Path) -> None:
    contents = {"locked.pdf": encrypted(user="secret", owner="secret"), "three.pdf": pdf("1", "2", "3"), "a.txt": b"Hi"}
    kinds = {name: "text/plain" if name == "a.txt" else "application/pdf" for name in contents}
    manifest = PortalManifest(
        signers=(Signer(ContactInformation(sms=Sms("99999999"))),),
        sender=CUSTOMER,
        title="Contract",
        documents=tuple(ManifestDocument(name, name, kinds[name]) for name in contents),
        required_authentication=AuthenticationLevel.THREE,
    )
    files = [PackageFile(name, kinds[name], content) for name, content in contents.items()]
    key = LASTING.organization(CUSTOMER)
    made = asice.build(manifest=manifest.to_xml(), documents=files, key=key, signing_time=SIGNED_AT)
    Path("package.zip").write_bytes(made)

    locked = run("explain", "package.zip", "--sector", "private")
    assert "  ✗ pages        locked.pdf: The PDF is protected by a password" in locked.output
    assert "  ✗ terms        required-authentication is 3: private organizations may require level 4" in locked.output
    assert locked.exit_code == 1


@pytest.mark.parametrize("number", ["01017012345", "010170 12345", "010170-12345"])
def test_an_untrusted_package_shows_no_identity_number_and_cannot_control_the_terminal(
    package: Path, number: str
) -> None:
    with zipfile.ZipFile(package, "a") as odd:
        odd.writestr(f"Kari {number}\u202e.pdf", b"")

    result = run("explain", "package.zip")

    assert "  ✗ files        The file Kari 010170*****�.pdf is not signed" in result.output
    assert number not in result.output
    assert "\u202e" not in result.output


def test_the_description_of_a_package_as_json_keeps_its_keys(package: Path) -> None:
    result = run("explain", "package.zip", "--at", "2026-11-25T12:00:06Z", "--json")

    report = json.loads(result.stdout)
    assert list(report) == [
        "passed",
        "file",
        "reference",
        "polling_queue",
        "title",
        "sender",
        "signers",
        "documents",
        "signed_by",
        "signed_at",
        "checks",
    ]
    assert (report["passed"], report["title"]) == (False, "Contract with 010170*****")
    assert report["signers"][0]["identity_number"] == "010170*****"
    assert "01017012345" not in result.output
    assert [each["check"] for each in report["checks"] if each["state"] == "fault"] == ["signing-time"]
    assert {each["check"] for each in report["checks"] if each["state"] == "skipped"} == {"chain"}
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.zip"], "segl: missing.zip: Cannot be read: No such file or directory."),
        (["key.pem"], "segl: key.pem: It is neither a document package (a ZIP file) nor a create request"),
        (["package.zip", "--at", "yesterday"], "segl: --at yesterday is not a date-time such as 2026-01-31T12:00"),
        (["package.zip", "--at", "2026-11-25T12:00:06"], "has no offset; write it with one"),
        (["package.zip", "--trust", "key.pem"], "segl: --trust key.pem: No certificates can be read from it"),
        ([], "Missing argument 'FILE'"),
    ],
)
def test_incorrect_use_of_explain_is_explained(package: Path, arguments: list[str], sentence: str) -> None:
    result = run("explain", *arguments)

    assert sentence in result.output
    assert result.exit_code == 2


def test_a_file_that_is_far_too_large_is_not_read(folder: Path) -> None:
    with Path("huge.zip").open("wb") as huge:
        huge.truncate(1 << 40)

    result = run("explain", "huge.zip")

    message = "segl: huge.zip: Too large: it has more than 67108864 bytes, far more than the service accepts.\n"
    assert (result.exit_code, result.stderr) == (2, message)


def test_explain_works_with_the_sdk_alone(package: Path) -> None:
    heavy = "django", "pyhanko", "pikepdf", "typst", "pypdfium2", "obstore", "uvicorn"
    program = f"import sys; sys.modules.update(dict.fromkeys({heavy})); from segl.commands.main import main; main()"

    ended = subprocess.run(
        [sys.executable, "-c", program, "explain", "package.zip"], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")
