"""Which pages signers were shown: those whose pictures were sent to a browser that had access to the signer's pages."""

from collections.abc import Iterable, Mapping, Sequence

from segl.service.store.models import DeliveredPage, Document, Signer
from segl.service.store.transactions import write


def record(signer: Signer, *, document: int, page: int, width: int) -> None:
    """Record that a page's picture for this width, in pixels, is sent. Again changes nothing; the job is not locked."""
    row = DeliveredPage(signer=signer, document=document, page=page, width=width)
    with write():
        DeliveredPage.objects.bulk_create([row], ignore_conflicts=True)


def delivered(signer: Signer) -> dict[int, set[int]]:
    """By the number of a document, the pages whose pictures were sent, in whatever width."""
    found: dict[int, set[int]] = {}
    for document, page in signer.delivered_pages.values_list("document", "page").distinct():
        found.setdefault(document, set()).add(page)
    return found


def missing(delivered: Mapping[int, set[int]], documents: Sequence[Document]) -> dict[int, list[int]]:
    """By the number of a document, the pages that were not delivered; only documents that have such pages."""
    left = {each.number: sorted({*range(1, each.pages + 1)} - delivered.get(each.number, set())) for each in documents}
    return {number: pages for number, pages in left.items() if pages}


def runs(numbers: Iterable[int], dash: str = "-") -> list[str]:
    """Numbers in order, those that follow each other as one: 1, 2, 3, 7 are «1-3» and «7»."""
    found: list[tuple[int, int]] = []
    for each in sorted(numbers):
        if found and found[-1][1] == each - 1:
            found[-1] = (found[-1][0], each)
        else:
            found.append((each, each))
    return [str(first) if first == last else f"{first}{dash}{last}" for first, last in found]


def as_text(delivered: Mapping[int, set[int]]) -> str:
    """The pages by document, such as «1:1-5,7 2:1»: pages 1 to 5 and 7 of the first document, page 1 of the second."""
    return " ".join(f"{number}:{','.join(runs(pages))}" for number, pages in sorted(delivered.items()))
