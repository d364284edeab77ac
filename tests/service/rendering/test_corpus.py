"""Small PDFs with one trait each, from a folder that the project does not ship, and what is right for each of them.

Whether sealed pages are the same as those of the original, two programs say that are no part of the service's own
comparison (`corpus`).
"""

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from corpus.judging import REFUSED, SAME, judge
from segl.service import rendering

POPPLER_DIFFERS, PDFIUM_DIFFERS = "differs in poppler", "differs in PDFium"


@dataclass(frozen=True, slots=True)
class Right:
    """Which verdicts are right, and what the sentence of a refusal says."""

    verdicts: frozenset[str]
    sentence: str = ""


def either(*verdicts: str, sentence: str = "") -> Right:
    return Right(frozenset(verdicts), sentence)


WHOLE = either(SAME)
WHOLE_OR_REFUSED = either(SAME, REFUSED)
# poppler makes appearances of its own: a text a little higher in its field, a highlight with round ends, none with
# `/AP<<>>`; and it does not rotate a page by a real number.
AS_IN_PDFIUM = either(SAME, POPPLER_DIFFERS)
# PDFium does not draw what other programs draw, or draws it larger.
AS_IN_POPPLER = either(SAME, PDFIUM_DIFFERS)

CASES = {
    "checkbox_appearance_without_bbox": either(SAME, POPPLER_DIFFERS, REFUSED),
    "fields_without_acroform": AS_IN_POPPLER,
    "font_object_without_end": either(REFUSED),
    "free_text_without_appearance": AS_IN_PDFIUM,
    "highlight_rect_larger_than_quads": either(SAME, POPPLER_DIFFERS, REFUSED),
    "line_without_appearance": either(SAME, PDFIUM_DIFFERS, REFUSED),
    "markup_with_empty_appearance_dict": AS_IN_PDFIUM,
    "missing_font_cjk": WHOLE_OR_REFUSED,
    "owner_password_only": either(REFUSED, sentence="owner"),
    "polyline_without_appearance": either(SAME, PDFIUM_DIFFERS, REFUSED),
    "portfolio": either(REFUSED, sentence="(?i)portfolio"),
    "rotate_real_number": AS_IN_PDFIUM,
    "slow_to_draw": either(REFUSED, sentence="processor time"),
    "text_field_need_appearances": AS_IN_PDFIUM,
    "text_field_norwegian_polish_cyrillic": either(SAME, POPPLER_DIFFERS, REFUSED),
    "user_password": either(REFUSED, sentence="password"),
    **dict.fromkeys(
        (
            "attachment_invoice",
            "crop_box_smaller_rotated",
            "ctm_flipped_unbalanced",
            "endobj_missing_after_content",
            "javascript_changes_field",
            "junk_before_header",
            "layer_ocmd_expression",
            "layer_without_type",
            "metadata_broken_xml",
            "pages_of_many_sizes",
            "pattern_on_scaled_page",
            "radio_group",
            "rotate_minus_90",
            "signature_field_empty",
            "sparse_object_numbers",
            "stamp_matrix_rotated",
            "static_xfa_form",
            "tall_receipt",
            "tiny_page",
            "user_unit_2",
            "xobject_without_resources",
            "xref_stream_without_itself",
        ),
        WHOLE,
    ),
}
"""By the name of the file. What else is there must be the same or refused."""


def test_every_small_input_is_sealed_as_it_is_shown_or_refused(
    reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("pdftoppm") is None:
        pytest.skip("pdftoppm (poppler-utils) is not installed")
    monkeypatch.setattr(rendering, "INSPECTION", replace(rendering.INSPECTION, cpu_seconds=3, wall_seconds=60))
    wrong = []
    for path in sorted((reference.parent / "cases" / "pdf").glob("*.pdf")):
        right, verdict = CASES.get(path.stem, WHOLE_OR_REFUSED), judge(path.read_bytes())
        if verdict.kind not in right.verdicts or not re.search(right.sentence, verdict.reason):
            wrong.append(f"{path.stem}: {verdict.kind}: {verdict.reason}")
    assert not wrong, "\n".join(wrong)
