"""What may follow a seal: validation data and document timestamps pass, and whatever else is added fails."""

import re
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import pikepdf
import pytest
from asn1crypto import crl, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    BooleanObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NumberObject,
    PdfObject,
    Reference,
    StreamObject,
    TextStringObject,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfTimeStamper
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

import pdfs
from certificates import NOW, Authority
from segl.core.errors import InvalidSignature
from segl.core.keys import PrivateKey
from segl.core.pades import additions, seal, verify, verifying
from segl.core.verification import SignatureReport, Verdict


class Writer(IncrementalPdfFileWriter):
    """Writes another revision, and changes nothing by itself."""

    def _update_meta(self) -> None:
        pass

    @property
    def form(self) -> Any:
        return self.root["/AcroForm"]

    @property
    def page(self) -> Any:
        return self.root["/Pages"]["/Kids"][0]

    def list_(self, owner: Any, key: str) -> Any:
        """A list there, which is about to get more."""
        if key not in owner:
            owner[key] = ArrayObject()
        self.update_container(owner)
        self.update_container(owner[key])
        return owner[key]

    def set(self, owner: Any, **entries: object) -> None:
        for key, value in entries.items():
            owner[NameObject(f"/{key}")] = pdf_object(value)
        self.update_root() if owner is self.trailer else self.update_container(owner)


def pdf_object(value: Any) -> Any:
    """A PDF object of a Python value: a text that begins with a slash is a name."""
    match value:
        case PdfObject():
            return value
        case Reference():
            return IndirectObject(value.idnum, value.generation, value.pdf)
        case bool():
            return BooleanObject(value)
        case int():
            return NumberObject(value)
        case str():
            return NameObject(value) if value.startswith("/") else TextStringObject(value)
        case list():
            return ArrayObject(map(pdf_object, value))
        case dict():
            return DictionaryObject({NameObject(f"/{key}"): pdf_object(each) for key, each in value.items()})
    raise TypeError(value)


Edit = Callable[[Writer], object]


def with_revision(pdf: bytes, edit: Edit) -> bytes:
    writer, written = Writer(BytesIO(pdf)), BytesIO()
    edit(writer)
    writer.write(written)
    return written.getvalue()


def field(writer: Writer, *, without: str = "", on_page: bool = True, **entries: object) -> IndirectObject:
    """An invisible signature field without a signature, in the form and on the page."""
    usual = {"Type": "/Annot", "Subtype": "/Widget", "FT": "/Sig", "T": "Added", "F": 132, "Rect": [0, 0, 0, 0]}
    chosen = {**usual, "P": writer.page.container_ref, **entries}
    added = writer.add_object(pdf_object({key: each for key, each in chosen.items() if key != without}))
    writer.list_(writer.form, "/Fields").append(added)
    if on_page:
        writer.list_(writer.page, "/Annots").append(added)
    return added


def store(writer: Writer, *, contents: bytes | None = None, issuer: Authority) -> None:
    """Validation data, as pyHanko writes it."""
    made = x509.CertificateRevocationListBuilder().issuer_name(issuer.key.certificate.subject)
    signed = made.last_update(NOW).next_update(NOW).sign(issuer.key.key, hashes.SHA256()).public_bytes(Encoding.DER)
    certificates = [asn1_x509.Certificate.load(issuer.key.certificate.public_bytes(Encoding.DER))]
    values = {"certs": certificates, "crls": [crl.CertificateList.load(signed)]}
    DocumentSecurityStore.supply_dss_in_writer(writer, contents, **values)  # type: ignore[arg-type]  # no types


