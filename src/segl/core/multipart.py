"""Reads a `multipart/mixed` body (RFC 2046) as the clients send it: parts with or without names, as views of it."""

import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import islice, pairwise

from segl.core.errors import InvalidRequest

MOST_HEADER_BYTES = 8 * 1024
MOST_PARTS = 8


def request_and_package(content_type: str, body: bytes | memoryview) -> tuple[memoryview, memoryview]:
    """The two parts that a create request consists of: its XML and the document package.

    Raises:
        InvalidRequest: It has others, or it is not multipart/mixed as it must be.
    """
    found = parts(content_type, body)
    if [media_type for media_type, _ in found] != ["application/xml", "application/octet-stream"]:
        kinds = ", ".join(media_type for media_type, _ in found) or "none"
        raise InvalidRequest(
            "The request needs two parts, application/xml and then application/octet-stream; the parts that came are: "
            f"{kinds}."
        )
    (_, request_xml), (_, package) = found
    return request_xml, package


def parts(content_type: str, body: bytes | memoryview) -> list[tuple[str, memoryview]]:
    """The parts of the body, each as its media type and a view of its bytes.

    Raises:
        InvalidRequest: It is not multipart/mixed, it ends before its last boundary, or it has too many parts.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/mixed" or not boundary:
        raise InvalidRequest(
            f"The request has the content type {content_type!r}: send multipart/mixed with a boundary, the XML of the "
            "request first and the document package second."
        )
    view = memoryview(body)
    delimiters = list(islice(_delimiters(boundary.encode(), view), MOST_PARTS + 2))
    if len(delimiters) > MOST_PARTS + 1:
        raise InvalidRequest(f"The multipart body has more than {MOST_PARTS} parts: send the request and the package.")
    return [_part(view[end:start]) for (_, end), (start, _) in pairwise(delimiters)]


def _delimiters(boundary: bytes, body: memoryview) -> Iterator[tuple[int, int]]:
    """Where each delimiter starts and ends, up to the closing one."""
    for found in re.finditer(re.escape(b"--" + boundary), body):
        start, position = found.span()
        closing = bytes(body[position : position + 2]) == b"--"
        # What merely looks like a delimiter is content: delimiters are on separate lines.
        begins_line = start == 0 or bytes(body[max(start - 2, 0) : start]) == b"\r\n"
        if begins_line and (closing or _ends_line(body, position)):
            yield max(start - 2, 0), position
            if closing:
                return
    raise InvalidRequest("The multipart body ends before its closing boundary: send all of it.")


def _ends_line(body: memoryview, position: int) -> bool:
    return bytes(body[position : position + 80]).lstrip(b" \t").startswith(b"\r\n")


def _part(part: memoryview) -> tuple[str, memoryview]:
    head, separator, _ = bytes(part[: MOST_HEADER_BYTES + 4]).partition(b"\r\n\r\n")
    if not separator:
        raise InvalidRequest("A part of the multipart body has no headers, or headers without an end.")
    return BytesHeaderParser().parsebytes(head.lstrip()).get_content_type(), part[len(head) + len(separator) :]
