"""The commands that say what is wrong and how to mend it: `segl doctor` of a set-up, `segl explain` of a package."""

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segl.commands.terminal import (
    all_well,
    console,
    fail,
    file_content,
    findings_told,
    masked,
    print_findings,
    print_json,
    safe,
    trusted,
)
from segl.core.sector import Sector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from segl.diagnosis.doctor import CertificateFiles
    from segl.diagnosis.findings import Finding
    from segl.sdk import ClientCertificate, Environment, Proxy

PASSWORD, PROXY_PASSWORD = "SEGL_PASSWORD", "SEGL_PROXY_PASSWORD"
_MOST_BYTES = 64 * 1024 * 1024  # several times what the service takes; more would only fill the memory

app = typer.Typer()
AsJson = Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")]


class Official(StrEnum):
    """The official service's environments."""

    PRODUCTION = "production"
    DIFITEST = "difitest"
    DIFIQA = "difiqa"


@app.command()
def doctor(
    *,
    environment: Annotated[Official | None, typer.Option(help="An environment of the official service.")] = None,
    sandbox: Annotated[
        Path | None, typer.Option(metavar="READY_FILE", help="A sandbox, by the ready file it wrote.")
    ] = None,
    api_root: Annotated[str | None, typer.Option(metavar="URL", help="Another service: its API root.")] = None,
    trust_anchors: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Another service: the roots of its server's certificate.")
    ] = None,
    organization: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Another service: whose its server's certificate is.")
    ] = None,
    pkcs12: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your organization certificate with its private key.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Instead: your organization certificate and its chain.")
    ] = None,
    private_key: Annotated[Path | None, typer.Option(metavar="PEM", help="Its private key.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Has the password of these; or set {PASSWORD}.")
    ] = None,
    sender: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="On whose behalf you send; yourself when left out.")
    ] = None,
    proxy: Annotated[str | None, typer.Option(metavar="URL", help="An HTTP proxy that calls go through.")] = None,
    proxy_user: Annotated[str | None, typer.Option(metavar="NAME", help="Who you are to the proxy.")] = None,
    proxy_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Has the proxy's password; or set {PROXY_PASSWORD}.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with your set-up and how to mend it: certificate, proxy, network, service, clock.

    Exits with 0 when all is well, 1 when something is wrong, 2 when it was called in a wrong way.
    """
    from segl.core.errors import SeglError
    from segl.diagnosis.doctor import examine
    from segl.sdk import Sender

    place = Place(environment, sandbox, api_root, trust_anchors, organization)
    try:
        service = place.environment()
        mine = Mine(pkcs12, certificate, private_key, password_file).files() or place.certificate(sender)
        through = _proxy(proxy, proxy_user, proxy_password_file)
        findings = examine(service, mine, Sender(sender) if sender else None, proxy=through)
    except SeglError as error:
        fail(str(error))
    _tell(findings, service.api_root, as_json=as_json)
    raise typer.Exit(0 if all_well(findings) else 1)


@app.command()
def explain(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A document package (ZIP), or a create request's body as sent.")
    ],
    *,
    trust: Annotated[list[Path] | None, typer.Option(metavar="PEM", help="Root certificates that you trust.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it arrives, such as 2026-01-31T12:00:00+01:00.")
    ] = None,
    sector: Annotated[
        Sector | None, typer.Option(help="The sender's sector; what it may ask for depends on it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a document package or a whole create request is, and each rule of the API that it breaks.

    Exits with 0 when it breaks none, 1 when it breaks some, 2 when it could not be read.
    """
    from segl.core.errors import InvalidInput
    from segl.diagnosis import explaining

    around = explaining.Surroundings(trusted(trust) if trust else None, _moment(at), sector, _page_counter())
    try:
        found = explaining.explain(file_content(file, most=_MOST_BYTES), around)
    except InvalidInput as error:
        fail(f"{file}: {error}")
    if as_json:
        passed, checks = all_well(found.findings), findings_told(found.findings)
        print_json({"passed": passed, "file": str(file), **found.to_dict(), "checks": checks}, mask=True)
    else:
        _tell_package(file, found.to_dict())
        print_findings(console(), found.findings)
    raise typer.Exit(0 if all_well(found.findings) else 1)


def _page_counter() -> "Callable[[str, str, memoryview], int] | None":
    """As the service counts them; None where that is not installed."""
    try:
        from segl.service import rendering
    except ModuleNotFoundError:  # nor are processes forked on Windows
        return None

    from segl.sdk import FileType

    def count(name: str, media_type: str, content: memoryview) -> int:
        if media_type == FileType.TXT:
            content = memoryview(rendering.typeset_texts({name: content})[name])
        [facts] = rendering.inspect({name: content})
        return facts.pages

    return count


def _moment(text: str | None) -> datetime | None:
    from segl.core.xml import parse_date_time

    try:
        return parse_date_time(text) if text else None
    except ValueError as error:
        fail(f"--at {text} {error}.")


