"""The journal: whole lines only, one run at a time."""

import json
import os
from pathlib import Path

import pytest

from blender_meshrec.cli.batch.journal import Journal, read_ended
from blender_meshrec.core.errors import OutputError


def end(journal, key, **facts):
    journal.append("end", **{"key": key, "clip": key, "status": "done", "outputs": [], **facts})


def test_the_last_end_of_each_task_counts(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append("begin", key="a")
        end(journal, "a", status="failed")
        journal.append("begin", key="b")
        journal.append("begin", key="a")
        end(journal, "a")
        assert journal.ended["a"]["status"] == "done"
    with Journal(tmp_path) as journal:
        assert set(journal.ended) == {"a"} and journal.interrupted == {"b"} and journal.ended["a"]["status"] == "done"
    assert set(read_ended(tmp_path)) == {"a"} and read_ended(tmp_path / "none") == {}


@pytest.mark.parametrize("torn", [b'{"event": "end", "key": "b", "outputs": []', b"\x00\xff", b'{"event"'])
def test_a_torn_line_is_dropped_and_the_next_one_is_whole(tmp_path, torn):
    with Journal(tmp_path) as journal:
        end(journal, "a")
    with open(tmp_path / "journal.jsonl", "ab") as file:
        file.write(torn)
    with Journal(tmp_path) as journal:
        assert set(journal.ended) == {"a"}
        end(journal, "c")
    assert [json.loads(line)["key"] for line in (tmp_path / "journal.jsonl").read_text().splitlines()] == ["a", "c"]


def test_lines_that_were_damaged_since_are_left_out(tmp_path):
    lines = ["nonsense", "[1]", '{"event": "end"}', '{"event": "end", "key": "a", "outputs": 3}', '{"event": "begin"}', "null"]
    (tmp_path / "journal.jsonl").write_text("\n".join(lines) + "\n")
    with Journal(tmp_path) as journal:
        assert journal.ended == {} and journal.interrupted == set()


def test_nobody_else_opens_it_until_it_is_closed(tmp_path):
    with Journal(tmp_path) as journal:
        assert journal.has_lock
        with pytest.raises(OutputError, match="Another batch is writing into"):
            Journal(tmp_path)
    with Journal(tmp_path):
        pass


def test_a_line_that_does_not_fit_leaves_no_part(tmp_path, monkeypatch):
    with Journal(tmp_path) as journal:
        end(journal, "a")
        before = (tmp_path / "journal.jsonl").read_bytes()
        write = os.write

        def write_a_part(descriptor, content):
            if len(content) > 10:
                return write(descriptor, bytes(content[:10]))
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", write_a_part)
        with pytest.raises(OutputError, match="The disk is full"):
            end(journal, "b")
        assert (tmp_path / "journal.jsonl").read_bytes() == before and set(journal.ended) == {"a"}


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="could not be written"):
        Journal(Path(tmp_path / "file" / "out"))
