"""The commands that say what is wrong and how to fix it: `segl doctor` for a set-up, `segl explain` for a package."""

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
    findings_for_json,
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
_MOST_BYTES = 64 * 1024 * 1024  # several times what the service accepts; more would only fill the memory

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
    environment: Annotated[
        Official | None,
        typer.Option(metavar="NAME", help=f"The official service: {', '.join(Official)}."),
    ] = None,
    sandbox: Annotated[
        Path | None, typer.Option(metavar="READY_FILE", help="A sandbox, by the ready file it wrote.")
    ] = None,
    api_root: Annotated[str | None, typer.Option(metavar="URL", help="Another service: its API root.")] = None,
    trust_anchors: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Another service: the roots of its server's certificate.")
    ] = None,
    organization: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Another service: the organization that its server belongs to.")
    ] = None,
    pkcs12: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your organization certificate with its private key.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Instead: your organization certificate and its chain.")
    ] = None,
    private_key: Annotated[Path | None, typer.Option(metavar="PEM", help="Its private key.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"A file with their password; or set {PASSWORD}.")
    ] = None,
    sender: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="The organization you send for; by default your own.")
    ] = None,
    proxy: Annotated[str | None, typer.Option(metavar="URL", help="An HTTP proxy that calls go through.")] = None,
    proxy_user: Annotated[str | None, typer.Option(metavar="NAME", help="Your user name at the proxy.")] = None,
    proxy_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"A file with the proxy's password; or set {PROXY_PASSWORD}.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find out what is wrong with your set-up and how to fix it: certificate, proxy, network, service, clock.

    Exits with 0 if all is well, 1 if something is wrong, 2 if the command was used incorrectly.
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
    _print(findings, service.api_root, as_json=as_json)
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
    """Describe a document package or a whole create request, and list each rule of the API that it breaks.

    Exits with 0 if it breaks none, 1 if it breaks some, 2 if it could not be read.
    """
    from segl.core.errors import InvalidInput
    from segl.core.pades import fonts
    from segl.diagnosis import explaining

    trust_anchors = trusted(trust) if trust else None
    around = explaining.Surroundings(
        trust_anchors, _moment(at), sector, _page_counter(), lambda title: fonts.named(fonts.missing(title))
    )
    try:
        found = explaining.explain(file_content(file, most=_MOST_BYTES), around)
    except InvalidInput as error:
        fail(f"{file}: {error}")
    if as_json:
        passed, checks = all_well(found.findings), findings_for_json(found.findings)
        print_json({"passed": passed, "file": str(file), **found.to_dict(), "checks": checks}, mask=True)
    else:
        _print_package(file, found.to_dict())
        print_findings(console(), found.findings)
    raise typer.Exit(0 if all_well(found.findings) else 1)


def _page_counter() -> "Callable[[str, str, memoryview], int] | None":
    """Return the service's way of counting pages, or None if the service is not installed."""
    try:
        from segl.service import rendering
    except ModuleNotFoundError:  # also on Windows, which cannot fork processes
        return None

    from segl.sdk import FileType

    def count(name: str, media_type: str, content: memoryview) -> int:
        if media_type == FileType.TXT:
            content = memoryview(rendering.typeset_texts({name: content})[name])
        [inspected] = rendering.inspect({name: content})
        return inspected.facts.pages

    return count


def _moment(text: str | None) -> datetime | None:
    from segl.core.xml import parse_date_time

    try:
        return parse_date_time(text) if text else None
    except ValueError as error:
        fail(f"--at {text} {error}.")


def _print_package(file: Path, facts: "Mapping[str, Any]") -> None:
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
    """The service to check, named in one of three ways."""

    official: Official | None
    sandbox: Path | None
    api_root: str | None
    trust_anchors: Path | None
    organization: str | None

    def environment(self) -> "Environment":
        from segl.sdk import Environment

        other = (self.api_root, self.trust_anchors, self.organization)
        named = sum((self.official is not None, self.sandbox is not None, any(other)))
        if named != 1:
            fail(
                f"{'Name only one' if named else 'Say which'} service: --environment, --sandbox, or --api-root with "
                "--trust-anchors and --organization."
            )
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
        """Return the sandbox's certificate for one of its organizations."""
        from segl.sdk import ClientConfiguration

        if not (self.sandbox and sender):
            fail(
                "Say which certificate is yours: --pkcs12, or --certificate with --private-key; for one of a sandbox's "
                "own organizations, --sandbox and --sender are enough."
            )
        return ClientConfiguration.sandbox(self.sandbox, sender).certificate


@dataclass(frozen=True, slots=True)
class Mine:
    """The certificate to check: in one file or two, or one that the sandbox has."""

    pkcs12: Path | None
    certificate: Path | None
    private_key: Path | None
    password_file: Path | None

    def files(self) -> "CertificateFiles | None":
        """Return the files with their password, or None if none were named: then the sandbox has them."""
        from segl.diagnosis.doctor import CertificateFiles

        match self.pkcs12, self.certificate, self.private_key:
            case Path() as pkcs12, None, None:
                return CertificateFiles(pkcs12, password=_password(self.password_file, PASSWORD, prompt=True))
            case None, Path() as certificate, Path() as key:
                encrypted = _is_encrypted(key)
                password = _password(self.password_file, PASSWORD, prompt=encrypted)
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
        return False  # the examination reports this


def _proxy(url: str | None, user: str | None, password_file: Path | None) -> "Proxy | None":
    from segl.sdk import Proxy

    if url is None:
        return None
    return Proxy(url, user, _password(password_file, PROXY_PASSWORD, prompt=True) if user else None)


def _password(file: Path | None, variable: str, *, prompt: bool) -> str | None:
    """From the file, the environment variable, or a prompt at the terminal; never an argument, which others can see."""
    if file:
        return file_content(file).decode(errors="replace").rstrip("\r\n")
    if (password := os.environ.get(variable)) is not None:
        return password
    if prompt and _at_terminal():
        return str(typer.prompt(f"Password ({variable})", hide_input=True, default="", show_default=False, err=True))
    return None


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _print(findings: "Sequence[Finding]", api_root: str, *, as_json: bool) -> None:
    if as_json:
        passed, now = all_well(findings), datetime.now(UTC).isoformat()
        report = {"passed": passed, "checked_at": now, "api_root": api_root, "checks": findings_for_json(findings)}
        print_json(report, mask=True)
        return
    to = console()
    to.print(safe(api_root), style="bold")
    print_findings(to, findings)
