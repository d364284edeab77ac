"""The portal's messages: what the official schema accepts is read, kept and written so that it accepts it again."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from segl.core.errors import InvalidLookup, InvalidMessage
from segl.core.protocol import (
    AuthenticationLevel,
    Availability,
    ContactInformation,
    Email,
    ErrorMessage,
    IdentifierInSignedDocuments,
    ManifestDocument,
    Message,
    Notifications,
    NotificationsUsingLookup,
    OnBehalfOf,
    PersonalIdentificationNumber,
    PortalJobRequest,
    PortalJobResponse,
    PortalJobStatus,
    PortalManifest,
    PortalSignature,
    PortalStatusChange,
    SignatureStatus,
    SignatureType,
    Signer,
    Sms,
)

NAMESPACE = "http://signering.posten.no/schema/v1"
NUMBER = PersonalIdentificationNumber("12345678910")
EXAMPLES: dict[str, type[Message]] = {
    "manifest.xml": PortalManifest,
    "manifest-signer-without-pin.xml": PortalManifest,
    "manifest-specify-on-behalf-of.xml": PortalManifest,
    "manifest-specify-signtype-and-auth.xml": PortalManifest,
    "legacy/manifest-legacy.xml": PortalManifest,
    "request.xml": PortalJobRequest,
    "response.xml": PortalJobResponse,
    "status-change-response.xml": PortalStatusChange,
    "status-change-response-signer-without-pin.xml": PortalStatusChange,
}
MANIFEST = PortalManifest(
    signers=(
        Signer(NUMBER, NotificationsUsingLookup(sms=True), order=0, on_behalf_of=OnBehalfOf.SELF),
        Signer(NUMBER, NotificationsUsingLookup()),
        Signer(
            PersonalIdentificationNumber("00000000000"),
            Notifications(Email("a@example.com"), Sms("999999999")),
            signature_type=SignatureType.ADVANCED_SIGNATURE,
            on_behalf_of=OnBehalfOf.OTHER,
            order=9,
        ),
        Signer(ContactInformation(sms=Sms("88888888"))),
        Signer(ContactInformation(Email("b@example.com"))),
    ),
    sender="123456789",
    title="Avtale «æøå» & <co>",
    documents=(ManifestDocument("Første", "a b.pdf", "application/pdf"), ManifestDocument("x", "2.txt", "text/plain")),
    nonsensitive_title="Avtale",
    description=" Linje 1\nLinje 2\r\n",
    required_authentication=AuthenticationLevel.THREE,
    availability=Availability(datetime(2026, 12, 1, 8, 30, 0, 250, tzinfo=timezone(timedelta(hours=1))), 2**63 - 1),
    identifier_in_signed_documents=IdentifierInSignedDocuments.NAME,
)
CHANGE = PortalStatusChange(
    signature_job_id=2**31 - 1,
    status=PortalJobStatus.FAILED,
    confirmation_url="https://example.com/complete",
    signatures=(
        PortalSignature(SignatureStatus.SIGNED, datetime(2026, 1, 2, tzinfo=UTC), NUMBER, "https://example.com/x"),
        PortalSignature("SOMETHING_NEW", datetime(2026, 1, 2, tzinfo=UTC), ContactInformation(Email("a@example.com"))),
    ),
    reference="",
    cancellation_url="https://example.com/cancel",
    delete_documents_url="https://example.com/delete",
    pades_url="https://example.com/pades",
)


def _with_signature(**other: Any) -> PortalStatusChange:
    return replace(CHANGE, signatures=(replace(CHANGE.signatures[0], **other),))


MESSAGES: list[Message] = [
    MANIFEST,
    replace(
        MANIFEST,
        nonsensitive_title=None,
        description=None,
        required_authentication=None,
        availability=Availability(),
        identifier_in_signed_documents=None,
    ),
    PortalJobRequest(),
    PortalJobRequest("my reference", "queue"),
    PortalJobResponse(1, "https://example.com/cancel", "ref"),
    CHANGE,
    ErrorMessage("SCHEMA_VALIDATION_ERROR", "title is 81 characters", "CLIENT"),
]


@pytest.fixture(scope="module")
def schema(reference: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(reference / "schema" / "direct-and-portal.xsd"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_official_example_is_read_and_written_validly(reference: Path, schema: etree.XMLSchema, name: str) -> None:
    kind = EXAMPLES[name]
    message = kind.from_xml((reference / "examples" / "portal" / name).read_bytes())
    written = message.to_xml()
    schema.assertValid(etree.fromstring(written))
    assert kind.from_xml(written) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_what_is_written_is_valid(schema: etree.XMLSchema, message: Message) -> None:
    schema.assertValid(etree.fromstring(message.to_xml()))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_what_is_written_is_read_back_the_same(message: Message) -> None:
    assert type(message).from_xml(message.to_xml()) == message


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


@given(reference=TEXT.filter(lambda each: len(each) <= 50), queue=TEXT)
def test_texts_are_kept_to_the_letter(reference: str, queue: str) -> None:
    request = PortalJobRequest(reference, queue)
    assert PortalJobRequest.from_xml(request.to_xml()) == request


@given(address=TEXT, number=TEXT)
def test_attributes_are_kept_to_the_letter(address: str, number: str) -> None:
    manifest = replace(MANIFEST, signers=(Signer(ContactInformation(Email(address), Sms(number))),))
    assert PortalManifest.from_xml(manifest.to_xml()) == manifest


def test_unknown_statuses_survive_and_known_ones_are_words() -> None:
    statuses = [each.status for each in PortalStatusChange.from_xml(CHANGE.to_xml()).signatures]
    assert statuses == [SignatureStatus.SIGNED, "SOMETHING_NEW"]
    assert statuses[0] is SignatureStatus.SIGNED


def test_an_answer_with_elements_and_attributes_of_tomorrow_is_read() -> None:
    xml = CHANGE.to_xml().replace(b"<status>", b'<new a="b"/><status>', 1)
    xml = xml.replace(b"<signatures>", b'<signatures kind="new">text<later/>')
    xml = xml.replace(b"</signatures>", b"<x/></signatures>")
    assert PortalStatusChange.from_xml(xml) == CHANGE


def test_a_time_without_offset_is_norwegian_time() -> None:
    xml = MANIFEST.to_xml().replace(b"2026-12-01T08:30:00.000250+01:00", b"2026-07-01T08:30:00")
    availability = PortalManifest.from_xml(xml).availability
    assert availability
    assert availability.activation_time == datetime(2026, 7, 1, 6, 30, tzinfo=UTC)


def test_a_time_with_an_offset_needs_no_time_zone_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zoneinfo", None)

    assert PortalStatusChange.from_xml(CHANGE.to_xml()) == CHANGE


def test_schema_locations_and_white_space_do_not_matter() -> None:
    xml = f"""<?xml version="1.0"?>
    <n:portal-signature-job-request xmlns:n="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
      xsi:schemaLocation="{NAMESPACE} portal.xsd"> <!-- none -->
      <n:reference> a </n:reference>
    </n:portal-signature-job-request>"""
    assert PortalJobRequest.from_xml(xml.encode()) == PortalJobRequest(" a ")


PIN = "<personal-identification-number>12345678910</personal-identification-number>"
LOOKUP = "<notifications-using-lookup><email/></notifications-using-lookup>"
SIGNER = f"<signer>{PIN}{LOOKUP}</signer>"
SENDER = "<sender><organization-number>123456789</organization-number></sender>"
DOCUMENT = '<document href="a.pdf" mime="application/pdf"><title>d</title></document>'


def _manifest(
    *,
    signers: str = f"<signers>{SIGNER}</signers>",
    sender: str = SENDER,
    title: str = "<title>t</title>",
    documents: str = f"<documents>{DOCUMENT}</documents>",
    more: str = "",
) -> str:
    inner = signers + sender + title + documents + more
    return f'<portal-signature-job-manifest xmlns="{NAMESPACE}">{inner}</portal-signature-job-manifest>'


def _documents(old: str, new: str) -> str:
    return _manifest(documents=f"<documents>{DOCUMENT.replace(old, new)}</documents>")


def _availability(inner: str) -> str:
    return _manifest(more=f"<availability>{inner}</availability>")


def _signer(inner: str, attributes: str = "") -> str:
    return _manifest(signers=f"<signers><signer{attributes}>{inner}</signer></signers>")


BROKEN = {
    "another root element": f'<other xmlns="{NAMESPACE}"/>',
    "no namespace": "<portal-signature-job-manifest/>",
    "nothing in it": _manifest(signers="", sender="", title="", documents=""),
    "no signers": _manifest(signers="<signers/>"),
    "11 signers": _manifest(signers=f"<signers>{11 * SIGNER}</signers>"),
    "no documents": _manifest(documents="<documents/>"),
    "21 documents": _manifest(documents=f"<documents>{21 * DOCUMENT}</documents>"),
    "both forms of document": _manifest(documents=f"{DOCUMENT}<documents>{DOCUMENT}</documents>"),
    "no title": _manifest(title=""),
    "empty title": _manifest(title="<title/>"),
    "title of 81 characters": _manifest(title=f"<title>{81 * 'æ'}</title>"),
    "description of 221 characters": _manifest(title=f"<title>t</title><description>{221 * 'x'}</description>"),
    "wrong order": _manifest(signers=SENDER, sender=f"<signers>{SIGNER}</signers>"),
    "element twice": _manifest(title=2 * "<title>t</title>"),
    "element too many": _manifest(more="<extra/>"),
    "element of another namespace": _manifest(more='<x:extra xmlns:x="urn:x"/>'),
    "attribute too many": _manifest(title='<title x="y">t</title>'),
    "text between elements": _manifest(sender=f"text{SENDER}"),
    "element within a text": _manifest(title="<title>a<b/>c</title>"),
    "organization number of 8 digits": _manifest(sender=SENDER.replace("9<", "<")),
    "organization number in other digits": _manifest(sender=SENDER.replace("123456789", "١٢٣٤٥٦٧٨٩")),
    "document title empty": _documents("<title>d</title>", "<title/>"),
    "document title of 81 characters": _documents("<title>d", f"<title>{81 * 'æ'}"),
    "href of 101 characters": _documents("a.pdf", 101 * "a"),
    "mime of 101 characters": _documents("application/pdf", 101 * "a"),
    "nonsensitive title empty": _manifest(title="<title>t</title><nonsensitive-title/>"),
    "nonsensitive title of 81 characters": _manifest(
        title=f"<title>t</title><nonsensitive-title>{81 * 'x'}</nonsensitive-title>"
    ),
    "href of 3 characters": _documents("a.pdf", "a.p"),
    "href missing": _documents('href="a.pdf"', ""),
    "mime empty": _documents("application/pdf", ""),
    "level 2": _manifest(more="<required-authentication>2</required-authentication>"),
    "level empty": _manifest(more="<required-authentication/>"),
    "identifier unknown": _manifest(more="<identifier-in-signed-documents>X</identifier-in-signed-documents>"),
    "activation no time": _availability("<activation-time>now</activation-time>"),
    "seconds negative": _availability("<available-seconds>-1</available-seconds>"),
    "seconds too many": _availability(f"<available-seconds>{2**63}</available-seconds>"),
    "seconds in words": _availability("<available-seconds>1e3</available-seconds>"),
    "signer without identifier": _signer(LOOKUP),
    "signer without notifications": _signer(PIN),
    "signer with both notifications": _signer(PIN + LOOKUP + '<notifications><email address="a"/></notifications>'),
    "identity number of 10 digits": _signer(PIN.replace("0<", "<") + LOOKUP),
    "order 10": _signer(PIN + LOOKUP, ' order="10"'),
    "order negative": _signer(PIN + LOOKUP, ' order="-1"'),
    "signature type unknown": _signer(f"{PIN}<signature-type>QUALIFIED</signature-type>{LOOKUP}"),
    "on behalf of nobody": _signer(f"{PIN}{LOOKUP}<on-behalf-of>NOBODY</on-behalf-of>"),
    "notifications empty": _signer(f"{PIN}<notifications/>"),
    "sms first": _signer(f'{PIN}<notifications><sms number="1"/><email address="a"/></notifications>'),
    "email without address": _signer(f"{PIN}<notifications><email/></notifications>"),
    "lookup without email": _signer(f"{PIN}<notifications-using-lookup><sms/></notifications-using-lookup>"),
    "lookup with text for sms": _signer(PIN + LOOKUP.replace("<email/>", "<email/><sms>a</sms>")),
    "identified by text": _signer(
        "<identified-by-contact-information>a</identified-by-contact-information>"
        '<notifications><email address="a"/></notifications>'
    ),
    "lookup with text": _signer(PIN + LOOKUP.replace("<email/>", "<email>a</email>")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_manifest_that_breaks_the_schema_is_refused(reference: Path, schema: etree.XMLSchema, name: str) -> None:
    assert not schema.validate(etree.fromstring(BROKEN[name]))
    with pytest.raises(InvalidMessage):
        PortalManifest.from_xml(BROKEN[name].encode())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("title of 81 characters", r"title is 81 characters \('æ+'…\); at most 80 are accepted"),
        ("another root element", "The root element is {.*}other; it must be {.*}portal-signature-job-manifest"),
        ("empty title", "title is 0 characters; it must be at least 1"),
        ("wrong order", "In portal-signature-job-manifest, signers is missing; there is sender instead"),
        ("element too many", "In portal-signature-job-manifest, extra is not expected there"),
        ("11 signers", "There are 11 signers; there must be from 1 to 10"),
        ("level 2", "required-authentication is '2'; it must be one of 3, 4"),
        ("order 10", "signer order is 10; it must be from 0 to 9"),
        ("identity number of 10 digits", "must be exactly 11 digits; the value given is not"),
        ("activation no time", "activation-time 'now' is not a date-time such as"),
        ("href missing", "document has no attribute href"),
        ("attribute too many", "title has an attribute it may not have: x"),
    ],
)
def test_the_sentence_names_element_value_and_limit(name: str, sentence: str) -> None:
    with pytest.raises(InvalidMessage, match=sentence):
        PortalManifest.from_xml(BROKEN[name].encode())


def test_a_manifest_that_just_keeps_the_limits_is_read(schema: etree.XMLSchema) -> None:
    shortest = _documents("a.pdf", "a.pd").replace("application/pdf", "a")
    nonsensitive = f"<nonsensitive-title>{80 * 'n'}</nonsensitive-title>"
    document = f'<document href="{100 * "a"}" mime="{100 * "m"}"><title>{80 * "d"}</title></document>'
    longest = _manifest(
        signers=f"<signers>{10 * SIGNER}</signers>",
        title=f"<title>{80 * 'æ'}</title>{nonsensitive}<description>{220 * 'x'}</description>",
        documents=f"<documents>{20 * document}</documents>",
    )
    for xml in (
        shortest,
        shortest.replace("</title><documents", "</title><nonsensitive-title>n</nonsensitive-title><documents"),
        longest,
    ):
        schema.assertValid(etree.fromstring(xml))
        PortalManifest.from_xml(xml.encode())


def test_all_faults_of_a_manifest_can_be_told_at_once() -> None:
    xml = replace(MANIFEST, title="Contract").to_xml().decode()
    broken = (
        xml.replace("00000000000", "0000000000")
        .replace("<title>Contract</title>", f"<title>{81 * 'x'}</title>")
        .replace(f"<organization-number>{MANIFEST.sender}<", "<organization-number>12<")
        .replace("</portal-signature-job-manifest>", "<extra/></portal-signature-job-manifest>")
    ).encode()

    manifest, faults = PortalManifest.with_faults(broken)

    assert manifest
    assert (manifest.sender, len(manifest.title)) == ("12", 81)
    for fault, sentence in zip(
        faults,
        [
            "personal-identification-number must be exactly 11 digits",
            "sender organization-number must be exactly 9 digits; '12' is not",
            "title is 81 characters",
            "extra is not expected there",
        ],
        strict=True,
    ):
        assert sentence in fault
    with pytest.raises(InvalidMessage, match="exactly 11 digits"):
        PortalManifest.from_xml(broken)
    assert PortalManifest.with_faults(MANIFEST.to_xml()) == (MANIFEST, ())
    assert PortalManifest.with_faults(b"<other/>")[0] is None
    assert len(PortalManifest.with_faults(broken.replace(b"documents>", b"papers>"))[1]) == 2


def test_a_signer_without_identity_number_cannot_be_looked_up() -> None:
    with pytest.raises(InvalidLookup, match=r"Signer 1 is .*: the contact register is asked by identity number"):
        PortalManifest.from_xml(_signer(f"<identified-by-contact-information/>{LOOKUP}").encode())


def test_values_check_themselves_when_they_are_made() -> None:
    with pytest.raises(InvalidMessage, match="leave notifications out"):
        Signer(ContactInformation(Email("a@example.com")), NotificationsUsingLookup())
    with pytest.raises(InvalidMessage, match="needs notifications"):
        Signer(NUMBER)
    with pytest.raises(InvalidMessage, match="neither email nor sms"):
        ContactInformation()
    with pytest.raises(InvalidMessage, match=r"reference has the character U\+0001"):
        PortalJobRequest("a\x01b")
    assert PortalJobRequest("x" * 50).reference == "x" * 50
    with pytest.raises(InvalidMessage, match="reference is 51 characters"):
        PortalJobRequest("x" * 51)
    with pytest.raises(InvalidMessage, match=r"polling-queue has the character U\+0001"):
        PortalJobRequest(polling_queue="a\x01b")
    for contact in (Email, Sms):
        with pytest.raises(InvalidMessage, match=r"has the character U\+0001"):
            contact("a\x01b")
    with pytest.raises(InvalidMessage, match="since is 2026-01-01 00:00:00, without a time zone"):
        PortalSignature(SignatureStatus.WAITING, datetime(2026, 1, 1), NUMBER)  # noqa: DTZ001 - as below
    with pytest.raises(InvalidMessage, match="without a time zone"):
        Availability(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_an_answer_that_just_keeps_the_limits_is_written() -> None:
    PortalJobResponse(2**63 - 1, "x" * 500, "r" * 50).to_xml()
    replace(CHANGE, signatures=10 * CHANGE.signatures[:1]).to_xml()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (PortalJobResponse(1, "x" * 501), "cancellation-url is 501 characters"),
        (replace(CHANGE, confirmation_url="x" * 501), "confirmation-url is 501 characters"),
        (replace(CHANGE, reference="x" * 51), "reference is 51 characters"),
        (replace(CHANGE, signature_job_id=2**63), "signature-job-id is 9223372036854775808"),
        (replace(CHANGE, status="\x00"), r"status has the character U\+0000"),
        (replace(CHANGE, signatures=()), "There are 0 signatures"),
        (replace(CHANGE, signatures=11 * CHANGE.signatures[:1]), "There are 11 signatures"),
        (_with_signature(status="\x00"), r"signature status has the character U\+0000"),
        (_with_signature(xades_url="x" * 501), "xades-url is 501 characters"),
        (_with_signature(identifier=None), "A signature names no signer"),
    ],
)
def test_an_answer_is_written_as_the_schema_says_or_not_at_all(answer: Message, sentence: str) -> None:
    with pytest.raises(InvalidMessage, match=sentence):
        answer.to_xml()


IDENTIFIER = '<identifier><email address="a@example.com"/></identifier>'


@pytest.mark.parametrize(
    ("instead", "identifier"),
    [
        ("<passkey>7</passkey>", None),
        ("", None),
        ("<identifier/>", None),
        ('<identifier><messenger id="1"/></identifier>', None),
        ("<identifier><email/></identifier>", None),
        ('<identifier><email address="b@example.com"/><fax/></identifier>', ContactInformation(Email("b@example.com"))),
        ("<personal-identification-number>010170*****</personal-identification-number>", None),
        ("<personal-identification-number>7</personal-identification-number>", None),
    ],
)
def test_a_change_is_read_whose_signer_is_named_in_a_way_of_tomorrow(
    instead: str, identifier: ContactInformation | None
) -> None:
    xml = CHANGE.to_xml().decode()
    assert IDENTIFIER in xml
    signed, waiting = CHANGE.signatures

    read = PortalStatusChange.from_xml(xml.replace(IDENTIFIER, instead).encode())

    assert read == replace(CHANGE, signatures=(signed, replace(waiting, identifier=identifier)))


def test_a_change_is_read_that_is_longer_than_those_of_today() -> None:
    long = replace(CHANGE, signature_job_id=2**31, status="PAUSED", pades_url="https://example.com/", reference="r")
    xml = long.to_xml().decode().replace("pades-url>https://example.com/", "pades-url>" + 501 * "x")
    xml = xml.replace("<reference>", "<reference>" + 50 * "r").replace(f">{2**31}<", f">{2**63}<")
    signature = xml[xml.index("<signature>") : xml.index("</signature>") + len("</signature>")]

    read = PortalStatusChange.from_xml(xml.replace(signature, 11 * signature).encode())

    assert read == replace(
        long,
        signature_job_id=2**63,
        reference=51 * "r",
        signatures=(*(11 * CHANGE.signatures[:1]), CHANGE.signatures[1]),
        pades_url=501 * "x",
    )


def test_an_identity_number_is_masked_when_printed() -> None:
    assert repr(NUMBER) == str(NUMBER) == "PersonalIdentificationNumber(123456*****)"
    assert "78910" not in repr(MANIFEST)


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(InvalidMessage):
        PortalManifest.from_xml(data)


VALID = MANIFEST.to_xml()


@given(st.integers(0, len(VALID) - 1), st.integers(0, 255))
def test_a_message_with_a_changed_byte_is_read_or_refused(position: int, byte: int) -> None:
    changed = VALID[:position] + bytes([byte]) + VALID[position + 1 :]
    try:
        read = PortalManifest.from_xml(changed)
    except InvalidMessage:
        return
    assert PortalManifest.from_xml(read.to_xml()) == read


CONTACT = Notifications(Email("a@example.com"))


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        (
            Signer,
            {"identifier": "01017012345", "notifications": CONTACT},
            'is of type str; write PersonalIdentificationNumber("…") or ContactInformation(Email("…")).',
        ),
        (Signer, {"identifier": 1017012345, "notifications": CONTACT}, "signer identifier is of type int; "),
        (Signer, {"identifier": CONTACT}, "signer identifier is of type Notifications; "),
        (Signer, {"identifier": NUMBER, "notifications": CONTACT.email}, "of type Email; write Notifications("),
        (
            Signer,
            {"identifier": NUMBER, "notifications": CONTACT, "on_behalf_of": "SELF"},
            "on-behalf-of is 'SELF', of type str; write OnBehalfOf.SELF.",
        ),
        (
            Signer,
            {"identifier": NUMBER, "notifications": CONTACT, "order": "1"},
            "signer order is '1', of type str; write a whole number (int).",
        ),
        (
            PersonalIdentificationNumber,
            {"value": 12345678910},
            'personal-identification-number is of type int; write its 11 digits as a text, "…".',
        ),
        (
            Notifications,
            {"email": "a@example.com"},
            "notifications email is 'a@example.com', of type str; write Email(\"name@example.com\").",
        ),
        (Notifications, {"sms": "99999999"}, "notifications sms is '99999999', of type str; write Sms("),
        (
            ContactInformation,
            {"email": Sms("99999999")},
            "contact-information email is Sms(number=",
        ),
        (NotificationsUsingLookup, {"sms": "no"}, "notifications-using-lookup sms is 'no', of type str; "),
        (Email, {"address": None}, "email address is None, of type NoneType; write Email("),
        (Sms, {"number": 99999999}, "sms number is 99999999, of type int; write Sms("),
        (PortalJobRequest, {"reference": 7}, "reference is 7, of type int; write a text (str)."),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_to_write(
    kind: Callable[..., object], arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidMessage) as error:
        kind(**arguments)
    assert sentence in str(error.value)
