"""The report of a version: kept as facts, drawn as a page and a card, at the training and later."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime

import numpy as np
import pytest
import yaml
from PIL import Image

from modelwright.bundle.pictures import Picture
from modelwright.bundle.read import open_bundle
from modelwright.project.load import load
from modelwright.store.engine import open_store
from modelwright.train.report.facts import FILE, NoReport, kept
from modelwright.train.report.mistakes import _shown
from modelwright.train.report.page import card, page
from modelwright.train.report.since import since
from unit.train.conftest import made_csv, train_in

pytestmark = pytest.mark.slow

ABOUT = {"intended_use": "Sorting of <parts>.", "contact": "me|you"}
PROJECT = {
    "name": "mixed",
    "about": ABOUT,
    "data": {"source": "data.csv", "target": "label", "drop": ["amount"]},
    "train": {"candidates": ["logistic_regression"], "metric": "accuracy"},
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """A version of mixed columns whose categories hold markup."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "project.yaml").write_text(yaml.safe_dump(PROJECT), encoding="utf-8")
    (folder / "data.csv").write_text(made_csv(rows=600).replace("grün", "<b>|grün"), encoding="utf-8")
    return train_in(folder)


@pytest.fixture(scope="module")
def found(outcome):
    return kept(outcome.report.parent, outcome.version)


def test_partial_dependence_is_the_mean_answer_of_the_bundle(outcome, found):
    """Each point of a curve equals what the served bundle answers on average at that value."""
    curve = next(curve for curve in found.models[0].curves if curve.column == "gap")
    assert list(curve.points) == sorted(curve.points)
    answers = np.array(curve.answers["yes"])
    assert answers[-1] - answers[0] > 0.3, "the label depends on the gap, upwards"
    bundle = open_bundle(outcome.bundle)
    row = bundle.example["request"]["features"]
    ends = [
        bundle.predict_rows([{**row, "gap": value}])[0]["model"].probabilities["yes"]
        for value in (curve.points[0], curve.points[-1])
    ]
    assert ends[0] < ends[1]


def test_groups_cover_categories_and_thirds(found):
    """Groups of one column are disjoint, large enough, and their intervals hold their value."""
    columns = {segment.column for segment in found.models[0].segments}
    assert "kind.of thing" in columns and len(columns) > 1
    for segment in found.models[0].segments:
        assert segment.rows >= 20
        assert segment.metric.low <= segment.metric.value <= segment.metric.high
    for column in columns:
        mine = [segment.rows for segment in found.models[0].segments if segment.column == column]
        assert sum(mine) <= found.models[0].data["test"]


def test_mistakes_are_wrong_and_sorted(found):
    """Only wrong answers are listed, the surest first."""
    listed = found.models[0].mistakes
    assert listed and all(one.truth != one.answer for one in listed)
    weights = [one.weight for one in listed]
    assert weights == sorted(weights, reverse=True) and min(weights) >= 0.5


def test_a_page_drawn_later_tells_what_became_of_the_version(outcome, found):
    """From the kept facts alone, with the releases and events of the store."""
    folder = outcome.report.parent
    with open_store(path=load(folder.parents[2]).working / "store.db") as store:
        after = since(store, outcome.project, outcome.version, now=datetime.now(UTC))
    assert [reign.end for reign in after.reigns] == [None]
    text = page(found, folder, after)
    assert "It answers since" in text and "0 predictions of it are in the log" in text
    assert "Sorting of &lt;parts&gt;." in text and "<b>|grün" not in text
    assert page(found, folder) == outcome.report.read_text(encoding="utf-8")


def test_the_card_is_a_table_that_stays_one(outcome, found):
    """What people and data say is escaped, so that no cell breaks out of its table."""
    text = card(found)
    assert text == (outcome.report.parent / "model-card.md").read_text(encoding="utf-8")
    assert "## Intended use\n\nSorting of <parts>." in text
    assert r"| Contact | me\|you |" in text and r"\<b\>\|grün" in text
    for line in text.splitlines():
        if line.startswith("| kind.of thing"):
            assert line.replace(r"\|", "").count("|") == 6 or "categories" in line


def test_facts_that_are_gone_or_damaged_are_told(outcome, tmp_path):
    """With the remedy, and the file's name."""
    with pytest.raises(NoReport, match="no facts for a report of version 7"):
        kept(tmp_path, 7)
    whole = (outcome.report.parent / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NoReport, match="cannot be read"):
        kept(tmp_path, 7)


def test_a_picture_among_the_mistakes_is_a_small_copy_of_it(tmp_path):
    """The page needs no file; where the file is gone, its name stands there."""
    file = tmp_path / "large.png"
    Image.new("RGBA", (800, 400), (200, 30, 30, 255)).save(file)
    picture = Picture.stored(file)
    head, _, body = _shown(picture).partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as small:
        assert small.size == (96, 48) and small.getpixel((10, 10))[0] > 190
    file.unlink()
    assert _shown(picture).startswith("image:sha256=") and len(_shown(picture)) == 48
