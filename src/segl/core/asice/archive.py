"""ZIP archives as packages need them.

Reading is our own and strict: an archive that two programs could read differently, that hides bytes between its
members, or that unpacks to more than the limits is refused. The format is PKWARE's APPNOTE.TXT 6.3: stored and
deflated members, data descriptors; no ZIP64, encryption or splitting.

Reading copies nothing: what is stored comes out as views of the archive, and what is deflated and large is inflated
into a temporary file that is mapped.
"""

import mmap
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from struct import Struct, pack
from tempfile import TemporaryFile
from typing import NoReturn

from segl.core.errors import InvalidPackage


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What a package may hold: members, bytes (packed and unpacked), and how tightly it may be packed."""

    members: int = 64
    total_bytes: int = 12 * 1024 * 1024
    ratio: int = 200
    """Unpacked bytes per packed byte; looked at above 1 MiB only."""


# The fields that matter: signature, versions, flags, method, time, CRC, sizes, lengths, disk, offset. Others are 0.
_END = Struct("<4s4H2LH")
_CENTRAL = Struct("<4s4s2H4s3L4H6xL")
_LOCAL = Struct("<4s2s2H4s3L2H")
_VERSION = b"\x14\0"
"""2.0, and in the directory MS-DOS: programs unpack the files with rights of their own choice."""
_UTF8, _DESCRIPTOR, _ENCRYPTED = 0x800, 0x8, 0x1
_EXTRA = Struct("<2H")
_UNICODE_PATH = 0x7075
"""The extra field in which Info-ZIP gives a name in UTF-8, after a version and a checksum (APPNOTE.TXT, 4.6.9)."""
_BEFORE_UNICODE_NAME = 5
_STORED, _DEFLATED = 0, 8
_RATIO_MATTERS = 1024 * 1024
_INFLATED_IN_MEMORY = 256 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Member:
    """What the central directory says of a member."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    time: bytes
    crc: int
    packed: int
    size: int
    offset: int


def write(members: Sequence[tuple[str, bytes]], time: datetime) -> list[bytes]:
    """An archive of these members, stored, in their order: its pieces, the contents themselves among them."""
    check_names([name for name, _ in members])
    pieces: list[bytes] = []
    directory = b""
    offset = 0
    for name, content in members:
        raw_name, flags = name.encode(), 0 if name.isascii() else _UTF8
        size = len(content)
        facts = (flags, _STORED, _dos_time(time), zlib.crc32(content), size, size, len(raw_name), 0)
        header = _LOCAL.pack(b"PK\x03\x04", _VERSION, *facts) + raw_name
        pieces += (header, content)
        directory += _CENTRAL.pack(b"PK\x01\x02", _VERSION * 2, *facts, 0, 0, offset) + raw_name
        offset += len(header) + size
    count = len(members)
    return [*pieces, directory, _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), offset, 0)]


def _dos_time(time: datetime) -> bytes:
    """To two seconds, without a time zone (APPNOTE.TXT, 4.4.6)."""
    clock = time.hour << 11 | time.minute << 5 | time.second // 2
    return pack("<2H", clock, (time.year - 1980) << 9 | time.month << 5 | time.day)


def read(archive: bytes | memoryview, limits: ArchiveLimits) -> dict[str, memoryview]:
    """The archive's files by name, in its order, as views of it or of what was inflated. Raises `InvalidPackage`."""
    data = memoryview(archive)
    if len(data) > limits.total_bytes:
        raise InvalidPackage(f"The package is {len(data)} bytes; at most {limits.total_bytes} are accepted.")
    members, directory = _members(data, limits)
    check_names([each.name for each in members])
    total = sum(each.size for each in members)
    if total > limits.total_bytes:
        raise InvalidPackage(f"The package unpacks to {total} bytes; at most {limits.total_bytes} are accepted.")
    if total > _RATIO_MATTERS and total > limits.ratio * len(data):
        raise InvalidPackage(f"The package unpacks to more than {limits.ratio} times its size; do not pack it so much.")
    starts = _starts(data, members, directory)
    contents = {each.name: _content(data, each, starts[each.name]) for each in members}
    return {name: content for name, content in contents.items() if not name.endswith("/")}


def check_names(names: Sequence[str]) -> None:
    """Refuses names that lead out of a folder, and names that some file system takes for the same."""
    seen: dict[str, str] = {}
    for name in names:
        parts = name.removesuffix("/").split("/")
        if set(parts) & {"", ".", ".."} or re.search(r"[\\:\x00-\x1f\x7f]", name):
            raise InvalidPackage(
                f"The package has a file with the unsafe name {name[:100]!r}; use a plain relative name."
            )
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            raise InvalidPackage(
                f"The package has two files called {name[:100]!r} and {seen[key][:100]!r}; rename one of them."
            )
        seen[key] = name


def _broken(what: str) -> NoReturn:
    raise InvalidPackage(f"The package is not a ZIP file as it must be: {what}. Write it with an ordinary ZIP program.")


def _members(data: memoryview, limits: ArchiveLimits) -> tuple[list[_Member], int]:
    """The members, and where the central directory begins."""
    tail_at = max(0, len(data) - _END.size - 0xFFFF)
    in_tail = bytes(data[tail_at:]).rfind(b"PK\x05\x06")
    end = tail_at + in_tail
    if in_tail < 0 or len(data) - end < _END.size:
        _broken("it has no end record")
    _, disk, first_disk, on_disk, count, size, start, comment = _END.unpack_from(data, end)
    if end + _END.size + comment != len(data) or start + size != end or disk or first_disk or on_disk != count:
        _broken("its end record does not fit its length")
    if count > limits.members:
        raise InvalidPackage(f"The package has {count} members; at most {limits.members} are accepted.")
    members = []
    position = start
    for _ in range(count):
        member, position = _central_header(data, position, end)
        members.append(member)
    if position != end:
        _broken("its directory does not end where it should")
    return members, start


