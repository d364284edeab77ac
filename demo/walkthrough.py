"""Takes a PDF through signing by two people to a verified, sealed PDF.

Starts a sandbox, sends the PDF through the SDK over mutual TLS, shows the two signers where to sign, then fetches and
verifies the results. The sandbox is removed at the end.
"""

import argparse
import ctypes
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from segl.core.errors import SeglError
from segl.sandbox.testing.people import Lost, Person, mail_to, security_code
from segl.sdk import (
    ClientConfiguration,
    ContactInformation,
    Document,
    Email,
    FileType,
    Job,
    JobStatus,
    JobStatusChange,
    Notifications,
    PersonalIdentificationNumber,
    PortalClient,
    Signer,
)

HERE = Path(__file__).parent
SENDER = "123456789"
MESSAGE = "Les gjennom og signer."
RESULTS = {"signed.pdf", "xades-1.xml", "xades-2.xml", "verification.json", "trust.pem"}
SECONDS_TO_START = 30
SECONDS_FOR_PEOPLE = 90  # when they sign automatically; a person in the browser may take any time
LIBC, PR_SET_PDEATHSIG = ctypes.CDLL(None), 1


class DemoError(Exception):
    """The demo cannot go on; the message is for the person who runs it."""


KARI = Person("kari@example.com", "01017012345", "Kari Nordmann")
OLA = Person("ola@example.com", "02028012345", "Ola Hansen")


