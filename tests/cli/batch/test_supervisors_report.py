"""The summary and the supervisor's report: each person's verdict and reason, the worst first."""

import base64
import csv
import io
from html.parser import HTMLParser

import pytest

from blender_meshrec.cli.batch.metrics import METRICS, clip_row, worst_first
from blender_meshrec.cli.batch.outcome import failed
from blender_meshrec.cli.batch.report_files import csv_text, html_text
from blender_meshrec.cli.batch.summary import table_lines
from blender_meshrec.core.errors import NobodyFoundError


def person(number=1, verdict="good", reasons=(), **changes):
    measures = {"off_picture": 0.5, "jumps": 0.0, **changes.pop("measures", {})}
    numbers = {"frames_with_person": 90, "reprojection_px": 3.0, "reprojection_share_of_box": 0.012, "jitter": 2.0}
    numbers |= {"foot_slide_after_cm_s": 0.4, "worst_frames": [7, 40]} | changes
    return {"person": number, "verdict": verdict, "reasons": list(reasons), "measures": measures, **numbers}


def done(*people):
    return {"status": "done", "exit_code": 0, "outputs": [{"path": "a.npz"}], "report": {"frames_read": 100, "people": list(people)}}


@pytest.fixture
def rows():
    """Clips of every kind: good, doubtful by little and by much, bad, failed, and not run."""
    return [
        clip_row("good", done(person())),
        clip_row("doubtful", done(person(verdict="doubtful", reasons=["It trembles."], measures={"trembling": 1.6}))),
        clip_row("worse", done(person(verdict="doubtful", reasons=["It trembles much."], measures={"trembling": 3.9}))),
        clip_row("bad", done(person(), person(2, "bad", ["Two people were mixed up.", "=1+1"], measures={"jumps": 20.0}))),
        clip_row("<b>failed", failed(NobodyFoundError("nobody", "Nobody is here.", "Choose other footage."))),
        clip_row("later", None),
    ]


def test_the_worst_are_first(rows):
    assert [row.name for row in worst_first(rows)] == ["<b>failed", "later", "bad", "worse", "doubtful", "good"]
    assert [row.verdict for row in rows] == ["good", "doubtful", "doubtful", "bad", "", ""]


def test_metrics_are_those_of_each_person_and_the_worst_of_a_clip(rows):
    second = rows[3].people[1].metrics
    assert second == {
        "reprojection_px": 3.0, "reprojection_percent": 1.2, "foot_slide_cm_s": 0.4, "jitter": 2.0, "unseen_percent": 10.0,
        "identity_switches": 18.0,
    }  # fmt: skip
    assert rows[3].metrics["identity_switches"] == 18 and set(rows[3].metrics) == {metric.name for metric in METRICS}
    unknown = clip_row("a", done({"person": 1, "verdict": "good", "reprojection_px": None, "jitter": float("nan"), "measures": None}))
    assert unknown.people[0].metrics == dict.fromkeys(unknown.people[0].metrics)


def test_a_report_of_other_software_versions_is_no_error():
    for report in (
        None,
        {},
        {"people": None},
        {"people": [3]},
        {"people": [{}]},
        {"frames_read": 0, "people": [{"frames_with_person": 0}]},
    ):
        assert clip_row("a", {"status": "done", "report": report}).status == "done"


def test_the_table_names_what_to_look_at(rows):
    counts = {"done": 4, "total": 6, "failed": 1, "not_run": 1}
    lines = table_lines(rows, {"counts": counts, "failed": ["<b>failed"], "bad": ["bad"], "doubtful": ["doubtful", "worse"]})
    assert "bad        bad       Two people were mixed up." in lines and "<b>failed  failed    Nobody is here." in lines
    assert lines[-4:] == ["4 of 6 clips done, 1 failed, 1 not run.", "Failed: <b>failed", "Bad: bad", "Doubtful: doubtful, worse"]


def test_the_spreadsheet_has_a_line_for_each_person(rows):
    inputs = {id(row): f"/takes/{row.name}.mp4" for row in rows}
    lines = list(csv.DictReader(io.StringIO(csv_text(rows, inputs))))
    assert [line["clip"] for line in lines] == ["<b>failed", "later", "bad", "bad", "worse", "doubtful", "good"]
    assert lines[3]["verdict"] == "bad" and lines[3]["identity_switches"] == "18" and lines[3]["worst_frames"] == "7 40"
    assert lines[0]["reasons"] == "Nobody is here. Choose other footage." and lines[1]["status"] == "not run"


def test_no_cell_is_a_formula(rows):
    row = clip_row("=HYPERLINK(1)", done(person(verdict="bad", reasons=["@x"])))
    (line,) = csv.DictReader(io.StringIO(csv_text([row], {id(row): "-a"})))
    assert (line["clip"], line["reasons"], line["input"]) == ("'=HYPERLINK(1)", "'@x", "'-a")


class Page(HTMLParser):
    """Collects what a page has, and checks that its tags are closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.images, self.text = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attributes)["src"])
        if tag not in ("img", "meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_is_one_file_with_pictures_and_no_script(rows):
    inputs = {id(row): f"/takes/{row.name}.mp4" for row in rows}
    counts = {"done": 4, "total": 6, "failed": 1, "not_run": 1, "good": 1, "doubtful": 2, "bad": 1}
    summary = {"started": "2026-01-01T00:00:00", "counts": counts}
    page = Page(html_text(rows, inputs, {id(rows[3]): b"jpeg"}, summary))
    assert page.images == [f"data:image/jpeg;base64,{base64.b64encode(b'jpeg').decode()}"]
    assert not {"script", "link", "iframe", "b"} & set(page.tags) and page.tags.count("article") == 6
    assert "Person 2: Two people were mixed up." in page.text and "<b>failed" in page.text
    assert (
        page.text.index("Nobody is here.")
        < page.text.index("Two people")
        < page.text.index("trembles much")
        < page.text.index("It trembles.")
    )