def _tell_package(file: Path, facts: "Mapping[str, Any]") -> None:
    to = console()
    to.print(safe(str(file)), style="bold")
    for name, value in _facts(facts):
        to.print(f"    {name:<12}{safe(masked(value))}")


def _facts(facts: "Mapping[str, Any]") -> "Iterator[tuple[str, str]]":
    for name, key in (("Reference", "reference"), ("Queue", "polling_queue"), ("Title", "title"), ("Sender", "sender")):
        if facts[key]:
            yield name, facts[key]
    for document in facts["documents"]:
        about = [document["title"], document["media_type"], f"{document['size']} bytes"]
        yield "Document", f"{document['name']}: {', '.join(each for each in about if each)}"
    for signer in facts["signers"]:
        about = [signer["identity_number"], signer["email"], signer["sms"], signer["signature_type"]]
        yield "Signer", ", ".join(each for each in about if each)
    if owner := facts["signed_by"]:
        yield "Signed", f"{facts['signed_at']} by {owner['name']}, organization number {owner['organization_number']}"


@dataclass(frozen=True, slots=True)
class Place:
    """Which service is meant; one of three ways to say it."""

    official: Official | None
    sandbox: Path | None
    api_root: str | None
    trust_anchors: Path | None
    organization: str | None

    def environment(self) -> "Environment":
        from segl.sdk import Environment

        other = (self.api_root, self.trust_anchors, self.organization)
        if sum((self.official is not None, self.sandbox is not None, any(other))) != 1:
            fail("Say which service: --environment, --sandbox, or --api-root with --trust-anchors and --organization.")
        if self.official:
            return {
                Official.PRODUCTION: Environment.PRODUCTION,
                Official.DIFITEST: Environment.DIFITEST,
                Official.DIFIQA: Environment.DIFIQA,
            }[self.official]
        if self.sandbox:
            return Environment.sandbox(self.sandbox)
        if not (self.api_root and self.trust_anchors and self.organization):
            fail("--api-root, --trust-anchors and --organization belong together: give all three.")
        return Environment(self.api_root, self.trust_anchors, self.organization)

    def certificate(self, sender: str | None) -> "ClientCertificate":
        """The sandbox's own certificate for a sender."""
        from segl.sdk import ClientConfiguration

        if not (self.sandbox and sender):
            fail(
                "Say which certificate is yours: --pkcs12, or --certificate with --private-key; for one of a sandbox's "
                "own organizations, --sandbox and --sender are enough."
            )
        return ClientConfiguration.sandbox(self.sandbox, sender).certificate


@dataclass(frozen=True, slots=True)
class Mine:
    """The certificate that is meant: in one file or two, or one of the sandbox's own."""

    pkcs12: Path | None
    certificate: Path | None
    private_key: Path | None
    password_file: Path | None

    def files(self) -> "CertificateFiles | None":
        """The files with their password; None when the sandbox has them."""
        from segl.diagnosis.doctor import CertificateFiles

        match self.pkcs12, self.certificate, self.private_key:
            case Path() as pkcs12, None, None:
                return CertificateFiles(pkcs12, password=_password(self.password_file, PASSWORD, asked=True))
            case None, Path() as certificate, Path() as key:
                encrypted = _is_encrypted(key)
                password = _password(self.password_file, PASSWORD, asked=encrypted)
                if encrypted and password is None:
                    fail(f"{key} is encrypted: give its password with --password-file or {PASSWORD}.")
                return CertificateFiles(certificate, key, password)
            case None, None, None:
                pass
            case _:
                fail("Give your certificate as --pkcs12, or as --certificate with --private-key.")
        return None


def _is_encrypted(private_key: Path) -> bool:
    try:
        return b"ENCRYPTED" in private_key.read_bytes()
    except OSError:
        return False  # which the examination tells


def _proxy(url: str | None, user: str | None, password_file: Path | None) -> "Proxy | None":
    from segl.sdk import Proxy

    if url is None:
        return None
    return Proxy(url, user, _password(password_file, PROXY_PASSWORD, asked=True) if user else None)


def _password(file: Path | None, variable: str, *, asked: bool) -> str | None:
    """From the file, the environment variable, or the person at the terminal; never an argument, which others see."""
    if file:
        return file_content(file).decode(errors="replace").rstrip("\r\n")
    if (password := os.environ.get(variable)) is not None:
        return password
    if asked and _at_terminal():
        return str(typer.prompt(f"Password ({variable})", hide_input=True, default="", show_default=False, err=True))
    return None


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _tell(findings: "Sequence[Finding]", api_root: str, *, as_json: bool) -> None:
    if as_json:
        passed, now = all_well(findings), datetime.now(UTC).isoformat()
        told = {"passed": passed, "checked_at": now, "api_root": api_root, "checks": findings_told(findings)}
        print_json(told, mask=True)
        return
    to = console()
    to.print(safe(api_root), style="bold")
    print_findings(to, findings)
