"""The rows of the service. Words and states are those of the Signature API: job, signer, document, status change.

`Due` has the columns of every row that falls due: see `segl.service.due`, the only code that writes them.
"""

from datetime import datetime, timedelta

from django.db import models
from django.db.models.functions import Left

from segl.core.sector import Sector

IDENTITY_NUMBER_LENGTH = 11
ORGANIZATION_NUMBER_LENGTH = 9
INDEXED_CHARACTERS = 100
"""Of a text of any length: no database indexes all of it."""


class Clock(models.Model):
    """The business clock's distance from the wall clock; at most one row, read by `segl.service.clock`."""

    offset_microseconds = models.BigIntegerField(default=0)

    class Meta:
        db_table = "clock"


class Organization(models.Model):
    """An organization that may use the API, as sender or as broker."""

    number = models.CharField(primary_key=True, max_length=ORGANIZATION_NUMBER_LENGTH)
    name = models.CharField(max_length=200)
    sector = models.CharField(max_length=7, choices=[(each.value, each.name.title()) for each in Sector])
    brokers = models.ManyToManyField("self", symmetrical=False, related_name="broker_for")
    blocked_at = models.DateTimeField(null=True)  # From then on calls by it or for it are refused.

    class Meta:
        db_table = "organization"


class CallPace(models.Model):
    """How fast a sender calls; see `segl.service.throttling`. Times are microseconds since 1970."""

    sender = models.CharField(primary_key=True, max_length=ORGANIZATION_NUMBER_LENGTH)
    even = models.BigIntegerField()
    blocked_until = models.BigIntegerField()

    class Meta:
        db_table = "call_pace"


class PollTime(models.Model):
    """From when (real time) a sender that found a queue empty may poll it again.

    The key is a digest of sender and queue: a queue's name may be too long for an index.
    """

    queue_digest = models.BinaryField(primary_key=True, max_length=32)
    permitted_at = models.DateTimeField()

    class Meta:
        db_table = "poll_time"


class Due(models.Model):
    """A row with the time when it is next due.

    `due_at` is business time; empty: nothing to do. `lease_until` is milliseconds since 1970 on the database's clock.
    `fence` grows with each claim and each outcome: an outcome that carries an older one changes nothing.
    """

    due_at = models.DateTimeField(null=True, db_index=True)
    lease_until = models.BigIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    parked_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, default="")

    class Meta:
        abstract = True


def _parked(table: str, key: str) -> models.Index:
    """The few rows that are parked, in the order in which an operator sees them."""
    return models.Index(fields=["parked_at", key], name=f"{table}_parked", condition=models.Q(parked_at__isnull=False))


class Job(models.Model):
    """A portal signature job: one set of documents, signed by one to ten signers."""

    id = models.AutoField(primary_key=True)  # The .NET client reads the id as 32 signed bits.
    sender = models.ForeignKey(Organization, models.PROTECT, related_name="jobs")
    broker = models.ForeignKey(Organization, models.PROTECT, related_name="brokered_jobs")
    reference = models.CharField(max_length=50, null=True)  # Empty and absent differ on the wire.  # noqa: DJ001
    polling_queue = models.TextField(default="")
    title = models.CharField(max_length=80)
    nonsensitive_title = models.CharField(max_length=80, default="")
    description = models.CharField(max_length=220, default="")
    required_authentication = models.PositiveSmallIntegerField()
    identifier_in_signed_documents = models.CharField(max_length=40, default="")  # Empty: the sender did not say.
    status = models.CharField(max_length=30, default="IN_PROGRESS")
    wrapped_key = models.BinaryField()  # The key of this job's documents, under the master key; empty: destroyed.
    created_at = models.DateTimeField()
    activates_at = models.DateTimeField()
    available_seconds = models.PositiveBigIntegerField()  # Of each group of signers, from its own activation.
    completed_at = models.DateTimeField(null=True)
    documents_deleted_at = models.DateTimeField(null=True)
    # Marks a retry of the sender's; unique below, so empty must be null.
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001
    request_sha256 = models.BinaryField(max_length=32, null=True)  # Of the body that came with the key.

    class Meta:
        db_table = "job"
        constraints = [models.UniqueConstraint(fields=["sender", "idempotency_key"], name="job_idempotency_key")]


class Reservation(models.Model):
    """A request for a new job that is under way under an Idempotency-Key, or that the service failed to answer.

    `lease_until` is on the database's clock; until then only the `holder`, a random name, may change the row.
    """

    id = models.BigAutoField(primary_key=True)
    sender = models.ForeignKey(Organization, models.CASCADE, db_index=False)  # The constraint has an index.
    key = models.CharField(max_length=255)
    request_sha256 = models.BinaryField(max_length=32)  # Of the body.
    received_at = models.DateTimeField()  # When that body first began to arrive.
    lease_until = models.DateTimeField(db_index=True)
    holder = models.CharField(max_length=22)

    class Meta:
        db_table = "reservation"
        constraints = [models.UniqueConstraint(fields=["sender", "key"], name="reservation_key")]


