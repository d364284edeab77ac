"""ZIP archives: what ordinary programs write is read, what is ambiguous or too much is refused."""

import errno
import resource
import shutil
import struct
import tracemalloc
import zipfile
import zlib
from io import BytesIO
from mmap import mmap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates import NOW
from clients import zipped
from segl.core.asice import archive
from segl.core.asice.archive import ArchiveLimits
from segl.core.errors import InvalidPackage

FILES = {"kontrakt æ.pdf": b"%PDF-1.4" * 100, "manifest.xml": b"<m/>", "META-INF/signatures.xml": b""}
LIMITS = ArchiveLimits()


def _archive(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in members:
            target.writestr(zipfile.ZipInfo(name), content, compress_type=compression)
    return buffer.getvalue()


def test_what_is_written_is_read_back_in_its_order() -> None:
    data = b"".join(archive.write(list(FILES.items()), NOW))
    assert list(archive.read(data, LIMITS).items()) == list(FILES.items())
    with zipfile.ZipFile(BytesIO(data)) as other:
        assert other.testzip() is None
        assert {each.compress_type for each in other.infolist()} == {zipfile.ZIP_STORED}
        assert {each.date_time for each in other.infolist()} == {NOW.timetuple()[:6]}


def test_contents_are_written_without_a_copy() -> None:
    written = {id(piece) for piece in archive.write(list(FILES.items()), NOW)}
    assert {id(content) for content in FILES.values()} <= written


def test_what_is_written_unpacks_into_files_that_can_be_read(tmp_path: Path) -> None:
    """Rights would be taken from the archive if it said that it came from Unix."""
    (tmp_path / "a.zip").write_bytes(b"".join(archive.write([("a", b"content")], NOW)))
    shutil.unpack_archive(tmp_path / "a.zip", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"content"
    with zipfile.ZipFile(tmp_path / "a.zip") as other:
        assert other.getinfo("a").create_system == 0


@pytest.mark.parametrize("deflated", [True, False])
def test_archives_written_as_a_stream_are_read(deflated: bool) -> None:
    assert archive.read(zipped(FILES, deflated=deflated), LIMITS) == FILES


def test_folders_and_a_comment_are_passed_over() -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.comment = b"made by hand PK\x05\x06"[:13]
        target.mkdir("META-INF")
        target.writestr("META-INF/signatures.xml", b"x")
    assert archive.read(buffer.getvalue(), LIMITS) == {"META-INF/signatures.xml": b"x"}


@pytest.mark.parametrize(
    "name",
    ["../a", "a/../b", "/a", "a//b", "./a", "a\\b", "c:a", "a\x01b", "", "a/.."],
)
def test_unsafe_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidPackage, match="unsafe name"):
        archive.check_names([name])


@pytest.mark.parametrize(("one", "other"), [("a.pdf", "A.PDF"), ("\u00e6.pdf", "\u00c6.pdf"), ("\u00e5", "a\u030a")])
def test_names_that_some_system_takes_for_the_same_are_refused(one: str, other: str) -> None:
    with pytest.raises(InvalidPackage, match="two files called"):
        archive.read(_archive((one, b"1"), (other, b"2")), LIMITS)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(InvalidPackage, match="two files called 'a' and 'a'"):
        archive.read(_archive(("a", b"1"), ("a", b"2")), LIMITS)


def test_limits_are_named_with_what_went_over_them() -> None:
    with pytest.raises(InvalidPackage, match="has 65 members; at most 64"):
        archive.read(_archive(*((str(number), b"") for number in range(65))), LIMITS)
    with pytest.raises(InvalidPackage, match="is 138 bytes; at most 100"):
        archive.read(_archive(("aaaa", b"x" * 32)), ArchiveLimits(total_bytes=100))
    bomb = _archive(("a", bytes(20_000_000)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(InvalidPackage, match="unpacks to 20000000 bytes; at most"):
        archive.read(bomb, LIMITS)
    with pytest.raises(InvalidPackage, match="unpacks to more than 200 times its size"):
        archive.read(bomb, ArchiveLimits(total_bytes=30_000_000))


def test_an_empty_archive_is_read() -> None:
    assert archive.read(_archive(), LIMITS) == {}


def test_a_name_that_is_not_said_to_be_in_utf_8_is_in_the_first_code_page() -> None:
    data = bytearray(_archive(("ab", b"content")).replace(b"ab", b"\x91\x92"))
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", data, data.find(signature) + flags_at, 0x2)
    assert archive.read(bytes(data), LIMITS) == {"æÆ": b"content"}


@pytest.mark.parametrize("more", range(0, 300, 20))
def test_content_that_is_inflated_without_more_input_is_read(more: int) -> None:
    """The last piece may come after all that was packed has been taken."""
    content = bytes(64 * 1024 + more)
    assert archive.read(_archive(("a", content), compression=zipfile.ZIP_DEFLATED), LIMITS) == {"a": content}


def test_what_just_keeps_the_limits_is_read() -> None:
    assert len(archive.read(_archive(*((str(number), b"") for number in range(64))), LIMITS)) == 64
    stored = _archive(("a", b"content"))
    assert archive.read(stored, ArchiveLimits(total_bytes=len(stored))) == {"a": b"content"}
    deflated = _archive(("a", bytes(1024 * 1024)), compression=zipfile.ZIP_DEFLATED)
    assert len(archive.read(deflated, ArchiveLimits(total_bytes=1024 * 1024))["a"]) == 1024 * 1024
    with pytest.raises(InvalidPackage, match="unpacks to more than 200 times its size"):
        archive.read(_archive(("a", bytes(1024 * 1024 + 1)), compression=zipfile.ZIP_DEFLATED), LIMITS)


def test_a_member_that_unpacks_to_more_than_it_says_is_not_unpacked() -> None:
    data = bytearray(_archive(("a", bytes(5_000_000)), compression=zipfile.ZIP_DEFLATED))
    for signature, size_at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.find(signature) + size_at, 100)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidPackage, match="longer or shorter than its header says"):
            archive.read(bytes(data), LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


LARGE = bytes(range(256)) * 3000


def test_stored_content_is_a_view_of_the_archive_and_large_deflated_content_of_a_file() -> None:
    data = _archive(("a", LARGE))
    assert archive.read(data, LIMITS)["a"].obj is data
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert archive.read(_archive(("a", LARGE), compression=compression), LIMITS) == {"a": LARGE}
    assert isinstance(archive.read(_archive(("a", LARGE), compression=zipfile.ZIP_DEFLATED), LIMITS)["a"].obj, mmap)


@pytest.mark.parametrize("content", [b"small", LARGE, bytes(2_000_000)])
@pytest.mark.parametrize("more", [-1, 1, 1_000_000])
def test_deflated_content_of_another_size_than_told_is_refused(content: bytes, more: int) -> None:
    data = bytearray(_archive(("a", content), compression=zipfile.ZIP_DEFLATED))
    for signature, size_at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.find(signature) + size_at, len(content) + more)
    with pytest.raises(InvalidPackage, match="longer or shorter than its header says"):
        archive.read(bytes(data), ArchiveLimits(ratio=10_000))


def _deflated(content: bytes, packed: bytes) -> bytes:
    """An archive that says of its file `a` that it holds the content, deflated to `packed`."""
    data = bytearray(_archive(("a", packed)))
    for signature, method_at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = data.find(signature) + method_at
        struct.pack_into("<H", data, at, zipfile.ZIP_DEFLATED)
        struct.pack_into("<L", data, at + 6, zlib.crc32(content))
        struct.pack_into("<L", data, at + 14, len(content))
    return bytes(data)


def _packed(content: bytes, flush: int = zlib.Z_FINISH) -> bytes:
    deflating = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflating.compress(content) + deflating.flush(flush)


# A block that is stored: it ends with the first piece of 64 KiB that is inflated.
ONE_PIECE = LARGE[:65531]
OF_ONE_PIECE = b"\x01" + struct.pack("<2H", 65531, 65531 ^ 0xFFFF) + ONE_PIECE


@pytest.mark.parametrize(
    ("content", "packed"),
    [
        (LARGE[:1000], _packed(LARGE[:1000]) + b"x"),
        (LARGE[:1000], _packed(LARGE[:1000]) + bytes(100_000)),
        (ONE_PIECE, OF_ONE_PIECE + b"x"),
        (LARGE[:1000], _packed(LARGE[:1000])[:-20]),
        (LARGE[:1000], _packed(LARGE[:1000], zlib.Z_SYNC_FLUSH)),
    ],
    ids=["a byte more", "many more", "a byte more after a whole piece", "cut off", "not ended"],
)
def test_more_or_less_than_the_deflated_content_is_refused(content: bytes, packed: bytes) -> None:
    with pytest.raises(InvalidPackage, match="longer or shorter than its header says"):
        archive.read(_deflated(content, packed), LIMITS)
    assert archive.read(_deflated(content, _packed(content)), LIMITS) == {"a": content}


PLAIN = _archive(("first.pdf", b"content"), ("second", b"more"))


def _changed(at: int, new: bytes, data: bytes = PLAIN) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _with_first_until(position: int) -> bytes:
    """The first member is said to extend to there."""
    sizes = struct.pack("<2L", position - 39, position - 39)
    return _changed(18, sizes, _changed(PLAIN.find(b"PK\x01\x02") + 20, sizes))


CENTRAL, SECOND, END = PLAIN.find(b"PK\x01\x02"), PLAIN.rfind(b"PK\x01\x02"), PLAIN.find(b"PK\x05\x06")
BROKEN = {
    "no archive": (b"hello", "no end record"),
    "no archive of many bytes": (bytes(100), "no end record"),
    "end record cut off": (PLAIN[: END + 10], "no end record"),
    "on the second disk": (_changed(END + 4, b"\x01"), "its end record does not fit"),
    "directory on the second disk": (_changed(END + 6, b"\x01"), "its end record does not fit"),
    "members on other disks": (_changed(END + 8, b"\x01"), "its end record does not fit"),
    "member on the second disk": (_changed(CENTRAL + 34, b"\x01"), "its directory is damaged"),
    "more members than in its directory": (_changed(END + 8, b"\x03\0\x03"), "its directory is cut off"),
    "fewer members than in its directory": (_changed(END + 8, b"\x01\0\x01"), "directory does not end where it should"),
    "no header in its directory": (_changed(CENTRAL, b"XX"), "its directory is damaged"),
    "a name longer than its directory": (_changed(SECOND + 28, b"\xff\xff"), "its directory is damaged"),
    "no local header": (_changed(0, b"XX"), "two headers of first.pdf say different things"),
    "facts left out that do not follow": (
        _changed(14, bytes(12), _archive(("æ", b"content"))),
        "two headers of æ say different things",
    ),
    "deflated content that is none": (_deflated(b"content", b"\xff" * 20), "a is damaged"),
    "other facts than those that follow": (
        _changed(14, b"\x01", zipped({"first.pdf": b"content"})),
        "two headers of first.pdf say different things",
    ),
    "stored content of another size": (_changed(CENTRAL + 24, b"\x01", _changed(22, b"\x01")), "first.pdf is damaged"),
    "a local header beyond its end": (
        _changed(SECOND + 42, struct.pack("<L", len(PLAIN) - 10), _with_first_until(len(PLAIN) - 10)),
        "second is cut off",
    ),
    "empty": (b"", "no end record"),
    "cut off": (PLAIN[:-1], "no end record"),
    "bytes after it": (PLAIN + b"x", "does not fit its length"),
    "bytes before it": (b"x" + PLAIN, "does not fit its length"),
    "another time in the local header": (_changed(10, b"\x01"), "two headers of first.pdf say different things"),
    "another name in the local header": (_changed(30, b"F"), "two headers of first.pdf say different things"),
    "another size in the local header": (_changed(22, b"\x01"), "two headers of first.pdf say different things"),
    "another method in both headers": (
        _changed(CENTRAL + 10, b"\x0c", _changed(8, b"\x0c")),
        "packed by method 12; only stored and deflated",
    ),
    "encrypted": (_changed(CENTRAL + 8, b"\x01", _changed(6, b"\x01")), "first.pdf is encrypted"),
    "changed content": (_changed(39, b"C"), "first.pdf is damaged"),
    "a gap": (
        _archive(("first.pdf", b"content")).replace(b"content", b"content gap", 1),
        "does not fit its length",
    ),
    "a name that is not UTF-8": (
        _archive(("æ", b"")).replace("æ".encode(), b"\xff\xff"),
        "is not UTF-8",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_archive_is_refused_with_what_is_wrong(name: str) -> None:
    data, sentence = BROKEN[name]
    with pytest.raises(InvalidPackage, match=sentence):
        archive.read(data, LIMITS)


def _with_unicode_path(name: str, *, local: bool, central: bool) -> bytes:
    """An archive of one file `a`, to which extra fields give the name in either header or both."""
    field = struct.pack("<2HBL", 0x7075, 5 + len(name.encode()), 1, zlib.crc32(b"a")) + name.encode()
    fields = struct.pack("<2H2s", 0xCAFE, 2, b"xx") + field
    data = bytearray(_archive(("a", b"content")))
    for signature, length_at, after_name in ((b"PK\x01\x02", 30, 47), (b"PK\x03\x04", 28, 31)):
        if local if signature == b"PK\x03\x04" else central:
            at = data.find(signature)
            struct.pack_into("<H", data, at + length_at, len(fields))
            data[at + after_name : at + after_name] = fields
    directory, end = data.find(b"PK\x01\x02"), data.find(b"PK\x05\x06")
    struct.pack_into("<2L", data, end + 12, end - directory, directory)
    return bytes(data)


@pytest.mark.parametrize(("local", "central"), [(True, True), (True, False), (False, True)])
def test_an_extra_field_that_gives_another_name_is_refused(local: bool, central: bool) -> None:
    assert archive.read(_with_unicode_path("a", local=local, central=central), LIMITS) == {"a": b"content"}
    with pytest.raises(InvalidPackage, match="the file 'a', whose Unicode Path extra field calls it 'æ'; give it one"):
        archive.read(_with_unicode_path("æ", local=local, central=central), LIMITS)


def test_a_folder_with_content_is_refused() -> None:
    with pytest.raises(InvalidPackage, match="the folder META-INF/ has a content of 6 bytes"):
        archive.read(_archive(("META-INF/", b"hidden")), LIMITS)


def test_bytes_hidden_between_members_are_refused() -> None:
    hidden = b"hidden"
    data = bytearray(PLAIN)
    second = PLAIN.find(b"PK\x03\x04", 1)
    data[second:second] = hidden
    end = data.find(b"PK\x05\x06")
    struct.pack_into("<L", data, end + 16, CENTRAL + len(hidden))
    struct.pack_into("<L", data, data.rfind(b"PK\x01\x02") + 42, second + len(hidden))
    with zipfile.ZipFile(BytesIO(data)) as lenient:
        assert lenient.testzip() is None
    with pytest.raises(InvalidPackage, match="bytes before second that belong to no file"):
        archive.read(bytes(data), LIMITS)


def test_bytes_hidden_before_the_directory_are_refused() -> None:
    hidden = b"hidden"
    start = struct.pack("<L", CENTRAL + len(hidden))
    data = PLAIN[:CENTRAL] + hidden + _changed(END + 16, start)[CENTRAL:]
    with zipfile.ZipFile(BytesIO(data)) as lenient:
        assert lenient.testzip() is None
    with pytest.raises(InvalidPackage, match="bytes before its directory that belong to no file"):
        archive.read(data, LIMITS)


def test_a_data_descriptor_that_does_not_agree_is_refused() -> None:
    data = zipped({"a": b"content"})
    descriptor = data.find(b"PK\x07\x08")
    with pytest.raises(InvalidPackage, match="the data descriptor of a does not agree with its header"):
        archive.read(_changed(descriptor + 12, b"\xff", data), LIMITS)


def test_two_entries_for_one_member_are_refused() -> None:
    data = bytearray(_archive(("one.pdf", b"content"), ("two.pdf", b"content")))
    struct.pack_into("<L", data, data.rfind(b"PK\x01\x02") + 42, 0)
    with pytest.raises(InvalidPackage):
        archive.read(bytes(data), LIMITS)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(InvalidPackage):
        archive.read(data, LIMITS)


@given(st.integers(0, len(PLAIN) - 1), st.binary(min_size=1, max_size=4))
def test_an_archive_with_changed_bytes_says_the_same_or_is_refused(position: int, new: bytes) -> None:
    try:
        contents = archive.read(_changed(position, new)[: len(PLAIN)], LIMITS).values()
    except InvalidPackage:
        return
    assert list(contents) == [b"content", b"more"]


def test_a_full_disk_is_not_taken_for_a_damaged_package() -> None:
    """The limit makes the system write a part of what it was given, as a disk that fills up does."""
    data = _archive(("large.pdf", bytes(500_000)), compression=zipfile.ZIP_DEFLATED)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (499_000, hard))
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011 (its number is compared)
            archive.read(data, LIMITS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert archive.read(data, LIMITS) == {"large.pdf": bytes(500_000)}
