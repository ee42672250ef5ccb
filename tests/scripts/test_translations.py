"""The translations in the repository, and their compiler."""

import json

import pytest

polib = pytest.importorskip("polib")
from scripts.translations import LOCALE, compile_catalogues, read_catalogue  # noqa: E402


@pytest.mark.parametrize("name", ["de", "panel_en"])
def test_catalogues_compile_and_are_sorted(name):
    assert read_catalogue(LOCALE / f"{name}.po")
    keys = [(entry.msgctxt or "", entry.msgid) for entry in polib.pofile(str(LOCALE / f"{name}.po"))]
    assert keys == sorted(keys)


def test_unfinished_catalogues_do_not_compile(tmp_path):
    path = tmp_path / "xx.po"
    for broken in ('msgid "a"\nmsgstr ""\n', '#, fuzzy\nmsgid "a"\nmsgstr "b"\n', 'msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "c"\n'):
        path.write_text(f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n{broken}')
        with pytest.raises(ValueError, match="a"):
            read_catalogue(path)
    path.write_text('msgctxt "name"\nmsgid "a"\nmsgstr "ä"\n', encoding="utf-8")
    compile_catalogues(tmp_path)
    assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) == {"name": {"a": "ä"}}
