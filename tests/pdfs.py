"""PDFs made for tests: pages that say something, of any size, and PDFs that should not be signed."""

from collections.abc import Callable
from io import BytesIO

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

A4 = (595, 842)


def pdf(*texts: str, size: tuple[float, float] = A4, rotate: int = 0, version: str = "1.7") -> bytes:
    """One page for each text, which is near the page's upper left corner (before rotation)."""

    def fill(document: Pdf) -> None:
        for text in texts:
            page = document.add_blank_page(page_size=size)
            page.Resources = Dictionary(Font=Dictionary(F=helvetica(document)))
            content = f"BT /F 14 Tf 20 {size[1] - 40} Td ({text}) Tj ET".encode("latin-1")
            page.Contents = Stream(document, content)
            if rotate:
                page.Rotate = rotate

    return made(fill, force_version=version)


def made(fill: Callable[[Pdf], object], **save: object) -> bytes:
    """The PDF that `fill` makes of an empty one."""
    with Pdf.new() as document:
        fill(document)
        saved = BytesIO()
        document.save(saved, **save)  # type: ignore[arg-type]  # passed on as given
    return saved.getvalue()


def changed(content: bytes, change: Callable[[Pdf], object], **save: object) -> bytes:
    """The PDF after `change`."""
    with Pdf.open(BytesIO(content)) as document:
        change(document)
        saved = BytesIO()
        document.save(saved, **save)  # type: ignore[arg-type]  # passed on as given
    return saved.getvalue()


def encrypted(*, user: str, owner: str) -> bytes:
    """A page protected by a user password, an owner password or both."""
    return changed(pdf("Secret"), lambda _: None, encryption=pikepdf.Encryption(user=user, owner=owner))


def active_form() -> bytes:
    """A page with a field and notes, and with scripts, actions, links and files wherever a PDF can have them."""

    def fill(document: Pdf) -> None:
        script = Dictionary(S=Name.JavaScript, JS=String("app.alert('hostile')"))
        page = document.add_blank_page(page_size=A4)
        page.AA = Dictionary(O=script)
        page.Annots = Array([document.make_indirect(each) for each in _annotations(script)])
        fields = Array([each for each in page.Annots if Name.FT in each])
        document.Root.AcroForm = Dictionary(
            Fields=fields, NeedAppearances=True, DR=Dictionary(Font=Dictionary(F=helvetica(document)))
        )
        document.Root.OpenAction = Dictionary(S=Name.Launch, F=String("hostile.exe"))
        document.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("start"), script])))
        document.attachments["hostile.exe"] = pikepdf.AttachedFileSpec(document, b"MZ hostile", filename="hostile.exe")

    return made(fill)


def _annotations(script: Dictionary) -> list[Dictionary]:
    field = {"Type": Name.Annot, "Subtype": Name.Widget, "F": 4, "DA": String("/F 12 Tf 0 g")}
    note = {"Type": Name.Annot, "F": 4, "C": [1, 0, 0]}
    actions = [
        script,
        Dictionary(S=Name.URI, URI=String("javascript:hostile()")),
        Dictionary(S=Name.URI, URI=String("file:///hostile")),
        Dictionary(S=Name.Launch, F=String("hostile.exe")),
        Dictionary(S=Name.GoToR, F=String("hostile.pdf"), D=[0, Name.Fit]),
        Dictionary(S=Name.SubmitForm, F=String("http://hostile")),
        Dictionary(S=Name.Named, N=Name.Print),
    ]
    text = String("Blåbærskogen er rød og lang nok til å gå over flere linjer\nSlutt")
    return [
        Dictionary(
            **field, FT=Name.Tx, Ff=4096, T=String("text"), V=text, Rect=[50, 600, 250, 700], AA=Dictionary(K=script)
        ),
        Dictionary(**note, Subtype=Name.Square, Rect=[300, 600, 400, 700]),
        *(Dictionary(**note, Subtype=Name.Link, Rect=[50, 500, 90, 520], A=action) for action in actions),
        Dictionary(**note, Subtype=Name.FileAttachment, Rect=[50, 400, 70, 420]),
    ]


def helvetica(document: Pdf) -> pikepdf.Object:
    """One of the fonts that every reader has."""
    return document.make_indirect(
        Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
    )


