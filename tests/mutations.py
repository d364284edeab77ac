"""Requests to create a job that are almost right: a valid one with one part changed at random."""

import random
from collections.abc import Callable

from builders import manifest
from pdfs import pdf
from segl.core import asice
from segl.core.asice import PackageFile
from segl.core.keys import PrivateKey
from segl.core.protocol import PortalJobRequest
from segl.service import clock

MULTIPART = "multipart/mixed; boundary=0123456789"
CONTRACT = pdf("Avtale")
Change = Callable[[random.Random, bytes], bytes]


def flipped(chosen: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chosen.choice([1, 1, 1, 8])):
        changed[chosen.randrange(len(changed))] ^= 1 << chosen.randrange(8)
    return bytes(changed)


def cut(chosen: random.Random, data: bytes) -> bytes:
    at = chosen.randrange(len(data))
    return data[:at] + data[at + chosen.choice([1, 4, 100]) :]


def doubled(chosen: random.Random, data: bytes) -> bytes:
    start = chosen.randrange(len(data))
    end = start + chosen.choice([1, 16, 400])
    return data[:end] + data[start:end] + data[end:]


def inserted(chosen: random.Random, data: bytes) -> bytes:
    at = chosen.randrange(len(data))
    return data[:at] + chosen.choice([b"\0", b"<", b"&", b"\xff\xfe", b"PK\x05\x06", b"--0123456789\r\n"]) + data[at:]


def moved(chosen: random.Random, data: bytes) -> bytes:
    """Two of its lines or elements have changed places."""
    parts = data.split(b">") if b"<" in data[:10] else data.split(b"\n")
    one, other = chosen.randrange(len(parts)), chosen.randrange(len(parts))
    parts[one], parts[other] = parts[other], parts[one]
    return (b">" if b"<" in data[:10] else b"\n").join(parts)


CHANGES: list[Change] = [flipped, cut, doubled, inserted, moved]


def sent(key: PrivateKey, change: Change, where: str, chosen: random.Random) -> bytes:
    """A create request with one part changed: what is signed is changed before it is signed."""

    def maybe(part: str, data: bytes) -> bytes:
        return change(chosen, data) if part == where else data

    package = asice.build(
        manifest=maybe("manifest", manifest().to_xml()),
        documents=[PackageFile("0001_dokument.pdf", "application/pdf", maybe("document", CONTRACT))],
        key=key,
        signing_time=clock.wall(),
    )
    whole = (
        b"--0123456789\r\nContent-Type: application/xml\r\n\r\n"
        + maybe("request", PortalJobRequest("ref").to_xml())
        + b"\r\n--0123456789\r\nContent-Type: application/octet-stream\r\n\r\n"
        + maybe("package", package)
        + b"\r\n--0123456789--\r\n"
    )
    return maybe("body", whole)


PARTS = ["request", "manifest", "document", "package", "body"]
"""What `sent` can change."""
