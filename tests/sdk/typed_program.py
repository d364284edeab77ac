"""A user's program for `test_types.py`: every public call with right types, and with wrong ones.

It is type-checked, never run. What must not pass is marked with the error that mypy has to find there: strict mypy
complains of each mark without its error, and of each error without a mark.
"""

import asyncio
import os
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

import httpx
from cryptography import x509

from segl import sdk


def configurations() -> sdk.ClientConfiguration:
    environment = sdk.Environment("https://api.example.org/api", b"PEM", "984661185", keeps_idempotency_keys=True)
    assert_type(environment.anchors(), tuple[x509.Certificate, ...])
    assert_type(sdk.Environment.PRODUCTION, sdk.Environment)
    assert_type(sdk.Environment.DIFITEST, sdk.Environment)
    assert_type(sdk.Environment.DIFIQA, sdk.Environment)
    assert_type(sdk.Environment.sandbox(Path("ready.json")), sdk.Environment)
    sdk.Environment("https://api.example.org/api", "root.pem", 984661185)  # type: ignore[arg-type]
    sdk.Environment("https://api.example.org/api", "root.pem", "984661185", True)  # type: ignore[call-arg]

    certificate = sdk.ClientCertificate.from_pkcs12("certificate.p12", "password")
    assert_type(certificate, sdk.ClientCertificate)
    assert_type(sdk.ClientCertificate.from_pem(Path("certificate.pem"), b"PEM", None), sdk.ClientCertificate)
    sdk.ClientCertificate.from_pkcs12("certificate.p12", b"password")  # type: ignore[arg-type]
    sdk.ClientCertificate.from_pem("certificate.pem")  # type: ignore[call-arg]

    sdk.ClientConfiguration.sandbox("ready.json", 123456789)  # type: ignore[arg-type]
    sdk.ClientConfiguration(environment, "certificate.p12")  # type: ignore[arg-type]
    sdk.ClientConfiguration(environment, certificate, timeouts=30)  # type: ignore[arg-type]
    sdk.ClientConfiguration(environment, certificate, proxy="http://proxy:3128")  # type: ignore[arg-type]
    sdk.ClientConfiguration(environment, certificate, retries="2")  # type: ignore[arg-type]
    sdk.ClientConfiguration(environment, certificate, see_package=lambda job: None)  # type: ignore[arg-type, misc]
    sdk.Timeouts(connect="10")  # type: ignore[arg-type]
    sdk.Proxy("http://proxy:3128", user=b"segl")  # type: ignore[arg-type]
    assert_type(sdk.ClientConfiguration.sandbox("ready.json", "123456789"), sdk.ClientConfiguration)
    return sdk.ClientConfiguration(
        environment,
        certificate,
        sdk.Sender("123456789", sdk.PollingQueue("queue")),
        sdk.Timeouts(connect=5, call=30.5, download=60),
        proxy=sdk.Proxy("http://proxy:3128", "user", "password"),
        retries=3,
        calls_per_second=None,
        connections=4,
        user_agent_suffix="archive/1.2",
        see_package=kept,
        auth=httpx.BasicAuth("user", "password"),
    )


def kept(job: sdk.Job, package: bytes) -> None:
    Path(job.reference or "package").with_suffix(".asice").write_bytes(package)


