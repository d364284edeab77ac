"""Compiles the pages' translations: `python scripts/compile_messages.py` writes each .mo anew beside its .po.

gettext's own tools are not needed to build, test or change the project.
"""

import ast
import re
import struct
from pathlib import Path

LOCALE = Path(__file__).parents[1] / "src/segl/service/web/locale"

Messages = dict[tuple[str, ...], tuple[str, ...]]
_MAGIC = 0x950412DE


def read(text: str) -> Messages:
    """The messages of a .po file: (msgid,) or (msgid, msgid_plural) to their translations. The header has the id ""."""
    messages: Messages = {}
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            found = re.match(r'(msg\S+ )?(".*")$', line)
            if found:
                name = (found[1] or name).strip()
                fields[name] = fields.get(name, "") + ast.literal_eval(found[2])
        if fields:
            ids = tuple(fields[each] for each in ("msgid", "msgid_plural") if each in fields)
            messages[ids] = tuple(text for name, text in fields.items() if name.startswith("msgstr"))
    return messages


def compiled(messages: Messages) -> bytes:
    """The messages as a .mo file (GNU gettext manual, "The Format of GNU MO Files")."""
    pairs = sorted(("\0".join(ids).encode(), "\0".join(texts).encode()) for ids, texts in messages.items())
    start = 28 + 16 * len(pairs)
    body = b""
    tables = []
    for column in (0, 1):
        table = b""
        for pair in pairs:
            table += struct.pack("<II", len(pair[column]), start + len(body))
            body += pair[column] + b"\0"
        tables.append(table)
    header = struct.pack("<7I", _MAGIC, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, start)
    return header + b"".join(tables) + body


def main() -> None:
    """Compile every catalogue."""
    for source in LOCALE.rglob("*.po"):
        source.with_suffix(".mo").write_bytes(compiled(read(source.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
