"""The command `segl verify`: what it says and with which status it ends."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from typer.testing import CliRunner, Result

from segl.commands.main import app
from segl.core import pades, xades
from segl.core.evidence import Evidence
from segl.core.xades import SignedDocument
from tls_service import Authority

CONTRACT = b"%PDF-1.7 the contract"
AUTHORITY = Authority("Trusted Root")


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"NO_COLOR": "1"}).invoke(app, [str(each) for each in arguments])


def evidence(signer: str) -> Evidence:
    now = datetime.now(UTC)
    return Evidence(
        job_id=7,
        job_title="Contract",
        signer_number=1,
        signer_name=signer,
        signer_identity="01017012345",
        signature_type="AUTHENTICATED_ELECTRONIC_SIGNATURE",
        method="TestID",
        provider="Test eID",
        authentication_level=4,
        authenticated_at=now,
        agreed_at=now,
        agreement="I sign this.",
        ip_address="127.0.0.1",
        user_agent="Test",
        login_reference="1",
        shown_sha256=f"{'0' * 64} {'1' * 64}",
        shown_pages="1:1-5,7 2:1",
    )


def signed_xml(signer: str = "Kari Nordmann") -> bytes:
    from hashlib import sha256

    document = SignedDocument("contract.pdf", "application/pdf", sha256(CONTRACT).digest())
    return xades.sign(
        key=AUTHORITY.organization("984661185"),
        documents=[document],
        evidence=evidence(signer),
        signing_time=datetime.now(UTC),
    )


def sealed_pdf() -> bytes:
    """A sealed PDF of one empty page with Kari's XAdES attached."""
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.attachments["xades-1.xml"] = pikepdf.AttachedFileSpec(pdf, signed_xml(), filename="xades-1.xml")
        written = BytesIO()
        pdf.save(written)
    return pades.seal(written.getvalue(), key=AUTHORITY.organization("984661185"), sealed_at=datetime.now(UTC))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a person who has everything: what was signed, the original, the root."""
    (tmp_path / "xades-1.xml").write_bytes(signed_xml())
    (tmp_path / "signed.pdf").write_bytes(sealed_pdf())
    (tmp_path / "contract.pdf").write_bytes(CONTRACT)
    (tmp_path / "trust.pem").write_bytes(AUTHORITY.pem())
    (tmp_path / "stranger.pem").write_bytes(Authority("Another Root").pem())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_signed_pdf_and_a_xades_that_pass(folder: Path) -> None:
    result = run("verify", "signed.pdf", "xades-1.xml", "--document", "contract.pdf", "--trust", "trust.pem")

    assert "PAdES in Seal: Organization 984661185" in result.output
    assert "XAdES in xades-1.xml: Kari Nordmann" in result.output
    assert "Kari Nordmann 01017012345, by TestID, level 4" in result.output
    assert re.search(r"Pages sent +pages 1-5, 7 of document 1; page 1 of document 2\n", result.output)
    assert "contract.pdf: intact" in result.output
    assert "3 of 3 signatures passed." in result.output
    assert result.exit_code == 0


def test_the_findings_as_json_keep_their_keys(folder: Path) -> None:
    result = run("verify", "xades-1.xml", "--document", "contract.pdf", "--trust", "trust.pem", "--json")

    report = json.loads(result.stdout)
    assert list(report) == ["passed", "checked_at", "files"]
    [file] = report["files"]
    assert (list(file), file["file"], file["error"]) == (["file", "error", "signatures"], "xades-1.xml", None)
    [signature] = file["signatures"]
    assert list(signature) == [
        "kind",
        "name",
        "signer",
        "signed_at",
        "verdict",
        "intact",
        "trusted",
        "reasons",
        "certificate_subject",
        "certificate_issuer",
        "vouched_for_by",
        "documents",
        "evidence",
        "claimed_evidence",
    ]
    assert (signature["signer"], signature["verdict"]) == ("Kari Nordmann", "TOTAL-PASSED")
    assert signature["documents"][0]["state"] == "intact"
    assert (signature["evidence"]["signer_name"], signature["claimed_evidence"]) == ("Kari Nordmann", None)


def test_what_a_stranger_signed_is_shown_as_claimed(folder: Path) -> None:
    arguments = ["verify", "xades-1.xml", "--document", "contract.pdf", "--trust", "stranger.pem"]
    text, report = run(*arguments), json.loads(run(*arguments, "--json").stdout)

    for said in ("XAdES: Organization 984661185", "by TestID, level 4", "“I sign this.”"):
        assert f"{said} (claimed)" in text.output
    assert "no, so what it says is only claimed" in text.output
    [signature] = report["files"][0]["signatures"]
    assert (signature["signer"], signature["evidence"]) == ("Organization 984661185", None)
    assert signature["claimed_evidence"]["signer_name"] == "Kari Nordmann"


def test_what_is_trusted_is_not_shown_as_claimed(folder: Path) -> None:
    result = run("verify", "signed.pdf", "--document", "contract.pdf", "--trust", "trust.pem")

    assert "Kari Nordmann" in result.output
    assert "claimed" not in result.output


def test_without_trust_nothing_passes_and_it_says_what_to_do(folder: Path) -> None:
    result = run("verify", "xades-1.xml")

    assert "yes, unchanged since it was signed" in result.output
    assert "INDETERMINATE" in result.output
    assert "0 of 1 signature passed." in result.output
    assert "Give the root certificates that you trust with --trust FILE.pem" in result.output
    assert result.exit_code == 1


def test_a_xades_alone_passes_only_with_its_documents(folder: Path) -> None:
    result = run("verify", "xades-1.xml", "--trust", "trust.pem")

    assert "contract.pdf: missing" in result.output
    assert "INDETERMINATE" in result.output
    assert "give the missing ones with --document FILE" in result.output
    assert result.exit_code == 1


def test_a_signed_pdf_alone_passes_and_says_that_its_originals_were_not_compared(folder: Path) -> None:
    result = run("verify", "signed.pdf", "--trust", "trust.pem")

    assert "contract.pdf: not compared; give the file with --document" in result.output
    assert "2 of 2 signatures passed." in result.output
    assert result.exit_code == 0


def test_another_root_is_not_trust(folder: Path) -> None:
    result = run("verify", "signed.pdf", "--trust", "stranger.pem")

    assert "does not chain to a trust anchor" in result.output
    assert result.exit_code == 1


def test_a_changed_document_fails(folder: Path) -> None:
    (folder / "contract.pdf").write_bytes(CONTRACT + b"!")

    result = run("verify", "xades-1.xml", "--document", "contract.pdf", "--trust", "trust.pem")

    assert "The document contract.pdf is not the one that was signed." in result.output
    assert "TOTAL-FAILED" in result.output
    assert result.exit_code == 1


def test_a_pdf_changed_after_it_was_sealed_fails(folder: Path) -> None:
    sealed = (folder / "signed.pdf").read_bytes()
    (folder / "signed.pdf").write_bytes(sealed.replace(b"/MediaBox [ 0 0 612 792 ]", b"/MediaBox [ 0 0 512 792 ]", 1))
    assert (folder / "signed.pdf").read_bytes() != sealed

    result = run("verify", "signed.pdf", "--trust", "trust.pem")

    assert "The sealed part of the file has been changed." in result.output
    assert result.exit_code == 1


def test_two_documents_of_the_same_name_are_both_looked_at(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "contract.pdf").write_bytes(b"another contract")

    documents = ["--document", "other/contract.pdf", "--document", "contract.pdf"]
    result = run("verify", "xades-1.xml", *documents, "--trust", "trust.pem")

    assert "The document other/contract.pdf was given, but this signature does not cover it." in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello", "It is neither a PDF nor XML; give a signed PDF (PAdES) or a XAdES file."),
        (b"", "It is neither a PDF nor XML"),
        (b"<letter/>", "There are 0 signatures in the XML"),
        (b"<broken", "The signature is not accepted."),
        (b"%PDF-1.7 nothing more", "The file cannot be read as a signed PDF"),
    ],
)
def test_a_file_without_a_signature_is_reported(folder: Path, content: bytes, sentence: str) -> None:
    (folder / "odd").write_bytes(content)

    result = run("verify", "odd", "xades-1.xml", "--document", "contract.pdf", "--trust", "trust.pem")

    assert sentence in result.output
    assert "1 of 1 signature passed." in result.output
    assert result.exit_code == 2


def test_a_pdf_without_a_signature_is_reported(folder: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(folder / "plain.pdf")

    result = run("verify", "plain.pdf")

    assert "The PDF is not signed" in result.output
    assert "0 of 0" not in result.output
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.pdf"], "missing.pdf\n  Cannot be read: No such file or directory."),
        (["xades-1.xml", "--document", "missing.pdf"], "segl: missing.pdf: Cannot be read: No such file"),
        (["xades-1.xml", "--trust", "missing.pem"], "segl: missing.pem: Cannot be read: No such file"),
        (["xades-1.xml", "--trust", "contract.pdf"], "segl: --trust contract.pdf: No certificates can be read from it"),
        ([], "Missing argument 'FILE...'"),
    ],
)
def test_incorrect_use_is_explained(folder: Path, arguments: list[str], sentence: str) -> None:
    result = run("verify", *arguments)

    assert sentence in result.output
    assert result.exit_code == 2


def test_a_trust_file_without_a_root_is_refused(folder: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    leaf = AUTHORITY.organization("984661185").certificate.public_bytes(Encoding.PEM)
    (folder / "leaf.pem").write_bytes(leaf)

    result = run("verify", "xades-1.xml", "--trust", "leaf.pem")

    assert "None of the certificates given is a root" in result.output
    assert result.exit_code == 2


def test_an_untrusted_file_cannot_control_the_terminal(folder: Path) -> None:
    (folder / "xades-1.xml").write_bytes(signed_xml("Kari\u009b2J\u202e [bold red]Nordmann"))

    result = run("verify", "xades-1.xml")

    assert "Kari�2J� [bold red]Nordmann" in result.output
    assert not any(each in result.output for each in "\x1b\u009b\u202e")


def test_the_sdk_alone_verifies_xades_and_says_what_a_pdf_needs(folder: Path) -> None:
    program = "import sys; sys.modules['pyhanko'] = None; from segl.commands.main import main; main()"
    command = [sys.executable, "-c", program, "verify", "xades-1.xml", "signed.pdf"]
    command += ["--document", "contract.pdf", "--trust", "trust.pem"]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "Verifying it needs pyhanko; install segl[service]." in ended.stdout
    assert "1 of 1 signature passed." in ended.stdout
    assert ended.returncode == 2
