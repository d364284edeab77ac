"""How large the picture of a page becomes, and in which format it is smallest."""

from io import BytesIO
from math import sqrt

from PIL import Image

LONGEST_SIDE = 16_383
"""In pixels; WebP has no larger pictures."""
JPEG_QUALITY = 80
MOST_COLOURS = 1024
"""Pages of text and drawings have fewer; to pack more without loss takes ten times as long."""
BACKGROUND = 0.5
"""The least share of a page of text or drawings that one colour, its background, covers; a scanned one has none."""


def picture_size(width: float, height: float, *, wanted: int, pixels: int) -> tuple[int, int]:
    """Width and height in pixels of the picture of a page of these sides: `wanted` pixels wide.

    It is less wide if it would otherwise have more than that number of pixels, or a side longer than `LONGEST_SIDE`.
    """
    ratio = height / width
    fitting = max(1, int(min(wanted, LONGEST_SIDE, LONGEST_SIDE / ratio, sqrt(pixels / ratio))))
    return fitting, max(1, round(fitting * ratio))


def encode(picture: Image.Image) -> bytes:
    """The picture as JPEG, or as lossless WebP where that is smaller too."""
    photo = _saved(picture, "JPEG", quality=JPEG_QUALITY)
    colours = picture.getcolors(MOST_COLOURS)
    if not colours or max(count for count, _ in colours) < BACKGROUND * picture.width * picture.height:
        return photo
    return min(photo, _saved(picture, "WEBP", lossless=True, method=1, quality=20), key=len)


def _saved(picture: Image.Image, kind: str, **options: int) -> bytes:
    saved = BytesIO()
    picture.save(saved, kind, **options)
    return saved.getvalue()
