"""Compile the interface's translations, `ui/locale/*.po`, to the .json files that the add-on reads.

    python -m scripts.translations

Each `NAME.po` becomes a `NAME.json` beside it: context (the name of a message, or "") -> English text -> text.
"""

import json
import sys
from pathlib import Path

import polib  # pyrefly: ignore[untyped-import] - polib ships no type stubs

LOCALE = Path(__file__).resolve().parents[1] / "blender_meshrec" / "ui" / "locale"


def read_catalogue(path: Path) -> dict[str, dict[str, str]]:
    """A .po file as {context: {English text: text}}.

    Raises:
        ValueError: an entry is fuzzy, obsolete, not translated or there twice.
    """
    table: dict[str, dict[str, str]] = {}
    for entry in polib.pofile(str(path)):
        if entry.fuzzy or entry.obsolete or not entry.msgstr:
            raise ValueError(f"{path.name}: not translated: {entry.msgid}")
        texts = table.setdefault(entry.msgctxt or "", {})
        if entry.msgid in texts:
            raise ValueError(f"{path.name}: there twice: {entry.msgid}")
        texts[entry.msgid] = entry.msgstr
    return table


def compile_catalogues(folder: Path = LOCALE) -> None:
    """Write the .json of every .po in a folder."""
    for path in sorted(folder.glob("*.po")):
        path.with_suffix(".json").write_text(json.dumps(read_catalogue(path), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        compile_catalogues()
    except ValueError as error:
        sys.exit(str(error))
