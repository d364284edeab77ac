"""What may follow a seal: validation data and document timestamps (ETSI EN 319 142-1, 5.4), nothing else.

Each later revision is compared with the one before it, from the trailer down. Whatever it writes must be in one of the
few places that such additions have, and have no entries there but those listed here. An added object must be one that
the sealed file neither has nor refers to: else it would be shown where that file lacked something.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from typing import Any, BinaryIO, TypeVar

import pikepdf
from asn1crypto.parser import peek
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    FloatObject,
    IndirectObject,
    NameObject,
    NumberObject,
    Reference,
    StreamObject,
    TextStringObject,
)
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

_Kind = TypeVar("_Kind", DictionaryObject, ArrayObject)
_Check = Callable[[Any], bool]


def _of(*kinds: type) -> _Check:
    return lambda value: isinstance(value, kinds)


def _named(*names: str) -> _Check:
    return lambda value: isinstance(value, NameObject) and value in names


def _all(check: _Check, count: int | None = None) -> _Check:
    """An array of so many values that each pass."""
    return lambda value: isinstance(value, ArrayObject) and all(map(check, value)) and count in {None, len(value)}


def _has_no_area(value: Any) -> bool:
    return _all(_NUMBER, count=4)(value) and (value[0] == value[2] or value[1] == value[3])


_TEXT, _INTEGER, _NUMBER = _of(TextStringObject, ByteStringObject), _of(NumberObject), _of(NumberObject, FloatObject)
_REFERENCE, _NAME = _of(IndirectObject), _of(NameObject)
_FOLLOWED = _of(object)
"""Where the entry leads is checked apart."""

# The entries that each kind of dictionary may have, with what they may be.
_FIELD = {
    "/Type": _named("/Annot"),
    "/Subtype": _named("/Widget"),
    "/FT": _named("/Sig"),
    "/T": _TEXT,
    "/TU": _TEXT,
    "/V": _REFERENCE,
    "/P": _REFERENCE,
    "/Rect": _has_no_area,
    "/F": _INTEGER,
    "/Ff": _INTEGER,
    "/Kids": _all(_FOLLOWED, count=0),
    "/AP": _FOLLOWED,
}
_APPEARANCE = {"/N": _FOLLOWED}
_TIMESTAMP = {
    "/Type": _named("/DocTimeStamp"),
    "/Filter": _NAME,
    "/SubFilter": _named("/ETSI.RFC3161"),
    "/ByteRange": _all(_INTEGER, count=4),
    "/Contents": _TEXT,
    "/M": _TEXT,
    "/V": _INTEGER,
}
_STORE = {"/Type": _named("/DSS"), "/Certs": _FOLLOWED, "/CRLs": _FOLLOWED, "/OCSPs": _FOLLOWED, "/VRI": _FOLLOWED}
_OF_A_SIGNATURE = {
    "/Type": _named("/VRI"),
    "/Cert": _FOLLOWED,
    "/CRL": _FOLLOWED,
    "/OCSP": _FOLLOWED,
    "/TS": _FOLLOWED,
    "/TU": _TEXT,
}
_STREAM = {"/Length": _INTEGER, "/Filter": _named("/FlateDecode")}
_OBJECTS = _STREAM | {"/Type": _named("/ObjStm"), "/N": _INTEGER, "/First": _INTEGER}
_EXTENSION = {"/Type": _named("/DeveloperExtensions"), "/BaseVersion": _NAME, "/ExtensionLevel": _INTEGER}
_VERSION = _named(*(f"/1.{minor}" for minor in range(8)), "/2.0")

# What may differ from the revision before.
_OF_TRAILERS = {"/Size", "/Prev", "/ID", "/Type", "/W", "/Index", "/Length", "/Filter", "/DecodeParms"}
_OF_CATALOGS = {"/AcroForm", "/DSS", "/Extensions", "/Version"}
_DEVELOPERS = {"/ESIC", "/ADBE"}
"""Whose extensions declare a PAdES file: ETSI's (EN 319 142-1, 5.6), or Adobe's as EU DSS writes them."""


class UnexpectedAdditionError(Exception):
    """Something else was added or changed; the message is a clause that says what."""


def check_additions(reader: PdfFileReader, sealed_revision: int) -> int:
    """Make sure that nothing but validation data and document timestamps was added after a revision.

    Returns:
        How many timestamps were added; whether they hold is not judged.

    Raises:
        UnexpectedAdditionError: There is something else.
    """
    later = range(sealed_revision + 1, reader.xrefs.total_revisions)
    try:
        known = _known(reader, sealed_revision)
        return sum(_Revision(reader, each, known).check() for each in later)
    except (PdfError, pikepdf.PdfError) as error:
        raise UnexpectedAdditionError(f"what was added cannot be read ({error})") from None


def _known(reader: PdfFileReader, sealed_revision: int) -> set[int]:
    """The numbers of all objects that a revision has or refers to."""
    sealed = reader.get_historical_resolver(sealed_revision)
    refs = [reader.xrefs.explicit_refs_in_revision(each) for each in range(reader.xrefs.total_revisions)]
    own = set[Reference]().union(*refs[: sealed_revision + 1])
    written = set[Reference]().union(*refs[sealed_revision + 1 :])
    replaced = {number for each in own & written for number in _references(sealed(each))}
    return {each.idnum for each in own} | replaced | _mentioned(reader.stream, {each.idnum for each in written})


def _mentioned(file: BinaryIO, written: Collection[int]) -> set[int]:
    """The numbers of all objects to which the trailer refers, or an object that was not written later.

    qpdf reads them in a fiftieth of the time that pyHanko would take, and writes each reference in one way.
    """
    with pikepdf.open(file, attempt_recovery=False, suppress_warnings=True) as pdf:
        objects = list[Any](pdf.objects)  # of which null and numbers come as values of Python
        kept = [each for each in objects if isinstance(each, pikepdf.Object) and each.objgen[0] not in written]
        dictionaries = (each.stream_dict if isinstance(each, pikepdf.Stream) else each for each in kept)
        texts = b"\n".join(each.unparse(resolved=True) for each in (pdf.trailer, *dictionaries))
    without_strings = re.sub(rb"\((?:[^\\()]|\\.)*\)", b"", texts, flags=re.DOTALL)
    return {int(number) for number in re.findall(rb"\b(\d{1,10}) \d{1,5} R\b", without_strings)}


def _references(value: Any) -> Iterator[int]:
    """The numbers of the objects to which a value refers."""
    match value:
        case IndirectObject():
            yield value.idnum
        case DictionaryObject():
            yield from _references(ArrayObject(value.values()))
        case ArrayObject():
            for each in value:
                yield from _references(each)


class _Revision:
    """One later revision, compared with the one before."""

    def __init__(self, reader: PdfFileReader, number: int, known: set[int]) -> None:
        """`known` are the objects that may not become something else; those of this revision are added to it."""
        self._reader, self._number, self._known = reader, number, known
        self._old, self._new = (reader.get_historical_resolver(each) for each in (number - 1, number))
        self._written: set[Reference] = set()
        """The objects that are written otherwise than before."""
        self._explained: set[Reference] = set()
        self._lists: set[IndirectObject] = set()
        """The lists of the document security store that have been checked."""

    def check(self) -> int:
        """The number of timestamps that it adds. Raises `UnexpectedAdditionError`."""
        _require(not self._reader.xrefs.get_xref_data(self._number).freed, "objects were removed")
        refs = self._reader.xrefs.explicit_refs_in_revision(self._number)
        self._written = {each for each in refs if not self._is_as_before(each)}
        self._check_trailer()
        self._check_catalog()
        fields = self._check_form()
        for page in {field.get("/P") for field in fields.values() if "/P" in field}:
            self._check_page(page, [each for each, field in fields.items() if field.get("/P") == page])
        self._check_containers()
        self._known |= {each.idnum for each in self._explained}
        self._check_store()
        for each in sorted(self._written - self._explained, key=lambda each: each.idnum):
            raise UnexpectedAdditionError(f"object {each.idnum} was added or changed")
        return len(fields)

    def _check_trailer(self) -> None:
        trailers = self._reader.trailer._trailer_revisions  # noqa: SLF001 (others inherit what a trailer lacks)
        _check_unchanged(trailers[-self._number], trailers[-1 - self._number], _OF_TRAILERS, "the trailer")

    def _check_catalog(self) -> None:
        self._explained.add(self._new.root_ref)
        old, new = self._old.root, self._new.root
        _check_unchanged(old, new, _OF_CATALOGS, "the catalog")
        if not _is_same(old.get("/Version"), new.get("/Version")):
            _require(_VERSION(new.get("/Version")), "the catalog has another /Version")
        before, after = self._entry(old, new, "/Extensions", DictionaryObject)
        _check_unchanged(before, after, _DEVELOPERS, "the catalog's /Extensions")
        for key in _DEVELOPERS:
            if not _is_same(before.get(key), after.get(key)):
                declared = self._added(after.get(key))
                for each in declared if isinstance(declared, ArrayObject) else [declared]:
                    _check_shape(self._added(each), _EXTENSION, f"the extension {key}")

    def _check_form(self) -> dict[IndirectObject, Any]:
        """The new fields, by reference."""
        old, new = self._entry(self._old.root, self._new.root, "/AcroForm", DictionaryObject)
        _check_unchanged(old, new, {"/Fields"}, "the form")
        fields = {each: self._field(each) for each in self._appended(old, new, "/Fields")}
        names = [each.get_object().get("/T") for each in new.get("/Fields", ArrayObject()).get_object()]
        _require(all(names.count(each["/T"]) == 1 for each in fields.values()), "two fields have the same name")
        return fields

    def _field(self, raw: IndirectObject) -> Any:
        field = _check_shape(self._added(raw), _FIELD, "an added field", needed={"/FT", "/T", "/V"})
        value = field.get("/V")
        _require(value.reference in self._written, "an added field has an earlier signature")
        _check_shape(self._added(value), _TIMESTAMP, "an added signature", needed=_TIMESTAMP.keys() - {"/M", "/V"})
        if "/AP" in field:
            appearance = _check_shape(self._added(field.get("/AP")), _APPEARANCE, "an added appearance")
            if "/N" in appearance:
                _check_shape(self._added(appearance.get("/N")), {}, "an added appearance")
        return field

    def _check_page(self, raw: IndirectObject, widgets: Collection[IndirectObject]) -> None:
        """A page may get the widgets of the new fields that name it."""
        old, new = self._old(raw.reference), self._new(raw.reference)
        _require(type(old) is type(new) is DictionaryObject, "an added field is on something else than a page")
        _require(old.get("/Type") == "/Page", "an added field is on something else than a page")
        _check_unchanged(old, new, {"/Annots"}, "a page")
        self._explained.add(raw.reference)
        _require(all(each in widgets for each in self._appended(old, new, "/Annots")), "a page has another annotation")

    def _check_store(self) -> None:
        """The document security store, as it is in this revision."""
        store = self._new.root.get("/DSS")
        if store is None:
            _require("/DSS" not in self._old.root, "the /DSS was removed")
            return
        store = _check_shape(self._added(store), _STORE, "the /DSS")
        self._check_values(store, ("/Certs", "/CRLs", "/OCSPs"))
        if "/VRI" not in store:
            return
        by_signature = self._added(store.get("/VRI"))
        _require(type(by_signature) is DictionaryObject, "the /VRI is not a dictionary")
        for name, raw in by_signature.items():
            _require(re.fullmatch("/[0-9A-F]{40}", name) is not None, f"the /VRI has {name}")
            values = _check_shape(self._added(raw), _OF_A_SIGNATURE, "an entry of the /VRI")
            self._check_values(values, ("/Cert", "/CRL", "/OCSP"))
            if "/TS" in values:
                self._check_value(values.get("/TS"))

    def _check_values(self, store: DictionaryObject, keys: Iterable[str]) -> None:
        for key in keys:
            raw = store.get(key, ArrayObject())
            if isinstance(raw, IndirectObject):
                if raw in self._lists:
                    continue
                self._lists.add(raw)
            values = self._added(raw)
            _require(_all(_REFERENCE)(values), f"{key} is not a list of streams")
            for each in values:
                self._check_value(each)

    def _check_value(self, raw: Any) -> None:
        """A certificate, CRL, OCSP response or token: one DER sequence."""
        if isinstance(raw, IndirectObject) and raw.reference not in self._written:
            return  # it was there before
        stream = self._added(raw)
        _require(isinstance(stream, StreamObject), "the /DSS refers to something else than a stream")
        _check_shape(stream, _STREAM, "a stream of the /DSS")
        _require(_is_der(stream.data), "a stream of the /DSS is not DER")

    def _check_containers(self) -> None:
        """Streams that hold objects, each of which the table lists, or the cross-reference table."""
        xrefs = self._reader.xrefs
        listed = Counter(each.obj_stream_id for each in xrefs.get_xref_data(self._number).xrefs_in_objstm.values())
        for number, count in listed.items():
            self._explain(Reference(number))
            if Reference(number) in self._written:
                stream = _check_shape(self._new(Reference(number)), _OBJECTS, "an object stream", needed={"/N"})
                _require(stream.get("/N") == count, "an object stream has objects that some programs do not see")
        if table := xrefs.get_xref_container_info(self._number).stream_ref:
            self._explain(table)

    def _entry(self, old: DictionaryObject, new: DictionaryObject, key: str, kind: type[_Kind]) -> tuple[_Kind, _Kind]:
        """What an entry was and is, in place or elsewhere; empty if it was not there."""
        before, after = old.get(key), new.get(key)
        _require(before is None or after is not None, f"{key} was removed")
        if before is not None and before == after and isinstance(after, IndirectObject):
            self._explained.add(after.reference)
        was = kind() if before is None else before.get_object()
        now = kind() if after is None else self._added(after)
        _require(type(was) is type(now) is kind, f"{key} is of another kind")
        return was, now

    def _appended(self, old: DictionaryObject, new: DictionaryObject, key: str) -> list[IndirectObject]:
        """What a list of objects has in addition, at its end."""
        before, after = self._entry(old, new, key, ArrayObject)
        _require(_is_same(before, ArrayObject(list(after)[: len(before)])), f"{key} was changed")
        added = list(after)[len(before) :]
        _require(all(map(_REFERENCE, added)), f"{key} has something else than objects")
        return added

    def _added(self, raw: Any) -> Any:
        """A value that was added, direct or as an object; what has been explained may be there already."""
        if not isinstance(raw, IndirectObject):
            return raw
        self._explain(raw.reference)
        return self._new(raw.reference)

    def _explain(self, reference: Reference) -> None:
        if reference in self._written - self._explained:
            _require(reference.idnum not in self._known, f"object {reference.idnum} was changed")
            self._explained.add(reference)

    def _is_as_before(self, reference: Reference) -> bool:
        """Some programs write an object again that they did not change."""
        existed = self._reader.xrefs.get_historical_ref(reference, self._number - 1) is not None
        return existed and _is_same(self._old(reference), self._new(reference))


def _require(condition: bool, clause: str) -> None:
    if not condition:
        raise UnexpectedAdditionError(clause)


def _check_shape(value: Any, shape: Mapping[str, _Check], what: str, needed: Set[str] = frozenset()) -> Any:
    """The dictionary, whose entries are those of the shape."""
    _require(isinstance(value, DictionaryObject), f"{what} is not a dictionary")
    for key, raw in value.items():
        _require(key in shape, f"{what} has {key}")
        _require(shape[key](raw), f"{what} has another {key} than allowed")
    _require(needed <= value.keys(), f"{what} lacks {', '.join(sorted(needed - value.keys()))}")
    return value


def _check_unchanged(old: Any, new: Any, but: Collection[str], what: str) -> None:
    for key in (old.keys() | new.keys()) - but:
        _require(_is_same(old.get(key), new.get(key)), f"{what} has another {key}")


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are written alike; references need only be to the same object."""
    if type(one) is not type(other):
        return False
    if isinstance(one, StreamObject) and one.encoded_data != other.encoded_data:
        return False
    if isinstance(one, DictionaryObject):
        return one.keys() == other.keys() and all(_is_same(one.get(key), other.get(key)) for key in one)
    if isinstance(one, ArrayObject):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _is_der(data: bytes) -> bool:
    try:
        return data[:1] == b"0" and peek(data) == len(data)
    except ValueError:
        return False