def main() -> int:
    arguments = _arguments()
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # for terminals that lack a character
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for how in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(how, lambda *_: sys.exit(1))  # so that everything is stopped on the way out
    try:
        with ExitStack() as stack:
            run(arguments.pdf, arguments.out, arguments.auto, stack)
    except (DemoError, Lost, SeglError, OSError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; the sandbox is gone, nothing is left running.", file=sys.stderr)
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Take a PDF through signing to a verified, sealed PDF.")
    parser.add_argument("--pdf", type=Path, default=HERE / "contract.pdf", help="the PDF to have signed")
    parser.add_argument("--out", type=Path, default=Path("demo-result"), help="the folder for the results")
    parser.add_argument("--auto", action="store_true", help="sign as the two people, in a separate process")
    return parser.parse_args()


def run(pdf: Path, out: Path, auto: bool, stack: ExitStack) -> None:
    """Run all steps."""
    if not pdf.is_file():
        raise DemoError(f"there is no file {pdf}; give the path of a PDF (make demo PDF=path).")
    check_folder(out)
    content = pdf.read_bytes()
    if b"%PDF-" not in content[:1024]:
        raise DemoError(f"{pdf} is not a PDF; give the path of one (make demo PDF=path).")
    ready_file = stack.enter_context(sandbox())
    ready = json.loads(ready_file.read_text())
    say(f"The sandbox accepts calls at {ready['api_root']}; its pages are at {ready['web_root']}")

    client = stack.enter_context(PortalClient(ClientConfiguration.sandbox(ready_file, SENDER)))
    job_id = create(client, Document(title_of(pdf), MESSAGE, FileType.PDF, pdf))
    say(f"Job {job_id} was created: {pdf.name} is waiting for {KARI.name} and {OLA.name}")
    show_links(ready["outbox"], by_hand=not auto)

    people = stack.enter_context(signing_people(ready["outbox"])) if auto else None
    change = wait_until_ended(client, people)
    if change.status is JobStatus.FAILED:
        client.confirm(change.confirmation_reference)
        say("Not everyone signed, so there is nothing to seal.")
        return
    results = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segl-demo-")))
    original = name_of_original(pdf)
    results.joinpath(original).write_bytes(content)
    fetch_results(client, change, results, Path(ready["server"]["trust_anchors"]))
    verify(results, original, shown_as=out)
    out.mkdir(parents=True, exist_ok=True)
    for result in results.iterdir():
        shutil.copyfile(result, out / result.name)
    client.confirm(change.confirmation_reference)
    say(f"The last status change is confirmed. The signed PDF: {out / 'signed.pdf'}")
    if not auto and sys.stdin.isatty():
        with suppress(EOFError, KeyboardInterrupt):
            input("▸ The pages are still up, to look around as the signers; press Enter to end the demo ... ")


def check_folder(out: Path) -> None:
    """Refuse a folder with files that are not the demo's: the results could overwrite them."""
    taken = [each for each in (out, *out.absolute().parents) if each.exists() and not each.is_dir()]
    if taken:
        raise DemoError(f"OUT={out}: {taken[0]} is a file; choose a folder.")
    if out.exists() and any(out.iterdir()) and not (out / "verification.json").exists():
        raise DemoError(f"OUT={out} has files that are not the demo's; choose a new folder.")
    there = next(each for each in (out, *out.absolute().parents) if each.exists())
    if not os.access(there, os.W_OK):
        raise DemoError(f"OUT={out} cannot be written to; choose another folder.")


@contextmanager
def sandbox() -> Iterator[Path]:
    """Run a sandbox in a temporary folder for as long as the demo runs; yield its ready file."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="segl-demo-", ignore_cleanup_errors=True) as folder:
        ready_file, log_file = Path(folder, "ready.json"), Path(folder, "log")
        command = [sys.executable, "-m", "segl", "sandbox", "--folder", folder, "--port", "0", "--web-port", "0"]
        with log_file.open("wb") as log, child([*command, "--ready-file", str(ready_file)], log) as process:
            while not ready_file.exists():
                if process.poll() is not None or time.monotonic() > started + SECONDS_TO_START:
                    raise DemoError(f"the sandbox did not start. {last_words(log_file)}")
                time.sleep(0.02)
            say(f"The sandbox started in {time.monotonic() - started:.1f} s")
            try:
                yield ready_file
            except DemoError as error:
                raise DemoError(f"{error} {last_words(log_file)}") from None


def last_words(log_file: Path) -> str:
    return f"The sandbox printed:\n{log_file.read_text(errors='replace')[-1500:]}"


@contextmanager
def child(command: list[str], output: Any = None) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that ends with the block, or when the demo is killed. Ctrl-C does not reach it directly."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - there are no threads
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def create(client: PortalClient, document: Document) -> int:
    """Send the PDF to two signers: Kari logs in with an eID, Ola gets a link and a security code by e-mail."""
    signers = [
        Signer(PersonalIdentificationNumber(KARI.number), Notifications(Email(KARI.address))),
        Signer(ContactInformation(email=Email(OLA.address))),
    ]
    return client.create(Job(document, signers, "demo")).signature_job_id


def title_of(pdf: Path) -> str:
    """Return the title that the signers see: the file's name, at most 80 characters."""
    name = " ".join(pdf.stem.replace("_", " ").split()) or "Document"
    return f"{name[0].upper()}{name[1:80]}"


def show_links(outbox: str, *, by_hand: bool) -> None:
    """Wait until both mails are sent, then show what each of the two would do."""
    kari, ola = mail_to(KARI, outbox), mail_to(OLA, outbox)
    say(f"Both were notified by e-mail; nothing leaves this machine, the mails are at {outbox}")
    print(f"    {KARI.name} opens {kari['links'][0]}")
    print(f"    {OLA.name} opens {ola['links'][0]} and enters the security code {security_code(ola)}")
    print(f"    The test eID accepts any identity; use {KARI.number} {KARI.name} and {OLA.number} {OLA.name}")
    if by_hand:
        print("    Open the second link in a private window, as two people would use two browsers")


@contextmanager
def signing_people(outbox: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that signs as the two people: it knows only where they get their mail and who they are."""
    people = [part for person in (KARI, OLA) for part in (person.address, person.number, person.name)]
    with child([sys.executable, str(HERE / "people.py"), outbox, *people]) as process:
        yield process


def wait_until_ended(client: PortalClient, people: "subprocess.Popen[bytes] | None") -> JobStatusChange:
    """Poll until both have signed or one has refused, confirming every change but the last."""
    say("Waiting for both to sign ..." if people else "Sign as both in the browser; Ctrl-C ends the demo ...")
    patience_ends = time.monotonic() + SECONDS_FOR_PEOPLE
    while True:
        change = client.get_status_change()
        if change.status is not JobStatus.NO_CHANGES:
            say(f"Job {change.signature_job_id} is {change.status}: {', '.join(s.status for s in change.signatures)}")
            if change.status is not JobStatus.IN_PROGRESS:
                return change
            client.confirm(change.confirmation_reference)
        if people and people.poll():
            raise DemoError("the people could not sign; see above.")
        if people and time.monotonic() > patience_ends:
            raise DemoError(f"the job was not completed in {SECONDS_FOR_PEOPLE} s.")
        time.sleep(change.seconds_until_next_poll)


def fetch_results(client: PortalClient, change: JobStatusChange, results: Path, trust: Path) -> None:
    """Fetch every XAdES and the PAdES, and add the trusted root."""
    for number, signature in enumerate(change.signatures, start=1):
        client.get_xades(signature.xades_reference).save(results / f"xades-{number}.xml")
    client.get_pades(change.pades_reference).save(results / "signed.pdf")
    shutil.copyfile(trust, results / "trust.pem")
    say("Fetched both XAdES and the signed PDF")


def name_of_original(pdf: Path) -> str:
    """Return the PDF's name among the results: its own name, unless a result has the same."""
    return f"original-{pdf.name}" if pdf.name in RESULTS else pdf.name


def verify(results: Path, original: str, *, shown_as: Path) -> None:
    """Verify everything with `segl verify`, as anyone can, and keep the findings."""
    signed = ["signed.pdf", "xades-1.xml", "xades-2.xml"]
    arguments = ["verify", "--trust", "trust.pem", f"--document={original}", *signed]
    say(f"In {shown_as}: segl {shlex.join(arguments)}")
    command = [sys.executable, "-m", "segl", *arguments]
    findings = subprocess.run([*command, "--json"], cwd=results, stdout=subprocess.PIPE, check=False)
    (results / "verification.json").write_bytes(findings.stdout)
    sys.stdout.flush()
    if subprocess.run(command, cwd=results, check=False).returncode or findings.returncode:
        raise DemoError("the results do not verify; see above.")


def say(text: str) -> None:
    print(f"▸ {text}", flush=True)
