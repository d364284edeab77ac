"""What a program says of the files to be signed, and what it calls them."""

from pathlib import Path

import pytest

from segl.core.asice import archive, building
from segl.sdk import Document, FileType, InvalidDocument, Job


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("folder/contract.pdf", "contract.pdf"),
        ("CONTRACT.PDF", "CONTRACT.PDF"),
        ("avtale om kjøp.pdf", "avtale om kjøp.pdf"),
        ("a\u030a.pdf", "å.pdf"),
        ("two\nlines.pdf", "two_lines.pdf"),
        ("manifest.xml", "manifest.xml.pdf"),
        ("contract", "contract.pdf"),
        ("x" * 200 + ".pdf", "x" * 96 + ".pdf"),
        ("a:b.pdf", "a_b.pdf"),
        ("a\\b.pdf", "a_b.pdf"),
        ("..", "...pdf"),
        ("/", ".pdf"),
    ],
)
def test_a_document_keeps_its_files_name(path: str, name: str) -> None:
    assert Document("Title", "Message", FileType.PDF, path).file_name == name
    assert Document("Title", "Message", FileType.PDF, Path(path)).file_name == name


@pytest.mark.parametrize(("title", "name"), [("Avtale om kjøp!", "Avtale_om_kjøp.pdf"), ("?", "document.pdf")])
def test_a_document_from_bytes_is_named_after_its_title(title: str, name: str) -> None:
    assert Document(title, "Message", FileType.PDF, b"%PDF-").file_name == name


ODD = ("", ".", "..", "/", "a/b", "a:b", "a\\b.pdf", "\0", "\ud800", "\u202e", " ", ".pdf", "PDF", "x" * 300, "é" * 200)
ODD += (
    "😀" * 99,
    "META-INF",
    "manifest.xml",
    "con",
    "a.",
    "a\r\nb",
    "ſ",
    "ß",
    "ss",
    "İ",
    "%41",
    "a.PDF",
    "A.pdf",
    "a_2.pdf",
)


@pytest.mark.parametrize("times", [1, 2, 11])
def test_a_package_takes_every_name_that_a_file_gets(times: int) -> None:
    documents = [Document("T", None, FileType.PDF, path) for path in ODD] * times
    documents += [Document(title, None, FileType.TXT, b"Be kind.") for title in ODD] * times
    names = Job(documents, [], title="All").file_names

    archive.check_names([*names, building.MANIFEST, building.SIGNATURES])
    assert all(4 <= len(name) <= 100 for name in names)


@pytest.mark.parametrize(
    ("file_type", "content", "sentence"),
    [
        (FileType.PDF, b"", r"^Title\.pdf: The document is empty; give one that has content\.$"),
        (FileType.TXT, b"", r"^Title\.txt: The document is empty"),
        (FileType.PDF, b"Dear all", r"^Title\.pdf: The document is not a PDF; send one, or text as text/plain\.$"),
        (FileType.PDF, bytes(1020) + b"%PDF-1.7", "is not a PDF"),
        (FileType.TXT, b"bl\xe5", r"^Title\.txt: The text is not UTF-8 at byte 2"),
    ],
)
def test_a_document_is_what_it_is_said_to_be(
    file_type: FileType, content: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "Title").write_bytes(content)

    for file in (content, tmp_path / "Title"):
        with pytest.raises(InvalidDocument, match=sentence):
            Document("Title", None, file_type, file).read()
    assert Document("Title", None, FileType.PDF, bytes(1019) + b"%PDF-1.7").read()


@pytest.mark.parametrize("text", ["%PDF-1.7\n%…", "Dear all,\r\nbe kind.", 1001 * "x", "-----BEGIN CERTIFICATE-----"])
def test_a_content_that_was_given_as_a_path_is_not_shown(text: str) -> None:
    with pytest.raises(InvalidDocument, match="looks like its content: give content as bytes") as error:
        Document("Title", None, FileType.TXT, text).read()
    assert text not in str(error.value)
    assert error.value.__context__ is None


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"])
def test_a_path_that_no_system_accepts_is_reported(path: str) -> None:
    with pytest.raises(InvalidDocument, match=r"^Cannot read 'a"):
        Document("Title", None, FileType.TXT, path).read()
