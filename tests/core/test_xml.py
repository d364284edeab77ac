"""What XML is accepted at all, and how it is canonicalized."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from lxml import etree

from segl.core.errors import InvalidMessage
from segl.core.xml import canonical, format_date_time, parse, parse_date_time

ENTITIES = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not well-formed"),
        (b"hello", "not well-formed"),
        (b"<a><b></a>", "not well-formed"),
        (b"<a>\x00</a>", "not well-formed"),
        (b"<a>&outside;</a>", "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "not well-formed"),
        (b"<!DOCTYPE a><a/>", "DOCTYPE"),
        ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "DOCTYPE"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DOCTYPE"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "DOCTYPE"),
        (f"<!DOCTYPE a [{ENTITIES}]><a>&a9;</a>".encode(), "DOCTYPE|amplification"),
        (b"<a>" * 33 + b"</a>" * 33, "deeper than 32"),
        (b"<a>" * 1000 + b"</a>" * 1000, "depth|deeper"),
        (b"<a>" + b" " * 1_000_000 + b"</a>", "at most 1000000"),
        (b"<a " + b" ".join(b'b%d="1"' % n for n in range(65)) + b"/>", "more than 64"),
        (b"<a " + b" ".join(b'xmlns:n%d="urn:n"' % n for n in range(65)) + b"/>", "more than 64"),
        (
            b"".join(b'<a xmlns:n%d="urn:a" xmlns:m%d="urn:b" xmlns:o%d="urn:c">' % (n, n, n) for n in range(32))
            + b"</a>" * 32,
            "64",
        ),
    ],
)
def test_forbidden_xml_is_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(InvalidMessage, match=sentence):
        parse(data)


def test_no_file_is_read_for_an_entity(tmp_path: Path) -> None:
    """What is in this one would make the whole ill-formed."""
    broken = tmp_path / "broken.xml"
    broken.write_text("<")
    with pytest.raises(InvalidMessage, match="DOCTYPE"):
        parse(f'<!DOCTYPE a [<!ENTITY x SYSTEM "{broken.as_uri()}">]><a>&x;</a>'.encode())


def test_what_just_keeps_the_limits_is_read() -> None:
    assert parse(b"<a>" * 32 + b"</a>" * 32).tag == "a"
    assert len(parse(b"<a " + b" ".join(b'b%d="1"' % n for n in range(64)) + b"/>").attrib) == 64


def test_namespaces_are_counted_where_they_are_in_scope() -> None:
    assert len(parse(b"<a>" + b'<b xmlns:n="urn:n" c="1"/>' * 1000 + b"</a>")) == 1000


def test_entities_in_attributes_do_not_grow() -> None:
    with pytest.raises(InvalidMessage):
        parse(f'<!DOCTYPE a [{ENTITIES}]><a b="&a9;"/>'.encode())


def test_comments_and_processing_instructions_do_not_split_a_text() -> None:
    assert parse(b"<a>12<!-- 3 -->4<?x y?>5</a>").text == "1245"


def test_canonical_form_keeps_inherited_namespaces_and_has_no_empty_default() -> None:
    inner = parse(b'<a xmlns="urn:a" xmlns:p="urn:p"><b><c Id="1" A="2"><d/></c></b></a>')[0][0]
    assert canonical(inner, exclusive=False) == b'<c xmlns="urn:a" xmlns:p="urn:p" A="2" Id="1"><d></d></c>'
    assert canonical(inner, exclusive=True) == b'<c xmlns="urn:a" A="2" Id="1"><d></d></c>'


def test_canonical_form_does_not_take_the_text_that_follows() -> None:
    root = etree.fromstring("<a><b>x&#13;</b>tail</a>")
    assert canonical(root[0], exclusive=False) == b"<b>x&#xD;</b>"


def test_canonical_form_has_the_instructions_that_were_kept() -> None:
    data = b"<a><?b c?></a>"
    assert canonical(parse(data, keep_pis=True), exclusive=True) == data


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2016-02-10T12:00:00+01:00", datetime(2016, 2, 10, 12, tzinfo=timezone(timedelta(hours=1)))),
        (" 2016-02-10T12:00:00Z\n", datetime(2016, 2, 10, 12, tzinfo=UTC)),
        ("2016-02-10T12:00:00.1234567891Z", datetime(2016, 2, 10, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2016-02-10T24:00:00.0Z", datetime(2016, 2, 11, tzinfo=UTC)),
        ("2016-02-10T12:00:00", datetime(2016, 2, 10, 11, tzinfo=UTC)),
        ("2016-10-30T02:30:00", datetime(2016, 10, 30, 0, 30, tzinfo=UTC)),
    ],
)
def test_date_times_of_the_schema_are_read(text: str, time: datetime) -> None:
    assert parse_date_time(text, without_offset="Europe/Oslo") == time


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("yesterday", "is not a date-time such as"),
        ("2016-02-10", "is not a date-time such as"),
        ("2016-02-10T12:00:00+0100", "is not a date-time such as"),
        ("2016-02-10T12:00:00+14:01", "is not a date-time such as"),
        ("2016-02-30T12:00:00Z", "that exists"),
        ("2016-02-10T24:00:01Z", "that exists"),
        ("2016-02-10T24:00:00.1Z", "that exists"),
        ("9999-12-31T24:00:00Z", "that exists"),
        ("2016-02-10T12:00:00", "has no offset"),
    ],
)
def test_other_date_times_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_date_time(text)


def test_a_time_before_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="that exists"):
        parse_date_time("0001-01-01T00:00:00", without_offset="Europe/Oslo")


def test_a_time_without_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        format_date_time(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test