def jobs() -> sdk.Job:
    document = sdk.Document("Contract", "Please sign.", sdk.FileType.PDF, "contract.pdf")
    text = sdk.Document("Terms", None, sdk.FileType.TXT, b"Be kind.")
    assert_type(document.read(), bytes)
    assert_type(document.file_name, str)
    assert_type(document.numbered_file_name(2), str)
    sdk.Document("Contract", "Please sign.", "application/pdf", "contract.pdf")  # type: ignore[arg-type]
    sdk.Document("Contract", "Please sign.", sdk.FileType.PDF, 7)  # type: ignore[arg-type]
    sdk.Document("Contract", sdk.FileType.PDF, "contract.pdf")  # type: ignore[call-arg]

    number = sdk.PersonalIdentificationNumber("01017012345")
    kari = sdk.Signer(
        number,
        sdk.Notifications(sdk.Email("kari@example.com"), sdk.Sms("99999999")),
        signature_type=sdk.SignatureType.ADVANCED_SIGNATURE,
        on_behalf_of=sdk.OnBehalfOf.SELF,
        order=1,
    )
    ola = sdk.Signer(sdk.ContactInformation(email=sdk.Email("ola@example.com")))
    looked_up = sdk.Signer(number, sdk.NotificationsUsingLookup(sms=True))
    sdk.PersonalIdentificationNumber(1017012345)  # type: ignore[arg-type]
    sdk.Notifications("kari@example.com")  # type: ignore[arg-type]
    sdk.ContactInformation(sms="99999999")  # type: ignore[arg-type]
    sdk.Signer("01017012345")  # type: ignore[arg-type]
    sdk.Signer(number, sdk.Email("kari@example.com"))  # type: ignore[arg-type]
    sdk.Signer(number, order="1")  # type: ignore[arg-type]
    sdk.Signer(number, signature_type="ADVANCED")  # type: ignore[arg-type]

    sdk.Job(document, ola)  # type: ignore[arg-type]
    sdk.Job(document, [ola], title=7)  # type: ignore[arg-type]
    sdk.Job(document, [ola], available=3600)  # type: ignore[arg-type]
    sdk.Job(document, [ola], authentication_level=4)  # type: ignore[arg-type]
    sdk.Job(document, [ola], sender="123456789")  # type: ignore[arg-type]
    sdk.Sender("123456789", "queue")  # type: ignore[arg-type]
    job = sdk.Job(
        [document, text],
        [kari, ola, looked_up],
        "reference",
        title="Contract",
        description="Please sign both.",
        non_sensitive_title="A contract",
        authentication_level=sdk.AuthenticationLevel.FOUR,
        activation_time=datetime.now(UTC),
        available=timedelta(days=14),
        identifier_in_signed_documents=sdk.IdentifierInSignedDocuments.NAME,
        sender=sdk.Sender("123456789"),
    )
    assert_type(sdk.FileType.PDF.suffix, str)
    assert_type(job.documents, tuple[sdk.Document, ...])
    assert_type(job.file_names, tuple[str, ...])
    job.reference = "another"  # type: ignore[misc]
    return job


def calls(client: sdk.PortalClient) -> None:
    response = client.create(jobs())
    assert_type(response, sdk.JobResponse)
    assert_type(response.signature_job_id, int)
    assert_type(response.reference, str | None)
    assert_type(client.who_am_i(), str)
    change = client.get_status_change(sdk.Sender("123456789"))
    assert_type(change, sdk.JobStatusChange)
    client.cancel(response.cancellation_reference)
    client.confirm(change.confirmation_reference)
    client.delete_documents(change.delete_documents_reference)
    client.handle_status_changes(handler, sdk.Sender("123456789"), stop=threading.Event())
    downloads(client.get_pades(change.pades_reference), client.get_xades(change.signatures[0].xades_reference))
    client.close()
    with sdk.PortalClient(configurations()) as opened:
        assert_type(opened, sdk.PortalClient)

    sdk.PortalClient(sdk.Environment.PRODUCTION)  # type: ignore[arg-type]
    client.create(sdk.FileType.PDF)  # type: ignore[arg-type]
    client.who_am_i("123456789")  # type: ignore[arg-type]
    client.get_status_change("queue")  # type: ignore[arg-type]
    client.confirm(change.cancellation_reference)  # type: ignore[arg-type]
    client.cancel(change.confirmation_reference)  # type: ignore[arg-type]
    client.cancel(response)  # type: ignore[arg-type]
    client.delete_documents("https://api.example.org/api/7")  # type: ignore[arg-type]
    client.get_pades(change.signatures[0].xades_reference)  # type: ignore[arg-type]
    client.get_xades(change.pades_reference)  # type: ignore[arg-type]
    client.handle_status_changes(handler, stop=asyncio.Event())  # type: ignore[arg-type]
    client.handle_status_changes(jobs)  # type: ignore[arg-type]


def handler(change: sdk.JobStatusChange) -> None:
    assert_type(change.status, sdk.JobStatus | str)
    assert_type(change.signature_job_id, int | None)
    assert_type(change.reference, str | None)
    assert_type(change.cancellable, bool)
    assert_type(change.pades_available, bool)
    assert_type(change.documents_deletable, bool)
    assert_type(change.next_permitted_poll_time, datetime)
    assert_type(change.seconds_until_next_poll, float)
    assert_type(change.cancellation_reference, sdk.CancellationReference)
    assert_type(change.confirmation_reference, sdk.ConfirmationReference)
    assert_type(change.delete_documents_reference, sdk.DeleteDocumentsReference)
    assert_type(change.pades_reference, sdk.PadesReference)
    for signature in change.signatures:
        assert_type(signature, sdk.Signature)
        assert_type(signature.signer, sdk.PersonalIdentificationNumber | sdk.ContactInformation | None)
        assert_type(signature.status, sdk.SignatureStatus | str)
        assert_type(signature.since, datetime)
        assert_type(signature.xades_reference, sdk.XadesReference)
    assert_type(change.signature_for(sdk.PersonalIdentificationNumber("01017012345")), sdk.Signature)
    change.signature_for("01017012345")  # type: ignore[arg-type]
    print(change.signature_job_id + 1)  # type: ignore[operator]
    print(change.pades_reference.path)  # type: ignore[attr-defined]