class Signer(models.Model):
    """A person who is asked to sign a job; `number` counts from 1 and is part of the URL of the XAdES."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="signers")
    number = models.PositiveSmallIntegerField()
    order = models.PositiveSmallIntegerField(default=0)
    activated_at = models.DateTimeField(null=True)  # May be in the future; empty until earlier signers have signed.
    personal_identification_number = models.CharField(max_length=IDENTITY_NUMBER_LENGTH, default="", db_index=True)
    email = models.TextField(default="")
    sms = models.TextField(default="")
    signature_type = models.CharField(max_length=40)
    on_behalf_of = models.CharField(max_length=5, default="SELF")
    status = models.CharField(max_length=40, default="WAITING")
    status_since = models.DateTimeField()
    wrong_codes = models.PositiveSmallIntegerField(default=0)
    links_ended_at = models.DateTimeField(null=True)  # From then on the signer's links open nothing.
    name = models.TextField(default="")  # As the eID gave it when the signer signed.

    class Meta:
        db_table = "signer"
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="signer_number")]

    @property
    def deadline(self) -> datetime | None:
        """When the signer's time to sign is over; unknown until it is the signer's turn."""
        if self.activated_at is None:
            return None
        return self.activated_at + timedelta(seconds=self.job.available_seconds)

    def is_late(self, at: datetime) -> bool:
        """Whether the deadline has passed by then."""
        return self.deadline is not None and self.deadline <= at

    @property
    def is_addressed_by_contact_information(self) -> bool:
        """Whether the sender knows the signer by e-mail or mobile number alone."""
        return not self.personal_identification_number


class Link(models.Model):
    """A signer's unique link and security code, sent in one message; only their digests are kept."""

    signer = models.ForeignKey(Signer, models.CASCADE, related_name="links")
    token_digest = models.BinaryField(unique=True, max_length=32)
    code_digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "link"


class DocumentKind(models.TextChoices):
    """What a document of a job is."""

    ORIGINAL = "original"
    LAID_OUT = "laid_out"
    """The PDF that is shown and sealed, made from the original of the same number."""
    PAGES = "pages"
    """The sizes and texts of its pages, as JSON."""
    TYPESET = "typeset"
    """By releases that kept no laid-out PDF: the PDF made from the original of the same number, which is not a PDF."""
    MANIFEST = "manifest"
    XADES = "xades"
    PADES = "pades"


class Document(models.Model):
    """A document of a job: immutable, encrypted under the job's key in the document store.

    `sha256` and `size` are those of the plaintext.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="documents")
    signer = models.ForeignKey(Signer, models.CASCADE, null=True, related_name="documents")
    kind = models.CharField(max_length=8, choices=DocumentKind.choices)
    number = models.PositiveSmallIntegerField()  # Order among those of its kind, from 1.
    title = models.CharField(max_length=80, default="")
    name = models.CharField(max_length=100)
    media_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    sha256 = models.BinaryField(max_length=32)
    pages = models.PositiveIntegerField(default=0)
    stored_name = models.CharField(max_length=64, unique=True)

    class Meta:
        db_table = "document"
        constraints = [models.UniqueConstraint(fields=["job", "kind", "number"], name="document_number")]


class DeliveredPage(models.Model):
    """A page of a document whose picture for this width, in pixels, was sent to a signer."""

    signer = models.ForeignKey(Signer, models.CASCADE, related_name="delivered_pages", db_index=False)
    document = models.PositiveSmallIntegerField()
    page = models.PositiveIntegerField()
    width = models.PositiveIntegerField()

    class Meta:
        db_table = "delivered_page"
        constraints = [
            models.UniqueConstraint(fields=["signer", "document", "page", "width"], name="delivered_page_once")
        ]


class StatusChange(Due):
    """A job's place on its sender's polling queue; `version` grows with each change of the job or of a signer."""

    job = models.OneToOneField(Job, models.CASCADE, related_name="status_change", primary_key=True)
    sender = models.ForeignKey(Organization, models.PROTECT, db_index=False)  # Polls use the index below.
    polling_queue = models.TextField(default="")
    due_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "status_change"
        # A poll takes the first row of its queue, whatever the sender had before and whatever others have not polled.
        # Without the job's id, PostgreSQL would sort.
        indexes = [
            models.Index(
                "sender",
                Left("polling_queue", INDEXED_CHARACTERS),
                "due_at",
                "job",
                name="status_change_next",
                condition=models.Q(due_at__isnull=False, parked_at__isnull=True),
            )
        ]


class Channel(models.TextChoices):
    """How a message reaches a signer."""

    EMAIL = "email"
    SMS = "sms"


class Notification(Due):
    """A message to a signer that is to be sent, or was."""

    channel = models.CharField(max_length=5, choices=Channel.choices, default=Channel.EMAIL)
    signer = models.ForeignKey(Signer, models.CASCADE, related_name="notifications")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "notification"
        indexes = [_parked("notification", "id")]


class Lookup(Due):
    """A signer to look up in the contact register; `sms`: for a mobile number too."""

    signer = models.OneToOneField(Signer, models.CASCADE, related_name="lookup", primary_key=True)
    sms = models.BooleanField()

    class Meta:
        db_table = "lookup"
        indexes = [_parked("lookup", "signer")]


class Signing(Due):
    """A signature that is to be made; `agreement` says what its signer agreed to, as whom and from where."""

    signer = models.OneToOneField(Signer, models.CASCADE, related_name="signing")
    agreement = models.JSONField()
    agreed_at = models.DateTimeField()

    class Meta:
        db_table = "signing"
        indexes = [_parked("signing", "id")]


class Sealing(Due):
    """A job whose signers have all signed and whose sealed PDF is to be made."""

    job = models.OneToOneField(Job, models.CASCADE, related_name="sealing")

    class Meta:
        db_table = "sealing"
        indexes = [_parked("sealing", "id")]
