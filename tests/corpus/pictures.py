"""Whether two pictures of a page show the same, but for where the edges of letters and lines fall between pixels."""

from collections.abc import Callable

from PIL import Image, ImageChops

NOTICED = 72
"""Of 255: by how much a pixel must be lighter or darker than all pixels around its place in the other picture."""
MOST_NOTICED = 8
"""Pixels. At 108 dpi the narrowest letter of 8 points covers ten; where a page cuts through letters, a few differ."""
EDGE = 3
"""Pixels at the border, where a sheet has a hairline, and sizes may be rounded differently."""
Picture = Image.Image
_Choice = Callable[[Picture, Picture], Picture]


def differences(one: Picture, other: Picture) -> int:
    """How many pixels of either are unlike everything next to their place in the other; all if the sizes differ."""
    if abs(one.width - other.width) > 2 or abs(one.height - other.height) > 2:
        return one.width * one.height
    size = (EDGE, EDGE, min(one.width, other.width) - EDGE, min(one.height, other.height) - EDGE)
    if size[0] >= size[2] or size[1] >= size[3]:
        return 0
    one, other = one.convert("RGB").crop(size), other.convert("RGB").crop(size)
    if max(high for _, high in ImageChops.difference(one, other).getextrema()) <= NOTICED:  # type: ignore[misc]
        return 0
    return _noticed(one, other) + _noticed(other, one)


def alike(one: Picture, other: Picture) -> bool:
    """Whether a person would say that they show the same."""
    return differences(one, other) <= MOST_NOTICED


def contact_sheet(*pictures: Picture) -> Picture:
    """The pictures in a row."""
    width = sum(each.width + 8 for each in pictures)
    sheet = Image.new("RGB", (width, max(each.height for each in pictures)), "gray")
    left = 0
    for each in pictures:
        sheet.paste(each, (left, 0))
        left += each.width + 8
    return sheet


def _noticed(one: Picture, other: Picture) -> int:
    darker = ImageChops.subtract(_around(other, ImageChops.darker), one)
    lighter = ImageChops.subtract(one, _around(other, ImageChops.lighter))
    bands = ImageChops.lighter(darker, lighter).split()
    most = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    return sum(most.histogram()[NOTICED + 1 :])


def _around(picture: Picture, choice: _Choice) -> Picture:
    """For each pixel the darkest or lightest of the 25 around it, in each band."""
    for across, down in ((1, 0), (0, 1), (1, 0), (0, 1)):
        ahead = ImageChops.offset(picture, across, down)
        behind = ImageChops.offset(picture, -across, -down)
        picture = choice(picture, choice(ahead, behind))
    return picture