def not_embedded(
    codes: bytes, *, font: str, encoding: str, ordering: str = "Identity", to_unicode: bytes = b"", mode: int = 0
) -> bytes:
    """A page with text of two bytes for each character, in a font that is not embedded."""

    def fill(document: Pdf) -> None:
        page = document.add_blank_page(page_size=A4)
        system = Dictionary(Registry=String("Adobe"), Ordering=String(ordering), Supplement=0)
        kind = Name.CIDFontType2 if ordering == "Identity" else Name.CIDFontType0
        descendant = _font(kind, font, CIDSystemInfo=system)
        used = Dictionary(Type=Name.Font, Subtype=Name.Type0, BaseFont=Name("/" + font), Encoding=Name("/" + encoding))
        used.DescendantFonts = Array([descendant])
        if to_unicode:
            used.ToUnicode = Stream(document, to_unicode)
        page.Resources = Dictionary(Font=Dictionary(F=used))
        page.Contents = Stream(document, f"BT {mode} Tr /F 40 Tf 40 700 Td <{codes.hex()}> Tj ET".encode())

    return made(fill)


def field(value: str) -> bytes:
    """A page with a text field of which a reader has to draw the value."""

    def fill(document: Pdf) -> None:
        page = document.add_blank_page(page_size=A4)
        text = Dictionary(Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T=String("name"), V=String(value), F=4)
        text.Rect, text.DA = Array([40, 700, 400, 730]), String("/F 20 Tf 0 g")
        page.Annots = Array([document.make_indirect(text)])
        fonts = Dictionary(Font=Dictionary(F=helvetica(document)))
        document.Root.AcroForm = Dictionary(Fields=page.Annots, NeedAppearances=True, DR=fonts, DA=text.DA)

    return made(fill)


def all_codes(font: str, codes: bytes) -> bytes:
    """A page with these codes in a standard font, each in a place of its own."""

    def fill(document: Pdf) -> None:
        page = document.add_blank_page(page_size=A4)
        used = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name("/" + font))
        if font not in {"Symbol", "ZapfDingbats"}:
            used.Encoding = Name.WinAnsiEncoding
        page.Resources = Dictionary(Font=Dictionary(F=used))
        places = [(20 + 30 * (number % 18), 800 - 40 * (number // 18)) for number in range(len(codes))]
        lines = [f"1 0 0 1 {x} {y} Tm <{code:02x}> Tj" for code, (x, y) in zip(codes, places, strict=True)]
        page.Contents = Stream(document, f"BT /F 14 Tf {' '.join(lines)} ET".encode())

    return made(fill)


def cyrillic(font: str) -> bytes:
    """A page that says «АБВ» in a font that is not embedded, as Windows programs make it."""

    def fill(document: Pdf) -> None:
        page = document.add_blank_page(page_size=A4)
        names = Array([192, Name.afii10017, Name.afii10018, Name.afii10019])
        encoding = Dictionary(BaseEncoding=Name.WinAnsiEncoding, Differences=names)
        widths = Array([600] * 3)
        used = _font(Name.TrueType, font, Encoding=encoding, FirstChar=192, LastChar=194, Widths=widths)
        page.Resources = Dictionary(Font=Dictionary(F=used))
        page.Contents = Stream(document, b"BT /F 40 Tf 40 700 Td (\xc0\xc1\xc2) Tj ET")

    return made(fill)


def _font(kind: Name, name: str, **more: object) -> Dictionary:
    metrics = {"Ascent": 900, "Descent": -200, "CapHeight": 700, "StemV": 80, "ItalicAngle": 0}
    descriptor = Dictionary(Type=Name.FontDescriptor, FontName=Name("/" + name), Flags=4, **metrics)
    descriptor.FontBBox = Array([0, -200, 1000, 900])
    return Dictionary(Type=Name.Font, Subtype=kind, BaseFont=Name("/" + name), FontDescriptor=descriptor, **more)


def slow_to_draw() -> bytes:
    """A small file whose page takes minutes to draw: a pattern of tiles that are next to nothing apart."""

    def fill(document: Pdf) -> None:
        page = document.add_blank_page(page_size=A4)
        tile = Stream(document, b"0 0 1 1 re f")
        tile.update({"/PatternType": 1, "/PaintType": 1, "/TilingType": 1, "/XStep": 0.0001, "/YStep": 0.0001})
        tile.BBox, tile.Resources = Array([0, 0, 1, 1]), Dictionary()
        page.Resources = Dictionary(Pattern=Dictionary(P=tile))
        page.Contents = Stream(document, b"/Pattern cs /P scn 0 0 595 842 re f")

    return made(fill)
