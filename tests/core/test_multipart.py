"""multipart/mixed as both official clients send it, and as nobody should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segl.core.errors import InvalidRequest
from segl.core.multipart import MOST_PARTS, parts, request_and_package

XML, ZIP = b"<request/>", b"PK\x03\x04 \r\n--not the boundary\r\n\0\xff"
JAVA = "multipart/mixed; charset=ISO-8859-1; boundary=Ab_12-xyz.()+"
DOTNET = 'multipart/mixed; boundary="11111111-2222-3333-4444-555555555555"'
QUOTED = 'Multipart/Mixed;Boundary="a b"'


def body(boundary: str, *contents: tuple[str, bytes], start: bytes = b"", end: bytes = b"\r\n") -> bytes:
    made = [f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n" for headers, content in contents]
    return b"".join([start, *made, f"--{boundary}--".encode(), end])


def java(*contents: tuple[str, bytes]) -> bytes:
    return body("Ab_12-xyz.()+", *contents)


REQUEST = ("Content-Type: application/xml", XML)
PACKAGE = ("Content-Type: application/octet-stream", ZIP)
FOUND = [("application/xml", XML), ("application/octet-stream", ZIP)]


@pytest.mark.parametrize(
    ("content_type", "sent"),
    [
        (JAVA, java(REQUEST, PACKAGE)),
        (
            DOTNET,
            body(
                "11111111-2222-3333-4444-555555555555",
                ("Content-Type: application/xml; charset=utf-8\r\nContent-Disposition: attachment", XML),
                ("Content-Disposition: attachment\r\ncontent-type:application/octet-stream", ZIP),
            ),
        ),
        (QUOTED, body("a b", REQUEST, PACKAGE)),
        (JAVA, body("Ab_12-xyz.()+", REQUEST, PACKAGE, start=b"a preamble\r\n", end=b"\r\nan epilogue")),
        (JAVA, body("Ab_12-xyz.()+", REQUEST, PACKAGE, start=b"\r\n", end=b"")),
        (JAVA, java(REQUEST, PACKAGE).replace(b"xyz.()+\r\n", b"xyz.()+ \t\r\n")),
    ],
)
def test_both_clients_shapes_are_read(content_type: str, sent: bytes) -> None:
    assert parts(content_type, sent) == FOUND


@pytest.mark.parametrize(
    "content", [b"one\r\n--Ab_12-xyz.()+more\r\ntwo --Ab_12-xyz.()+ three", b"one --Ab_12-xyz.()+\r\ntwo"]
)
def test_a_line_that_looks_like_the_boundary_in_part_is_content(content: bytes) -> None:
    assert parts(JAVA, java(("Content-Type: application/xml", content))) == [("application/xml", content)]


def test_a_create_request_has_its_xml_and_then_the_package() -> None:
    assert request_and_package(JAVA, java(REQUEST, PACKAGE)) == (XML, ZIP)
    with pytest.raises(InvalidRequest, match=r"needs two parts, .*: application/octet-stream, application/xml"):
        request_and_package(JAVA, java(PACKAGE, REQUEST))
    with pytest.raises(InvalidRequest, match="the parts that came are: none"):
        request_and_package(JAVA, java())


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\r\n\r\n", b"--", bytes(range(256)) * 300])
def test_any_content_comes_out_as_it_went_in(content: bytes) -> None:
    assert parts(JAVA, java(REQUEST, ("Content-Type: a/b", content)))[1] == ("a/b", content)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "multipart/mixed",
        'multipart/mixed; boundary=""',
        "multipart/form-data; boundary=Ab_12-xyz.()+",
        "application/xml",
        "text/plain; boundary=x",
        "\xff\xfe",
    ],
)
def test_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest, match="send multipart/mixed with a boundary"):
        parts(content_type, java(REQUEST, PACKAGE))


def test_a_body_cut_off_anywhere_is_refused() -> None:
    whole = java(REQUEST, PACKAGE).rstrip(b"\r\n")
    for length in range(len(whole)):
        with pytest.raises(InvalidRequest):
            parts(JAVA, whole[:length])


def test_another_boundary_than_was_named_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="before its closing boundary"):
        parts(JAVA, body("other", REQUEST, PACKAGE))


def test_too_many_parts_are_refused_at_once() -> None:
    assert len(parts(JAVA, java(*[REQUEST] * MOST_PARTS))) == MOST_PARTS
    with pytest.raises(InvalidRequest, match=f"more than {MOST_PARTS} parts"):
        parts(JAVA, java(*[("X: y", b"")] * 500_000))


@pytest.mark.parametrize("headers", ["X: " + "y" * 10_000, "no end"])
def test_a_part_without_an_end_to_its_headers_is_refused(headers: str) -> None:
    sent = java((headers, b"")).replace(b"no end\r\n\r\n", b"no end")
    with pytest.raises(InvalidRequest, match="headers"):
        parts(JAVA, sent)


@given(st.text(st.characters(max_codepoint=255)), st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(content_type: str, sent: bytes) -> None:
    for kind in (
        content_type,
        f"multipart/mixed; boundary={content_type}",
        f"multipart/mixed; boundary*={content_type}",
    ):
        try:
            parts(kind, sent)
        except InvalidRequest:
            continue


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_whatever_holds_no_boundary_comes_back(first: bytes, second: bytes) -> None:
    sent = body("0123456789abcdef", ("Content-Type: application/xml", first), ("A: b", second))
    assert [content for _, content in parts("multipart/mixed; boundary=0123456789abcdef", sent)] == [first, second]


@given(st.binary(max_size=100))
def test_the_headers_of_a_part_may_be_garbage(headers: bytes) -> None:
    sent = b"--b\r\n" + headers + b"\r\n\r\ncontent\r\n--b--"
    try:
        parts("multipart/mixed; boundary=b", sent)
    except InvalidRequest:
        return
