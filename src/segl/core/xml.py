"""XML as we read and write it: no DTD, entities or network, bounded size and depth; canonical form; times."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from lxml import etree

from segl.core.errors import InvalidMessage

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_ATTRIBUTES = 64
"""Of one element; and as many namespaces may be in scope. What canonical form costs grows with the square of both."""
NOT_XML = r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
"""A character that XML 1.0 cannot carry (2.2, Char). An expression of those that it can takes long to compile."""
_XML = "http://www.w3.org/XML/1998/namespace"


def parse(
    data: bytes | memoryview, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, keep_pis: bool = False
) -> etree._Element:
    """The root element of `data`, without comments and, unless they are kept, processing instructions.

    Raises `InvalidMessage` when it is not well-formed, too large (bytes), too deep (elements), has a DTD, or more
    attributes or namespaces in one place than `MAX_ATTRIBUTES`.
    """
    if len(data) > max_bytes:
        raise InvalidMessage(f"The XML is {len(data)} bytes; at most {max_bytes} are accepted.")
    root = _parse_safely(bytes(data), keep_pis=keep_pis)
    if root.getroottree().docinfo.doctype:
        raise InvalidMessage("The XML has a DOCTYPE; send it without one (DTDs and entities are not accepted).")
    _check_measures(root, max_depth)
    return root


def _parse_safely(data: bytes, *, keep_pis: bool) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=not keep_pis,
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InvalidMessage(f"The XML is not well-formed: {error.args[0]}.") from None


def _check_measures(root: etree._Element, max_depth: int) -> None:
    depth = namespaces = 0
    for event, found in etree.iterwalk(root, events=("start", "end", "start-ns", "end-ns")):
        depth += (event == "start") - (event == "end")
        namespaces += (event == "start-ns") - (event == "end-ns")
        if depth > max_depth:
            raise InvalidMessage(f"The XML nests elements deeper than {max_depth} levels.")
        attributes = len(found.attrib) if event == "start" else 0  # type: ignore[union-attr]  # the element
        if max(namespaces, attributes) > MAX_ATTRIBUTES:
            raise InvalidMessage(f"The XML has more than {MAX_ATTRIBUTES} namespaces or attributes in one place.")


def canonical(element: etree._Element, *, exclusive: bool) -> bytes:
    """Canonical XML 1.0 of `element`, no comments (and 1.1, the same as no xml: attribute is inherited).

    lxml writes a wrong xmlns="" for a subelement that inherits a default namespace over several levels; so
    the element becomes a document of its own first, which carries the namespaces it inherited.

    Raises `InvalidMessage` for what has no canonical form, such as a relative namespace (Canonical XML 1.0, 1.3), and
    for xml: attributes around it, which would be part of its inclusive form.
    """
    if not exclusive:
        _check_inherits_no_xml_attribute(element)
    alone = _parse_safely(etree.tostring(element, encoding="UTF-8", with_tail=False), keep_pis=True)
    try:
        return etree.tostring(alone, method="c14n", exclusive=exclusive, with_comments=False)
    except etree.C14NError as error:
        raise InvalidMessage(f"The XML has no canonical form: {error}.") from None


def _check_inherits_no_xml_attribute(element: etree._Element) -> None:
    for around in element.iterancestors():
        for name in around.attrib:
            if etree.QName(name).namespace == _XML:
                local = etree.QName(name).localname
                raise InvalidMessage(f"{etree.QName(around).localname} has the attribute xml:{local}; leave it out.")


_DATE_TIME = (
    r"(?P<date>\d{4}-\d\d-\d\d)T(?P<hour>\d\d)(?P<rest>:\d\d:\d\d)(?P<fraction>\.\d+)?"
    r"(?P<zone>Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))?"
)


def parse_date_time(text: str, *, without_offset: str | None = None) -> datetime:
    """An aware date-time from an xs:dateTime (years 1 to 9999, to the microsecond).

    A text without an offset is read in the time zone named `without_offset` and returned in UTC, or refused if none is
    named.
    Raises `ValueError` with half a sentence.
    """
    match = re.fullmatch(_DATE_TIME, text.strip(" \t\r\n"), re.ASCII)
    if not match:
        raise ValueError("is not a date-time such as 2026-01-31T12:00:00+01:00")
    midnight_after = match["hour"] == "24" and match["rest"] == ":00:00" and not (match["fraction"] or "").strip(".0")
    hour = "00" if midnight_after else match["hour"]
    fraction = (match["fraction"] or "")[:7]
    zone = None if match["zone"] or without_offset is None else _zone(without_offset)
    try:
        value = datetime.fromisoformat(f"{match['date']}T{hour}{match['rest']}{fraction}{match['zone'] or ''}")
        value += timedelta(days=midnight_after)
        if zone is not None:
            value = value.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is not a date-time that exists ({error})") from None
    if value.tzinfo is None:
        raise ValueError("has no offset; write it with one, such as 2026-01-31T12:00:00+01:00")
    return value


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # most times have an offset

    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        raise ValueError("has no offset, and no time zones are known here (pip install tzdata)") from None


def format_date_time(value: datetime) -> str:
    """An xs:dateTime with offset; fractions of a second only when there are any. `value` must be aware."""
    if value.tzinfo is None:
        raise ValueError("the date-time has no time zone")
    return value.isoformat()
