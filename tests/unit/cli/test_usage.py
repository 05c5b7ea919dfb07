"""Command lines as people mistype them: each is told what was probably meant, in words."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from modelwright.cli.usage import plain

CSV = "height,width,the kind\n1,2,big\n" * 3


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a data file and, a folder below, a project."""
    (tmp_path / "sizes.csv").write_text(CSV)
    project = tmp_path / "sized"
    project.mkdir()
    (project / "project.yaml").write_text("name: sized\ndata: {source: sizes.csv, target: the kind}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["up", "missing.csv"], "There is no file {here}/missing.csv.\nCheck the path."),
        (["up", "size.csv", "--target", "kind"], "Did you mean 'sizes.csv'?"),
        (["up", "no/a.csv", "--target", "kind"], "There is no folder {here}/no either"),
        (["up", "sizes", "--target", "kind"], "no file or folder sizes.\nDid you mean 'sizes.csv'?"),
        (["up", "sizes.csv", "--target", "teh kind"], "no column 'teh kind'"),
        (["up", "sizes.csv", "--target", "teh kind"], "Did you mean 'the kind'?"),
        (["up", "sizes.csv", "--target", "colour"], "columns: 'height', 'width', 'the kind'"),
        (["up", "sizes.csv", "--target", "colour"], "Name one of its columns with --target."),
        (["up", "sizes.csv", "--target", ""], "Which column is to be predicted?"),
        (["up", "sizes.csv", "--target", "the", "kind"], "'kind' is more than 'modelwright up' takes. Quote"),
        (["up", "sizes.csv", "-target", "the kind"], "no option '-target'. Did you mean '--target'?"),
        (["up", "sizes.csv", "--traget", "the kind"], "Did you mean '--target'?"),
        (["up", "sizes.csv", "--target", "the kind", "--name", "The sizes!"], "--name the-sizes"),
        (["up", "sized", "--target", "the kind"], "sized/project.yaml says these"),
        (["up", "--target", "the kind"], "a data file, which is not named"),
        (["up", "sized", "--data", "missing.csv"], "There is no file {here}/missing.csv.\nCheck the path."),
        (["up", "sized", "--port", "5000x"], "'5000x' is not a whole number."),
        (["up", "sized", "--port", "99999"], "99999 is not from 0 to 65535."),
        (["up", "."], "There is one in the folder 'sized': name it"),
        (["up", "sized/project.yml"], "Did you mean 'project.yaml'?"),
        (["train", "sized", "--no-serve"], "no option '--no-serve' of 'train'. 'up' has one."),
        (["train", "sized", "--data", "size.csv"], "Did you mean 'sizes.csv'?"),
        (["serve", "-p", "sized"], "stands alone: modelwright serve FOLDER"),
        (["serve", "sized", "--workrs", "2"], "Did you mean '--workers'?"),
        (["predict", "sizes.csv"], "There is one in the folder 'sized': name it, with -p"),
        (["predict", "-p", "sized"], "ROWS is missing. For example: modelwright predict rows.csv"),
        (["evaluate", "-p", "sized", "sizes.csv"], "Rows are named with --data"),
        (["evaluate", "sized"], "A project is named with --project."),
        (["evaluate", "localhost:5000"], "Did you mean 'http://localhost:5000'?"),
        (["evaluate", "5000"], "Did you mean 'http://127.0.0.1:5000'?"),
        (["evaluate"], "URL is missing. For example: modelwright evaluate http://"),
        (["drift", "sizes.csv", "--psi", "0"], "0.0 is not above 0."),
        (["feedback", "imprt", "a.csv"], "Did you mean 'modelwright feedback import'?"),
        (["feedback", "a.csv"], "There is 'modelwright feedback import'."),
        (["trian"], "no verb 'trian'. Did you mean 'train'?"),
    ],
)
def test_a_mistyped_line_is_told_what_was_meant(mw, here: Path, line: list[str], said: str) -> None:
    """And nothing is written."""
    result = mw(*line)
    assert said.format(here=here) in result.err
    assert result.code in {2, 3, 4}
    assert result.out == ""
    assert not (here / "project.yaml").exists()
    for word in ("click", "range.", "data.source"):
        assert word not in result.err


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (click.IntRange(1, 64), "99 is not from 1 to 64."),
        (click.IntRange(100), "99 is not at least 100."),
        (click.IntRange(max=9), "99 is not at most 9."),
        (click.FloatRange(0, 1, max_open=True), "99.0 is not from 0 to below 1."),
        (click.FloatRange(0, 1, min_open=True), "99.0 is not above 0 and at most 1."),
        (click.FloatRange(0, 1, min_open=True, max_open=True), "99.0 is not between 0 and 1."),
        (click.FloatRange(100, min_open=True), "99.0 is not above 100."),
        (click.FloatRange(max=9, max_open=True), "99.0 is not below 9."),
    ],
)
def test_limits_are_told_in_words(limits: click.ParamType, words: str) -> None:
    """Every kind of range that the parser knows."""
    with pytest.raises(click.BadParameter) as caught:
        limits.convert("99", None, None)
    assert plain(caught.value, [])[0].endswith(words)
