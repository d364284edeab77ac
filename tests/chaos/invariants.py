"""What must hold when all is well again: nothing lost, nothing twice, nothing stuck, nothing left behind."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaos.load import BORN, Load
from chaos.service import Service
from segl.core import pades
from segl.core.certificates import TrustAnchors
from segl.core.verification import Verdict
from segl.sdk import Document, FileType, JobStatus, PortalClient

DUE = ("notification", "lookup", "signing", "sealing", "status_change")
MOST_DESCRIPTORS = 120
"""Of a process that has nothing to do."""


def stuck(service: Service) -> list[str]:
    """What is still to be done, in words; a status change is stuck when it was not confirmed."""
    return [
        f"{table} {key} is due at {due_at}, parked at {parked_at}: {error}"
        for table in DUE
        for key, due_at, parked_at, error in service.rows(
            f"SELECT {_key(table)}, due_at, parked_at, last_error FROM {table} WHERE due_at IS NOT NULL"
        )
    ]


def _key(table: str) -> str:
    return {"lookup": "signer_id", "status_change": "job_id"}.get(table, "id")


def violations(service: Service, load: Load) -> Iterator[str]:
    """Each thing that is wrong, as a sentence."""
    yield from load.record.wrong
    yield from stuck(service)
    yield from _jobs(service, load)
    yield from _results(service, load)
    yield from _left_behind(service)
    yield from _logs(service)


def _jobs(service: Service, load: Load) -> Iterator[str]:
    rows = service.rows("SELECT reference, id, status FROM job WHERE reference LIKE '%-%'")
    counted = Counter(reference for reference, _, _ in rows)
    yield from (f"the job {reference} exists {count} times" for reference, count in counted.items() if count > 1)
    states = {reference: (key, status) for reference, key, status in rows}
    for job in load.record.jobs.values():
        if not job.is_certain:
            continue
        key, status = states.get(job.reference, (None, "lost"))
        if status != job.outcome:
            yield f"the job {job.reference} ({key}) is {status}, not {job.outcome}"
        if key not in load.record.ended:
            yield f"the end of the job {job.reference} ({key}) was never reported to its sender"


def _results(service: Service, load: Load) -> Iterator[str]:
    """Every completed job's documents, downloaded and verified as their sender would."""
    trust = TrustAnchors.from_pem(service.operator.pki.trust_anchors.read_bytes())
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for change in load.record.ended.values():
        job = load.record.jobs[change.reference]
        if change.status is not JobStatus.COMPLETED_SUCCESSFULLY:
            continue
        with PortalClient(service.client(job.sender, service.api_roots[0])) as client:
            sealed = client.get_pades(change.pades_reference).read()
            xades = {client.get_xades(each.xades_reference).read() for each in change.signatures}
        reports = pades.verify(sealed, trust=trust, documents=_originals(job.document), at=tomorrow)
        if [each.kind for each in reports] != ["PAdES", *["XAdES"] * len(job.people)]:
            yield f"the sealed PDF of {job.reference} has the signatures {[each.kind for each in reports]}"
        yield from (f"{job.reference}: {each}" for each in reports if each.verdict is not Verdict.PASSED)
        if len(xades) != len(job.people):
            yield f"{job.reference} has {len(xades)} XAdES signatures for {len(job.people)} people"


def _originals(document: Document) -> dict[str, bytes]:
    name = f"{document.title}.txt" if document.file_type is FileType.TXT else f"{document.title}.pdf"
    return {Path(document.file).name if isinstance(document.file, str) else name: document.read()}


def _left_behind(service: Service) -> Iterator[str]:
    named = {name for (name,) in service.rows("SELECT stored_name FROM document")}
    stored = {path.name for path in (service.disk.seen / "documents").iterdir()}
    yield from (f"the document {each} is lost" for each in sorted(named - stored))
    temporary = [path.name for path in (service.disk.seen / "temporary").iterdir()]
    if temporary:
        yield f"temporary files were left: {temporary}"
    for process in service.processes:
        count = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        if count > MOST_DESCRIPTORS:
            yield f"{process.name} has {count} open files"


def _logs(service: Service) -> Iterator[str]:
    for process in service.processes:
        text = "\n".join(process.log)
        for found in re.findall(r"Traceback \(most recent call last\)|(?:request|page) failed: .*", text)[:3]:
            yield f"{process.name} has in its log: {found}"
        for number in re.findall(rf"(?<!\d)(?:{'|'.join(BORN)})\d{{5}}(?!\d)", text)[:1]:
            yield f"{process.name} logged the identity number {number}"


def orphans(service: Service) -> int:
    """How many documents are stored without a row, as kills leave them; the hourly sweep removes them after a day."""
    named = {name for (name,) in service.rows("SELECT stored_name FROM document")}
    return len([path for path in Path(service.disk.seen / "documents").iterdir() if path.name not in named])