def _central_header(data: memoryview, position: int, end: int) -> tuple[_Member, int]:
    """The member that the header at `position` describes, and where the next header begins."""
    if position + _CENTRAL.size > end:
        _broken("its directory is cut off")
    signature, _, flags, method, time, crc, packed, size, name_length, extra, comment, disk, offset = (
        _CENTRAL.unpack_from(data, position)
    )
    name_at = position + _CENTRAL.size
    after = name_at + name_length + extra + comment
    if signature != b"PK\x01\x02" or after > end or disk:
        _broken("its directory is damaged")
    raw_name = bytes(data[name_at : name_at + name_length])
    member = _Member(_name(raw_name, flags), raw_name, flags, method, time, crc, packed, size, offset)
    if size and member.name.endswith("/"):
        _broken(f"the folder {member.name} has a content of {size} bytes")
    _check_extra(data[name_at + name_length : after - comment], member)
    return member, after


def _check_extra(extra: memoryview, member: _Member) -> None:
    """No extra field gives the member another name, by which some programs would go."""
    while len(extra) >= _EXTRA.size:
        kind, length = _EXTRA.unpack_from(extra)
        content, extra = bytes(extra[_EXTRA.size : _EXTRA.size + length]), extra[_EXTRA.size + length :]
        name = content[_BEFORE_UNICODE_NAME:]
        if kind == _UNICODE_PATH and name != member.name.encode():
            raise InvalidPackage(
                f"The package has the file {member.name[:100]!r}, whose Unicode Path extra field calls it "
                f"{name[:100].decode(errors='replace')!r}; give it one name, in UTF-8."
            )


def _name(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        _broken(f"the name {raw[:100]!r} is not UTF-8")


def _starts(data: memoryview, members: Sequence[_Member], directory: int) -> dict[str, int]:
    """Where each member's packed bytes start; the local headers agree and nothing lies between the members."""
    starts: dict[str, int] = {}
    position = 0
    for member in sorted(members, key=lambda each: each.offset):
        if member.offset != position:
            _broken(f"there are bytes before {member.name} that belong to no file")
        start = _start(data, member)
        starts[member.name] = start
        position = start + member.packed + _descriptor_length(data, start + member.packed, member)
    if position != directory:
        _broken("there are bytes before its directory that belong to no file")
    return starts


def _start(data: memoryview, member: _Member) -> int:
    """Where the member's packed bytes start; its local header says the same as the directory."""
    if member.offset + _LOCAL.size > len(data):
        _broken(f"{member.name} is cut off")
    signature, _, flags, method, time, crc, packed, size, name_length, extra = _LOCAL.unpack_from(data, member.offset)
    name_at = member.offset + _LOCAL.size
    stated = (crc, packed, size)
    facts = (member.crc, member.packed, member.size)
    follows = flags & _DESCRIPTOR and all(value in (0, fact) for value, fact in zip(stated, facts, strict=True))
    if (
        signature != b"PK\x03\x04"
        or (flags, method, time) != (member.flags, member.method, member.time)
        or data[name_at : name_at + name_length] != member.raw_name
        or not (stated == facts or follows)
    ):
        _broken(f"the two headers of {member.name} say different things")
    if flags & _ENCRYPTED:
        _broken(f"{member.name} is encrypted")
    start = int(name_at + name_length + extra)
    _check_extra(data[name_at + name_length : start], member)
    return start


def _descriptor_length(data: memoryview, position: int, member: _Member) -> int:
    """The length of the data descriptor, with or without its signature, that follows when a flag says so."""
    if not member.flags & _DESCRIPTOR:
        return 0
    facts = Struct("<3L").pack(member.crc, member.packed, member.size)
    for descriptor in (b"PK\x07\x08" + facts, facts):
        if data[position : position + len(descriptor)] == descriptor:
            return len(descriptor)
    _broken(f"the data descriptor of {member.name} does not agree with its header")


def _content(data: memoryview, member: _Member, start: int) -> memoryview:
    packed = data[start : start + member.packed]
    if member.method == _DEFLATED:
        content = _inflated(packed, member)
    elif member.method == _STORED:
        content = packed
    else:
        _broken(f"{member.name} is packed by method {member.method}; only stored and deflated are accepted")
    if len(content) != member.size or zlib.crc32(content) != member.crc:
        _broken(f"{member.name} is damaged")
    return content


def _inflated(packed: memoryview, member: _Member) -> memoryview:
    if member.size <= _INFLATED_IN_MEMORY:
        return memoryview(b"".join(_pieces(packed, member)))
    with TemporaryFile() as file:
        file.writelines(_pieces(packed, member))
        file.flush()
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _pieces(packed: memoryview, member: _Member) -> Iterator[bytes]:
    """The inflated content, piece by piece, and never more of it than the header says."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    taken = size = 0
    while not inflater.eof and size <= member.size:
        waiting: bytes | memoryview = inflater.unconsumed_tail
        if not waiting:
            waiting = packed[taken : taken + _PIECE]
            taken += len(waiting)
        try:
            piece = inflater.decompress(waiting, _PIECE)
        except zlib.error:
            _broken(f"{member.name} is damaged")
        if not waiting and not piece:
            break
        size += len(piece)
        yield piece
    if not inflater.eof or inflater.unused_data or taken < len(packed) or size != member.size:
        _broken(f"{member.name} is longer or shorter than its header says")