class Stamps:
    """A timestamp authority in this process."""

    def __init__(self, key: PrivateKey) -> None:
        certificate = asn1_x509.Certificate.load(key.certificate.public_bytes(Encoding.DER))
        private = keys.PrivateKeyInfo.load(key.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        self.stamper = DummyTimeStamper(certificate, private, fixed_dt=NOW)

    def stamp(self, pdf: bytes, edit: Edit = lambda writer: None, name: str | None = None) -> bytes:
        """The file after `edit` and a document timestamp in the same revision, in the field of that name if any."""
        writer = Writer(BytesIO(pdf))
        edit(writer)
        stamped = PdfTimeStamper(self.stamper, field_name=name).timestamp_pdf(writer, "sha256", bytes_reserved=8192)
        return bytes(stamped.getvalue())


@pytest.fixture(scope="session")
def stamps(authority: Authority) -> Stamps:
    return Stamps(authority.organization("310248711", "Time"))


def original(pdf: pikepdf.Pdf) -> None:
    """A page, and whatever a forger may like to change in the catalog."""
    page = pdf.add_blank_page()
    page.Contents = pikepdf.Array([pdf.make_stream(b"BT (Signed) Tj ET")])
    page.Annots = pdf.make_indirect(pikepdf.Array())
    pdf.Root.MarkInfo = pikepdf.Dictionary(Marked=False)
    pdf.attachments["a.txt"] = pikepdf.AttachedFileSpec(pdf, b"attached", filename="a.txt")
    pdf.docinfo.Title = "Signed"
    with pdf.open_metadata() as metadata:
        metadata["dc:title"] = "Signed"


@pytest.fixture(scope="session")
def sealed(seal_key: PrivateKey) -> bytes:
    return seal(pdfs.made(original), key=seal_key, sealed_at=NOW)


@pytest.fixture(scope="session")
def packed(seal_key: PrivateKey) -> bytes:
    """A sealed file with object streams and cross-reference streams."""
    pdf = pdfs.made(original, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return seal(pdf, key=seal_key, sealed_at=NOW)


def report_of(pdf: bytes, authority: Authority) -> SignatureReport:
    """The report of the seal, which is the first signature."""
    return verify(pdf, trust=authority.trust(), documents=None, at=NOW)[0]


def like_dss(writer: Writer) -> None:
    """A field with an appearance of no state, and an extension of Adobe's, each an object, as by EU DSS with PDFBox."""
    field(writer, AP=writer.add_object(pdf_object({"N": writer.add_object(pdf_object({}))})))
    writer.root["/Extensions"]["/ADBE"] = writer.add_object(pdf_object({"BaseVersion": "/1.7", "ExtensionLevel": 8}))
    writer.update_root()


def again(writer: Writer) -> None:
    """Objects that nobody changed, as PDFBox writes them again."""
    writer.update_container(writer.page)
    writer.update_root()


@pytest.mark.parametrize("kind", ["sealed", "packed"])
def test_what_keeps_a_seal_verifiable_may_follow_it(
    kind: str, request: pytest.FixtureRequest, stamps: Stamps, authority: Authority
) -> None:
    """Each file is what came before it and something more."""
    pdf = request.getfixturevalue(kind)
    added: list[Callable[[bytes], bytes]] = [
        lambda pdf: with_revision(pdf, again),
        stamps.stamp,
        lambda pdf: with_revision(pdf, lambda writer: store(writer, contents=b"seal", issuer=authority)),
        lambda pdf: stamps.stamp(pdf, lambda writer: store(writer, contents=b"other", issuer=authority)),
        lambda pdf: stamps.stamp(pdf, like_dss, "Added"),
        lambda pdf: with_revision(pdf, setting("root", Extensions={"ESIC": ESIC, "ADBE": [ESIC, ESIC]})),
        lambda pdf: stamps.stamp(pdf, lambda writer: field(writer, T="Direct", AP={}, TU="Time", Kids=[]), "Direct"),
        lambda pdf: stamps.stamp(pdf, lambda writer: field(writer, T="Nowhere", on_page=False), "Nowhere"),
    ]
    for number, add in enumerate(added):
        pdf = add(pdf)
        report = report_of(pdf, authority)
        assert (report.verdict, report.reasons) == (Verdict.PASSED, ()), f"addition {number}"


def setting(owner: str, **entries: object) -> Edit:
    """Entries of the catalog (`root`), the `form` or the `page`."""
    return lambda writer: writer.set(getattr(writer, owner), **entries)


def removing(key: str) -> Edit:
    return lambda writer: (writer.root.pop(key), writer.update_root())


def adding(**entries: object) -> Edit:
    """A field with entries that a timestamp's field does not need."""
    return lambda writer: field(writer, **entries)


def appending(owner: Callable[[Writer], Any], key: str, *added: object) -> Edit:
    """More in a list; what is a dictionary becomes an object."""

    def edit(writer: Writer) -> None:
        objects = (
            writer.add_object(pdf_object(each)) if isinstance(each, dict) else pdf_object(each) for each in added
        )
        writer.list_(owner(writer), key).extend(objects)

    return edit


def replacing(old: Callable[[Writer], Any], new: object) -> Edit:
    """Another object in the place of one."""
    return lambda writer: writer.objects.__setitem__((0, old(writer).container_ref.idnum), pdf_object(new))


def storing(content: bytes | None = None, of_stream: dict[str, object] | None = None, **entries: object) -> Edit:
    """A document security store with these entries; if `content` is given, with the stream as its only certificate."""

    def edit(writer: Writer) -> None:
        if content is not None:
            entries["Certs"] = [writer.add_object(StreamObject(pdf_object(of_stream or {}), stream_data=content))]
        writer.set(writer.root, DSS=writer.add_object(pdf_object(entries)))

    return edit


SCRIPT = {"S": "/JavaScript", "JS": "app.alert('hostile')"}
FILE = {"Type": "/Filespec", "F": "b.txt"}
NOTE = {"Type": "/Annot", "Subtype": "/Text", "Rect": [9, 9, 99, 99], "Contents": "No"}
OTHER_TEXT = StreamObject(stream_data=b"BT (Other) Tj ET")
ESIC = {"BaseVersion": "/1.7", "ExtensionLevel": 1}
CHANGED = "was added or changed"
UNSEEN = "it has additions that some programs do not see"
NOTED = appending(lambda writer: writer.page, "/Annots", NOTE)
TAMPERED: list[tuple[str, Edit, str]] = [
    ("an empty field", adding(), "an added field lacks /V"),
    ("an empty field on no page", lambda writer: field(writer, on_page=False), "an added field lacks /V"),
    ("an empty field with a script for when its page opens", adding(AA={"PO": SCRIPT}), "an added field has /AA"),
    ("an empty field with an action", adding(A=SCRIPT), "an added field has /A"),
    ("an empty field with a look", adding(MK={"BG": [1, 0, 0]}), "an added field has /MK"),
    ("an empty field with a lock", adding(Lock={"Action": "/All"}), "an added field has /Lock"),
    ("an empty field with a seed value", adding(SV={"Reasons": ["I agree"]}), "an added field has /SV"),
    ("a field of text", adding(FT="/Tx", V="More"), "an added field has another /FT than allowed"),
    ("a field without a name", lambda writer: field(writer, without="T"), "an added field lacks /T, /V"),
    (
        "a field with the seal",
        lambda writer: field(writer, V=writer.form["/Fields"][0].raw_get("/V")),
        "an added field has an earlier signature",
    ),
    (
        "the seal's field once more",
        lambda writer: writer.list_(writer.form, "/Fields").append(writer.form["/Fields"].raw_get(0)),
        "an added field has an earlier signature",
    ),
    ("a field in the list itself", appending(lambda writer: writer.form, "/Fields", "T"), "/Fields has something else"),
    ("NeedAppearances", setting("form", NeedAppearances=True), "the form has another /NeedAppearances"),
    ("DA", setting("form", DA="/Helv 0 Tf 0 g "), "the form has another /DA"),
    ("DR", setting("form", DR={"Font": {}}), "the form has another /DR"),
    ("Q", setting("form", Q=2), "the form has another /Q"),
    ("XFA", setting("form", XFA=["form", "more"]), "the form has another /XFA"),
    ("SigFlags", setting("form", SigFlags=0), "the form has another /SigFlags"),
    ("MarkInfo", setting("root", MarkInfo={"Marked": True}), "the catalog has another /MarkInfo"),
    ("OpenAction", setting("root", OpenAction=SCRIPT), "the catalog has another /OpenAction"),
    ("AA", setting("root", AA={"WC": SCRIPT}), "the catalog has another /AA"),
    ("Names", setting("root", Names={"JavaScript": {"Names": ["a", SCRIPT]}}), "the catalog has another /Names"),
    ("Metadata", setting("root", Metadata={}), "the catalog has another /Metadata"),
    ("PageMode", setting("root", PageMode="/UseAttachments"), "the catalog has another /PageMode"),
    ("OCProperties", setting("root", OCProperties={"OCGs": [], "D": {}}), "the catalog has another /OCProperties"),
    ("no MarkInfo", removing("/MarkInfo"), "the catalog has another /MarkInfo"),
    ("no Extensions", removing("/Extensions"), "/Extensions was removed"),
    ("a version that does not exist", setting("root", Version="/9.9"), "the catalog has another /Version"),
    ("another extension", setting("root", Extensions={"ESIC": ESIC, "XXXX": ESIC}), "/Extensions has another /XXXX"),
    ("more in an extension", setting("root", Extensions={"ESIC": ESIC | {"A": SCRIPT}}), "the extension /ESIC has /A"),
    ("extensions of another kind", setting("root", Extensions=[ESIC]), "/Extensions is of another kind"),
    ("another Info", lambda writer: writer.set_info(pdf_object({"Title": "A"})), "the trailer has another /Info"),
    ("more in the trailer", setting("trailer", A=True), "the trailer has another /A"),
    ("another title", lambda writer: writer.set(writer.trailer["/Info"], Title="A"), CHANGED),
    ("another attached file", appending(lambda writer: writer.root, "/AF", FILE), "the catalog has another /AF"),
    ("the metadata's content", replacing(lambda writer: writer.root["/Metadata"], OTHER_TEXT), CHANGED),
    ("an annotation", NOTED, CHANGED),
    ("more of a page's content", appending(lambda writer: writer.page, "/Contents", {}), CHANGED),
    ("a page's content", replacing(lambda writer: writer.page["/Contents"][0], OTHER_TEXT), CHANGED),
    ("a page's resources", setting("page", Resources={"Font": {}}), CHANGED),
    ("a page's rotation", setting("page", Rotate=90), CHANGED),
    ("a page's actions", setting("page", AA={"O": SCRIPT}), CHANGED),
    ("one more page", appending(lambda writer: writer.root["/Pages"], "/Kids", {"Type": "/Page"}), CHANGED),
    ("an object that nothing refers to", lambda writer: writer.add_object(pdf_object(SCRIPT)), CHANGED),
    ("a value that is not DER", storing(b"BT (More) Tj ET"), "a stream of the /DSS is not DER"),
    ("a value and more", storing(b"0\0More"), "a stream of the /DSS is not DER"),
    ("a value that is a picture", storing(b"0\0", {"Subtype": "/Image"}), "a stream of the /DSS has /Subtype"),
    ("a value that is not an object", storing(Certs=["more"]), "/Certs is not a list of streams"),
    ("values that are not a list", storing(CRLs={}), "/CRLs is not a list of streams"),
    ("a file among the values", storing(Files=[]), "the /DSS has /Files"),
    ("values for no signature", storing(VRI={"seal": {}}), "the /VRI has /seal"),
    ("more for a signature", storing(VRI={"0" * 40: {"A": SCRIPT}}), "an entry of the /VRI has /A"),
    ("a token that is not a stream", storing(VRI={"0" * 40: {"TS": SCRIPT}}), "something else than a stream"),
    ("values that are a page", lambda writer: writer.set(writer.root, DSS=writer.page), "the /DSS has /Annots"),
]


def names(table: list[tuple[str, Edit, str]]) -> list[str]:
    return [name for name, _, _ in table]


@pytest.mark.parametrize(("name", "edit", "reason"), TAMPERED, ids=names(TAMPERED))
def test_whatever_else_follows_a_seal_fails_it(
    name: str, edit: Edit, reason: str, sealed: bytes, authority: Authority
) -> None:
    assert_changed(report_of(with_revision(sealed, edit), authority), reason)


def assert_changed(report: SignatureReport, reason: str) -> None:
    assert (report.verdict, report.intact, report.signed_at) == (Verdict.FAILED, False, None)
    assert report.reasons[0].startswith("The file was changed after it was sealed: ")
    assert reason in report.reasons[0]


STAMPED: list[tuple[str, Edit, str]] = [
    ("a script", adding(AA={"PO": SCRIPT}), "an added field has /AA"),
    ("an action", adding(A=SCRIPT), "an added field has /A"),
    ("a look", adding(MK={}), "an added field has /MK"),
    ("a lock", adding(Lock={"Action": "/All"}), "an added field has /Lock"),
    ("a seed value", adding(SV={}), "an added field has /SV"),
    ("an appearance of text", adding(DA="/Helv 0 Tf 0 g "), "an added field has /DA"),
    ("a parent", lambda writer: field(writer, Parent=writer.root_ref), "an added field has /Parent"),
    ("an area", adding(Rect=[0, 0, 9, 9]), "an added field has another /Rect than allowed"),
    ("a picture", adding(AP={"N": {"Off": {}}}), "an added appearance has /Off"),
    ("a picture for when the mouse is there", adding(AP={"R": {}}), "an added appearance has /R"),
    ("a kid", adding(Kids=[{}]), "an added field has another /Kids than allowed"),
    ("another type", adding(Subtype="/Link"), "an added field has another /Subtype than allowed"),
    ("a flag that is a script", adding(F=SCRIPT), "an added field has another /F than allowed"),
    ("a page that is not one", lambda writer: field(writer, P=writer.root_ref), "something else than a page"),
    ("an action of the file", lambda writer: (field(writer), setting("root", AA=SCRIPT)(writer)), "another /AA"),
    ("a note on its page", lambda writer: (field(writer), NOTED(writer)), "a page has another annotation"),
    ("another field", lambda writer: (field(writer), field(writer, T="Another")), "an added field lacks /V"),
]


@pytest.mark.parametrize(("name", "edit", "reason"), STAMPED, ids=names(STAMPED))
def test_a_timestamp_with_more_than_it_needs_fails_the_seal(
    name: str, edit: Edit, reason: str, sealed: bytes, stamps: Stamps, authority: Authority
) -> None:
    assert_changed(report_of(stamps.stamp(sealed, edit, "Added"), authority), reason)


def by_hand(
    pdf: bytes, table: bytes, change: Callable[[bytes], bytes] = lambda trailer: trailer, body: bytes = b""
) -> bytes:
    """Another revision that has a body, a cross-reference table, and the trailer after a change."""
    trailer, start = re.findall(rb"trailer\s*(<<.*?>>)\s*startxref\s+(\d+)", pdf, re.DOTALL)[-1]
    changed = change(re.sub(rb"/Prev \d+", b"/Prev " + start, trailer))
    end = b"xref\n%strailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (table, changed, len(pdf) + len(body))
    return pdf + body + end


def test_a_revision_of_nothing_passes(sealed: bytes, authority: Authority) -> None:
    assert report_of(by_hand(sealed, b"0 0\n"), authority).verdict is Verdict.PASSED


@pytest.mark.parametrize("generation", [1, 9])
def test_an_object_that_was_removed_fails_the_seal(generation: int, sealed: bytes, authority: Authority) -> None:
    table = b"4 1\n0000000000 %05d f \n" % generation
    assert_changed(report_of(by_hand(sealed, table), authority), "objects were removed")


def test_a_trailer_that_leaves_out_the_title_fails_the_seal(sealed: bytes, authority: Authority) -> None:
    pdf = by_hand(sealed, b"0 0\n", lambda trailer: re.sub(rb"/Info \d+ 0 R", b"", trailer))
    assert_changed(report_of(pdf, authority), "the trailer has another /Info")


def test_an_object_that_no_table_lists_fails_the_seal(sealed: bytes, authority: Authority) -> None:
    """Programs that repair files would find it."""
    pdf = by_hand(sealed, b"0 0\n", lambda trailer: trailer + b"\n4 0 obj\nnull\nendobj")
    assert_changed(report_of(pdf, authority), UNSEEN)


@pytest.mark.parametrize("body", [b"", b"% Written by a program\n", b"\r\n"])
def test_space_and_comments_pass(body: bytes, sealed: bytes, authority: Authority) -> None:
    assert report_of(by_hand(sealed, b"0 0\n", body=body), authority).verdict is Verdict.PASSED


@pytest.mark.parametrize("body", [b"More", b"<html>", b"trailer\n<< /Root 4 0 R /Size 99 >>\n", b"endobj\n"])
def test_what_is_no_object_fails_the_seal(body: bytes, sealed: bytes, authority: Authority) -> None:
    assert_changed(report_of(by_hand(sealed, b"0 0\n", body=body), authority), UNSEEN)


def with_page(pdf: bytes, start: bytes = b"<<", *, space: bytes = b" ", listed: list[int]) -> bytes:
    """The page again after a line break, with another start; the table lists the line break (0) or the old page (1)."""
    with pikepdf.open(BytesIO(pdf)) as opened:
        number, page = opened.pages[0].objgen[0], opened.pages[0].unparse(resolved=True)
    found = re.search(rb"(?<=[\r\n])%d 0 obj" % number, pdf)
    assert found
    table = b"".join(b"%d 1\n%010d 00000 n \n" % (number, (len(pdf), found.start())[each]) for each in listed)
    body = b"\n%d%s0%sobj\n%s\nendobj\n" % (number, space, space, page.replace(b"<<", start, 1))
    return by_hand(pdf, table, body=body)


def test_a_table_may_list_the_line_break_before_an_object(sealed: bytes, authority: Authority) -> None:
    assert report_of(with_page(sealed, listed=[0]), authority).verdict is Verdict.PASSED


@pytest.mark.parametrize("twice", [True, False], ids=["listed first", "not listed"])
@pytest.mark.parametrize("space", [b" ", b"\0"])
def test_another_page_than_the_listed_one_fails_the_seal(
    twice: bool, space: bytes, sealed: bytes, authority: Authority
) -> None:
    """Some programs take the first of two entries for an object, and some the object that they find last."""
    changed = with_page(sealed, b"<< /Rotate 90", space=space, listed=[0, 1] if twice else [1])
    assert_changed(report_of(changed, authority), UNSEEN)


def test_more_revisions_than_anyone_needs_fail_the_seal(
    sealed: bytes, stamps: Stamps, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "MOST_REVISIONS", 1)
    stamped = stamps.stamp(sealed)
    assert report_of(stamped, authority).verdict is Verdict.PASSED
    assert_changed(report_of(stamps.stamp(stamped), authority), UNSEEN)


def test_a_list_of_many_signatures_is_checked_once(
    sealed: bytes, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[object] = []
    usual = additions._Revision._check_value
    monkeypatch.setattr(additions._Revision, "_check_value", lambda *args: (checked.append(args), usual(*args)))

    def edit(writer: Writer) -> None:
        values = writer.add_object(pdf_object([writer.add_object(StreamObject(stream_data=b"0\0"))]))
        storing(VRI={f"{number:040}": {"Cert": values} for number in range(9)})(writer)

    assert report_of(with_revision(sealed, edit), authority).verdict is Verdict.PASSED
    assert len(checked) == 1


def test_an_object_that_the_sealed_file_lacked_fails_the_seal(seal_key: PrivateKey, authority: Authority) -> None:
    """It would appear on the page."""

    def fill(pdf: pikepdf.Pdf) -> None:
        pdf.add_blank_page().obj.Contents = pikepdf.Array([1000, 0, 0])

    lacking = pdfs.made(fill).replace(b"1000 0 0", b"0020 0 R")
    pdf = seal(lacking, key=seal_key, sealed_at=NOW)
    assert report_of(pdf, authority).verdict is Verdict.PASSED
    harmless = with_revision(pdf, storing(b"0\0"))
    assert report_of(harmless, authority).verdict is Verdict.PASSED

    def appear(writer: Writer) -> None:
        writer.objects[(0, 20)] = StreamObject(stream_data=b"0\0")
        writer._lastobj_id = 20
        writer.set(writer.root, DSS={"Certs": [Reference(20, 0, writer)]})

    assert_changed(report_of(with_revision(pdf, appear), authority), "object 20 was changed")


def test_an_object_stream_that_has_another_page_fails_the_seal(packed: bytes, authority: Authority) -> None:
    def edit(writer: Writer) -> None:
        page = writer.page
        page["/Rotate"] = NumberObject(90)
        writer.update_root()
        writer._allocated_placeholders.add(page.container_ref.idnum)
        writer.add_object(page, obj_stream=writer.prepare_object_stream(), idnum=page.container_ref.idnum)

    assert_changed(report_of(with_revision(packed, edit), authority), CHANGED)


def test_an_object_stream_that_has_an_object_which_is_not_listed_fails_the_seal(
    packed: bytes, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs that repair files would find it."""

    def edit(writer: Writer, *, more: bool) -> None:
        objects, page = writer.prepare_object_stream(), writer.page
        writer.set(writer.root, DSS=writer.add_object(pdf_object({"Certs": []}), obj_stream=objects))
        if more:
            objects.add_object(page.container_ref.idnum, page)
            monkeypatch.setattr(type(objects), "__iter__", lambda objects: iter([*objects._obj_refs.items()][:1]))

    assert report_of(with_revision(packed, partial(edit, more=False)), authority).verdict is Verdict.PASSED
    unlisted = with_revision(packed, partial(edit, more=True))
    assert_changed(report_of(unlisted, authority), "an object stream has objects that some programs do not see")


def test_what_was_added_may_not_become_something_else(sealed: bytes, stamps: Stamps, authority: Authority) -> None:
    """Else the page would lose its annotations, as they are in the same object as the certificates."""

    def move(writer: Writer) -> None:
        added = field(writer, on_page=False)
        writer.set(writer.page, Annots=writer.add_object(ArrayObject([*writer.page["/Annots"], added])))

    def take(writer: Writer) -> None:
        annotations = writer.page.raw_get("/Annots")
        writer.objects[(0, annotations.idnum)] = ArrayObject()
        writer.set(writer.root, DSS={"Certs": annotations})

    moved = stamps.stamp(sealed, move, "Added")
    assert report_of(moved, authority).verdict is Verdict.PASSED
    assert_changed(report_of(with_revision(moved, take), authority), "was changed")


def test_a_store_that_was_sealed_may_not_be_changed_in_its_place(seal_key: PrivateKey, authority: Authority) -> None:
    """It could be something else as well, such as the resources of a page."""

    def fill(pdf: pikepdf.Pdf) -> None:
        pdf.Root.DSS = pdf.make_indirect(pikepdf.Dictionary(Certs=pikepdf.Array()))
        pdf.add_blank_page().Resources = pikepdf.Dictionary(XObject=pdf.Root.DSS)

    pdf = seal(pdfs.made(fill), key=seal_key, sealed_at=NOW)
    assert report_of(with_revision(pdf, storing(b"0\0")), authority).verdict is Verdict.PASSED
    unchanged = with_revision(pdf, lambda writer: writer.set(writer.root["/DSS"], Certs=[]))
    assert report_of(unchanged, authority).verdict is Verdict.PASSED
    in_place = with_revision(pdf, lambda writer: writer.set(writer.root["/DSS"], CRLs=[]))
    assert_changed(report_of(in_place, authority), "was changed")


@pytest.mark.parametrize(
    ("old", "new"), [(b"(Added)", b"(Other)"), (b"0" * 100, b"0" * 92 + b"deadbeef")], ids=["field", "gap"]
)
def test_a_timestamp_that_does_not_hold_fails_the_seal(
    old: bytes, new: bytes, sealed: bytes, stamps: Stamps, authority: Authority
) -> None:
    stamped = stamps.stamp(sealed, adding(), "Added")
    assert report_of(stamped, authority).verdict is Verdict.PASSED
    broken = stamped[: len(sealed)] + stamped[len(sealed) :].replace(old, new, 1)
    assert_changed(report_of(broken, authority), "it has a document timestamp that does not hold")


def test_a_timestamp_of_another_file_fails_the_seal(sealed: bytes, stamps: Stamps, authority: Authority) -> None:
    one, other = (stamps.stamp(sealed, adding(T=name), name) for name in ("One", "Two"))
    token = [re.findall(rb"/Contents <([0-9A-Fa-f]+)>", each[len(sealed) :])[0] for each in (one, other)]
    assert_changed(report_of(one.replace(*token), authority), "it has a document timestamp that does not hold")


def test_a_timestamp_that_was_removed_fails_the_seal(sealed: bytes, stamps: Stamps, authority: Authority) -> None:
    def edit(writer: Writer) -> None:
        writer.list_(writer.form, "/Fields").pop()

    assert_changed(report_of(with_revision(stamps.stamp(sealed), edit), authority), "/Fields was changed")


def test_two_fields_of_the_same_name_fail_the_seal(
    sealed: bytes, stamps: Stamps, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are one field to a reader, which may take either for the seal."""
    usual = Writer.write

    def write(writer: Writer, stream: Any) -> None:
        writer.form["/Fields"][1]["/T"] = TextStringObject("Seal")
        usual(writer, stream)

    monkeypatch.setattr(Writer, "write", write)
    assert_changed(report_of(stamps.stamp(sealed, adding(), "Added"), authority), "two fields have the same name")


def test_a_file_that_lost_its_seal_is_not_signed(sealed: bytes, authority: Authority) -> None:
    without = with_revision(sealed, lambda writer: writer.list_(writer.form, "/Fields").clear())
    with pytest.raises(InvalidSignature, match="is not signed"):
        report_of(without, authority)


def test_fields_without_end_are_refused(sealed: bytes, authority: Authority) -> None:
    def edit(writer: Writer) -> None:
        added = writer.add_object(pdf_object({"T": "0"}))
        for level in range(1, 60):
            added = writer.add_object(pdf_object({"T": str(level), "Kids": [added, added]}))
        writer.list_(writer.form, "/Fields").append(added)

    with pytest.raises(InvalidSignature, match="more than 100000 fields"):
        report_of(with_revision(sealed, edit), authority)
