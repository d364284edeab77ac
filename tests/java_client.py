"""The official Java client, unmodified, in a Java program (`interop/java`) that makes the calls it receives.

The program reads a call as a line of JSON and writes its answer as one. It keeps the client's own objects, so that a
status change that is confirmed here is the object that the client created.
"""

import fcntl
import json
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from running_sandbox import Sandbox

PROJECT = Path(__file__).parent / "interop" / "java"
_CLASS_PATH = PROJECT / "target" / "class-path"
_BUILD = ["mvn", "--batch-mode", "--quiet", "compile", "dependency:build-classpath", f"-Dmdep.outputFile={_CLASS_PATH}"]


class JavaClientError(Exception):
    """An exception of the Java client: the name of its class, and the messages of it and its causes.

    Status, code, the service's message and type are those of an UnexpectedResponseException.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error['kind']}: {error['message']}")
        self.kind = str(error["kind"])
        self.message = str(error["message"])
        self.answer = (error.get("status"), error.get("code"), error.get("service_message"), error.get("type"))


@dataclass(frozen=True, slots=True)
class Signature:
    """One signer in a status change; `signer` is the identity number, for signers who are addressed by it."""

    signer: str | None
    status: str
    since: datetime
    xades_available: bool


@dataclass(frozen=True, slots=True)
class CreatedJob:
    """A job that was created; `kept` is the number of the client's object in the Java program."""

    kept: int
    job_id: int
    reference: str | None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A status change; NO_CHANGES if there is none, with only the time of the next permitted poll."""

    kept: int
    status: str
    next_permitted_poll_time: datetime
    job_id: int | None = None
    reference: str | None = None
    pades_available: bool = False
    cancellable: bool = False
    deletable: bool = False
    signatures: tuple[Signature, ...] = ()

    @property
    def statuses(self) -> list[str]:
        """The signers' statuses in order."""
        return [each.status for each in self.signatures]


class JavaProgram:
    """The running program."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def call(self, call: str, **values: Any) -> Any:
        """Return the program's answer.

        Raises:
            JavaClientError: The client threw an exception.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"call": call, **values}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the Java program has ended"
        answer = json.loads(line)
        if "error" in answer:
            raise JavaClientError(answer["error"])
        return answer["answer"]


class JavaClient:
    """A `PortalClient` of the Java client, configured as one organization of a sandbox.

    It expects the official service's organization number of the server, which the sandbox's has too.
    """

    def __init__(
        self,
        program: JavaProgram,
        sandbox: Sandbox,
        organization: str,
        *,
        sender: Mapping[str, str] | None = None,
        server_organization_number: str | None = None,
        trusting: Sandbox | None = None,
    ) -> None:
        [files] = [each for each in sandbox.ready["organizations"] if each["number"] == organization]
        connection = {
            "api_root": sandbox.ready["api_root"],
            "pkcs12": files["pkcs12"],
            "password": files["password"],
            "trust_anchors": str(_trust_folder(trusting or sandbox)),
            "server_organization_number": server_organization_number,
            "default_sender": sender or {"organization_number": organization},
        }
        self._program = program
        self._client = program.call("connect", connection=connection)["kept"]

    def create(self, signers: Sequence[Mapping[str, Any]], **job: Any) -> CreatedJob:
        """Send a job; `documents` of it are title, content in bytes and, optionally, type."""
        documents = [{**each, "content": b64encode(each["content"]).decode()} for each in job.pop("documents")]
        answer = self._call("create", job={"documents": documents, "signers": signers, **job})
        return CreatedJob(answer["kept"], answer["values"]["signature_job_id"], answer["values"]["reference"])

    def get_status_change(self, sender: Mapping[str, str] | None = None) -> StatusChange:
        answer = self._call("get_status_change", sender=sender)
        values = answer["values"]
        return StatusChange(
            kept=answer["kept"],
            status=values["status"],
            next_permitted_poll_time=datetime.fromisoformat(values["next_permitted_poll_time"]),
            job_id=values.get("signature_job_id"),
            reference=values.get("reference"),
            pades_available=values.get("pades_available", False),
            cancellable=values.get("cancellable", False),
            deletable=values.get("deletable", False),
            signatures=tuple(
                Signature(**{**each, "since": datetime.fromisoformat(each["since"])})
                for each in values.get("signatures", ())
            ),
        )

    def confirm(self, change: StatusChange) -> None:
        self._call("confirm", kept=change.kept)

    def cancel(self, cancellable: CreatedJob | StatusChange) -> None:
        self._call("cancel", kept=cancellable.kept)

    def get_xades(self, change: StatusChange, signer: Mapping[str, Any]) -> bytes:
        """The XAdES of the signer, who is found in the status change as one identified them in the job."""
        return _whole(self._call("get_xades", kept=change.kept, signer=signer))

    def get_pades(self, change: StatusChange) -> bytes:
        return _whole(self._call("get_pades", kept=change.kept))

    def delete_documents(self, change: StatusChange) -> None:
        self._call("delete_documents", kept=change.kept)

    def _call(self, call: str, **values: Any) -> Any:
        return self._program.call(call, client=self._client, **values)


def _trust_folder(sandbox: Sandbox) -> Path:
    """A folder with the sandbox's root certificate alone: the client takes all files of a folder for certificates."""
    folder = sandbox.folder / "java-trust"
    folder.mkdir(exist_ok=True)
    shutil.copy(sandbox.ready["server"]["trust_anchors"], folder)
    return folder


def _whole(answer: Mapping[str, Any]) -> bytes:
    content = b64decode(answer["content"])
    assert answer["content_length"] == len(content)
    return content


@contextmanager
def running_java_program() -> Iterator[JavaProgram]:
    """The program, compiled when its sources are newer, until the block ends."""
    _build()
    command = ["java", "-cp", f"{PROJECT}/target/classes:{_CLASS_PATH.read_text()}", "segl.interop.Main"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield JavaProgram(process)
        finally:
            process.terminate()


def _build() -> None:
    """Compile, and find the libraries: from Maven's local repository when they are all there, else from Central."""
    _CLASS_PATH.parent.mkdir(exist_ok=True)
    with (PROJECT / "target" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # against another process of the same test run
        if not _is_built():
            built = subprocess.run([*_BUILD, "--offline"], cwd=PROJECT, capture_output=True, check=False)
            if built.returncode:
                subprocess.run(_BUILD, cwd=PROJECT, check=True)
            _CLASS_PATH.touch()  # Maven leaves it as it is when the libraries are the same


def _is_built() -> bool:
    sources = [PROJECT / "pom.xml", *PROJECT.rglob("*.java")]
    return (
        _CLASS_PATH.exists()
        and all(each.stat().st_mtime < _CLASS_PATH.stat().st_mtime for each in sources)
        and all(Path(each).exists() for each in _CLASS_PATH.read_text().split(":"))
    )
