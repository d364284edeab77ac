"""What a program sends: jobs."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta

from segl.core.errors import InvalidInput
from segl.core.protocol import LONGEST_AVAILABLE, AuthenticationLevel, IdentifierInSignedDocuments, Signer
from segl.core.type_checks import check_kind
from segl.sdk.documents import Document, file_names
from segl.sdk.senders import Sender


@dataclass(frozen=True, slots=True)
class Job:
    """Documents for signers to sign: one `Document`, or a list of them.

    reference:
        The sender's own, at most 50 characters; it comes back with each status change.
    title:
        1–80 characters; needed for several documents. By default the title of the single document.
    description:
        Shown to the signers, at most 220 characters. By default the message of the single document.
    non_sensitive_title:
        The job's name in mails and SMS, 1–80 characters; by default a general text.
    authentication_level:
        The least security level of the eID that signers log in with.
    activation_time:
        From when it can be signed (aware; kept in UTC); by default at once.
    available:
        How long each group of signers has, at most 90 days; by default the service's 30 days.
    identifier_in_signed_documents:
        How the signed documents name the signers.
    sender:
        Instead of the configuration's.
    """

    document: Document | Sequence[Document]
    signers: Sequence[Signer]
    reference: str | None = None
    _: KW_ONLY
    title: str | None = None
    description: str | None = None
    non_sensitive_title: str | None = None
    authentication_level: AuthenticationLevel | None = None
    activation_time: datetime | None = None
    available: timedelta | None = None
    identifier_in_signed_documents: IdentifierInSignedDocuments | None = None
    sender: Sender | None = None

    def __post_init__(self) -> None:
        check_kind("Job.document", self.document, (Document, list, tuple), write="Document(…) or a list of them")
        for document in self.documents:
            check_kind("One of Job.document", document, Document, write="Document(…)")
        check_kind("Job.signers", self.signers, (list, tuple), write="a list, [Signer(…), …]")
        for signer in self.signers:
            check_kind("One of Job.signers", signer, Signer, write="Signer(…)", secret=True)
        for name, kind, write in _OPTIONAL:
            if (value := getattr(self, name)) is not None:
                check_kind(f"Job.{name}", value, kind, write=write)
        self._check_texts()
        self._check_times()
        for number, signer in enumerate(self.signers, 1):
            _check_reachable(number, signer)
        # So that jobs with the same content are equal and have the same hash, also after to_json and from_json.
        object.__setattr__(self, "signers", tuple(self.signers))
        if not isinstance(self.document, Document):
            object.__setattr__(self, "document", tuple(self.document))
        if self.activation_time is not None:
            object.__setattr__(self, "activation_time", _in_utc(self.activation_time))

    def _check_texts(self) -> None:
        if not self.documents:
            raise InvalidInput("A job needs at least one document: Job(Document(…), …).")
        if self.title is None and len(self.documents) != 1:
            raise InvalidInput(f"A job with {len(self.documents)} documents needs a title: Job(…, title=…).")
        messages = [each.message for each in self.documents if each.message]
        if messages and (self.description is not None or len(self.documents) > 1):
            raise InvalidInput(
                "A job has one description, which all its signers read: give Job(…, description=…), and None as the "
                "message of each document."
            )

    def _check_times(self) -> None:
        if self.activation_time is not None and self.activation_time.utcoffset() is None:
            raise InvalidInput(f"Job.activation_time is {self.activation_time}, without a time zone; give it one.")
        if self.available is None:
            return
        if self.available % timedelta(seconds=1):
            raise InvalidInput(f"Job.available is {self.available}; give whole seconds.")
        if not timedelta() <= self.available <= LONGEST_AVAILABLE:
            raise InvalidInput(f"Job.available is {self.available}; give from 0 to {LONGEST_AVAILABLE.days} days.")

    @property
    def documents(self) -> tuple[Document, ...]:
        """The documents in their order, also if there is only one."""
        return (self.document,) if isinstance(self.document, Document) else tuple(self.document)

    @property
    def file_names(self) -> tuple[str, ...]:
        """The files' names in signatures; they differ by more than case."""
        return file_names(self.documents)


def _check_reachable(number: int, signer: Signer) -> None:
    """Raise InvalidInput if the signer cannot be notified of the job, as far as that is known here."""
    from segl.core.terms import contact_of, notification_refusals  # a program that sends no jobs never loads it

    for refusal in notification_refusals(number, signer):
        raise InvalidInput(refusal.sentence)
    contact = contact_of(signer)
    if contact and contact.email and not contact.email.address.strip():
        raise InvalidInput(f"The e-mail address of signer {number} is empty: give one, or leave email out.")


def _in_utc(activation_time: datetime) -> datetime:
    """Return the same moment in UTC: XML, unlike datetime, has no offsets with seconds or over 14 hours."""
    try:
        return activation_time.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"Job.activation_time is {activation_time}; give a time that exists in UTC too.") from None


_OPTIONAL: tuple[tuple[str, type, str], ...] = (
    ("reference", str, "a text (str)"),
    ("title", str, "a text (str)"),
    ("description", str, "a text (str)"),
    ("non_sensitive_title", str, "a text (str)"),
    ("authentication_level", AuthenticationLevel, "AuthenticationLevel.FOUR"),
    ("activation_time", datetime, "a datetime with a time zone"),
    ("available", timedelta, "a timedelta"),
    ("identifier_in_signed_documents", IdentifierInSignedDocuments, "IdentifierInSignedDocuments.NAME"),
    ("sender", Sender, 'Sender("…")'),
)