def downloads(pades: sdk.Download, xades: sdk.Download) -> None:
    assert_type(pades.read(), bytes)
    assert_type(xades.save("xades.xml"), Path)
    assert_type(iter(pades), Iterator[bytes])
    pades.save(b"signed.pdf")  # type: ignore[arg-type]
    os.fsencode(pades)  # type: ignore[arg-type]


async def awaited(client: sdk.AsyncPortalClient) -> None:
    response = await client.create(jobs())
    assert_type(response, sdk.JobResponse)
    assert_type(await client.who_am_i(), str)
    change = await client.get_status_change(sdk.Sender("123456789"))
    assert_type(change, sdk.JobStatusChange)
    await client.cancel(response.cancellation_reference)
    await client.confirm(change.confirmation_reference)
    await client.delete_documents(change.delete_documents_reference)
    await client.handle_status_changes(told_async, sdk.Sender("123456789"), stop=asyncio.Event())
    pades, xades = client.get_pades(change.pades_reference), client.get_xades(change.signatures[0].xades_reference)
    assert_type(pades, sdk.AsyncDownload)
    assert_type(await xades.read(), bytes)
    assert_type(await pades.save(Path("signed.pdf")), Path)
    assert_type(aiter(pades), AsyncIterator[bytes])
    await client.close()
    async with sdk.AsyncPortalClient(configurations()) as opened:
        assert_type(opened, sdk.AsyncPortalClient)

    print(client.create(jobs()).signature_job_id)  # type: ignore[attr-defined]
    await client.create([jobs()])  # type: ignore[arg-type]
    await client.who_am_i("123456789")  # type: ignore[arg-type]
    await client.get_status_change("queue")  # type: ignore[arg-type]
    await client.confirm(change)  # type: ignore[arg-type]
    await client.cancel(change)  # type: ignore[arg-type]
    await client.delete_documents(change)  # type: ignore[arg-type]
    await client.handle_status_changes(handler)  # type: ignore[arg-type]
    await client.handle_status_changes(told_async, stop=threading.Event())  # type: ignore[arg-type]
    client.get_pades(change)  # type: ignore[arg-type]
    client.get_xades(change)  # type: ignore[arg-type]
    await client.get_pades(change.pades_reference)  # type: ignore[misc]
    list(pades)  # type: ignore[call-overload]
    with sdk.AsyncPortalClient(configurations()):  # type: ignore[attr-defined]
        pass


async def told_async(change: sdk.JobStatusChange) -> None:
    handler(change)


def stored(response: sdk.JobResponse) -> None:
    text = sdk.to_json(response.cancellation_reference)
    assert_type(text, str)
    assert_type(sdk.from_json(text, sdk.CancellationReference), sdk.CancellationReference)
    sdk.from_json(text.encode(), sdk.CancellationReference)  # type: ignore[arg-type]
    sdk.from_json(text, "CancellationReference")  # type: ignore[arg-type]


def errors(client: sdk.PortalClient) -> None:
    try:
        client.who_am_i()
    except (sdk.BrokerNotAuthorizedError, sdk.JobNotCancellableError, sdk.RateLimitedError) as error:
        assert_type(error.status, int)
        assert_type(error.code, str | None)
        assert_type(error.message, str | None)
        assert_type(error.error_type, str | None)
        assert_type(error.request_id, str | None)
    except sdk.TooEagerPollingError as error:
        assert_type(error.next_permitted_poll_time, datetime)
        assert_type(error.seconds_until_next_poll, float)
    except sdk.UnexpectedResponseError as error:
        print(error.next_permitted_poll_time)  # type: ignore[attr-defined]
    except (sdk.NotReachedError, sdk.UntrustedServerError, sdk.ClientCertificateError) as error:
        no_answer: sdk.NoAnswerError = error
        tls: ssl.SSLError = error  # type: ignore[assignment]
        print(no_answer, tls)
    except (sdk.NotAvailableError, sdk.ForeignUrlError) as error:
        client_error: sdk.ClientError = error
        print(client_error)
    except (sdk.InvalidDocument, sdk.InvalidInput) as error:
        root: sdk.SeglError = error
        print(root)
