"""`python -m corpus DIR`: a verdict about every PDF of a folder, and contact sheets of what differs.

Exit status 1 if anything differs or crashes.
"""

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path

from corpus.judging import REFUSED, SAME
from corpus.processes import judged


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m corpus", description=__doc__)
    parser.add_argument("folder", type=Path, help="whose PDFs are judged, also those in folders below")
    parser.add_argument("--sheets", type=Path, default=Path("build/corpus"), help="where contact sheets go")
    parser.add_argument("--list", action="store_true", help="name each PDF that is refused")
    arguments = parser.parse_args()
    arguments.sheets.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[str]] = defaultdict(list)
    for path, verdict in judged(sorted(arguments.folder.rglob("*.[pP][dD][fF]"))):
        name = str(path.relative_to(arguments.folder))
        kind = f"{REFUSED}: {_general(verdict.reason)}" if verdict.kind == REFUSED else verdict.kind
        found[kind].append(name)
        if verdict.kind != SAME and (verdict.kind != REFUSED or arguments.list):
            print(f"{name}: {verdict.kind}: {verdict.reason}", flush=True)
        if verdict.contact_sheet:
            verdict.contact_sheet.save(arguments.sheets / f"{name.replace('/', '_')}.png")
    print(f"{sum(map(len, found.values()))} PDFs")
    for kind, names in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"{len(names):6} {kind} (as {names[0]})")
    return any(not kind.startswith((REFUSED, SAME)) for kind in found)


def _general(sentence: str) -> str:
    """The sentence without its numbers and names, so that refusals can be counted by it."""
    return re.sub(r"«[^»]*»", "«…»", re.sub(r"\d+(\.\d+)*", "N", sentence))


if __name__ == "__main__":
    sys.exit(main())
