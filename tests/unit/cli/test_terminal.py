"""Tables at every width."""

from __future__ import annotations

import pytest

from modelwright.cli.terminal import Terminal, plain_table

TITLES = ("version", "created", "model", "outcome")
ROWS = [
    (
        "4",
        "2026-11-21 16:05",
        "logistic_regression",
        "It was not measured worse by more than the margin of 0.005.",
    ),
    ("3", "2026-11-21 15:51", "", "refused"),
]


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    Terminal().table(plain_table(TITLES, ROWS, right=("version",)))
    return capsys.readouterr().out.splitlines()


def test_a_narrow_terminal_gets_records(capsys, monkeypatch):
    """A line a column, nothing where a cell is empty, and no word broken."""
    lines = printed(capsys, monkeypatch, 60)
    assert lines[0].split() == ["version", "4"]
    assert lines[2].split() == ["model", "logistic_regression"]
    assert "".join(lines).count("model") == 1
    assert "" in lines
    assert max(map(len, lines)) <= 60


def test_a_wide_one_gets_the_table(capsys, monkeypatch):
    """One line a row, as many as there are."""
    lines = printed(capsys, monkeypatch, 140)
    assert lines[0].split() == list(TITLES)
    assert len(lines) == 3
    assert lines[1].endswith(ROWS[0][3])


@pytest.mark.parametrize("width", [40, 60, 70, 80, 100, 200])
def test_no_word_is_ever_broken(capsys, monkeypatch, width):
    """Whatever the width, every word stands in some line as it was given."""
    words = " ".join(printed(capsys, monkeypatch, width)).split()
    assert {word for row in ROWS for cell in row for word in cell.split()} <= set(words)


def test_an_empty_table_has_its_titles(capsys, monkeypatch):
    """Without a row there is nothing to list."""
    monkeypatch.setenv("COLUMNS", "80")
    Terminal().table(plain_table(TITLES, []))
    assert capsys.readouterr().out.split() == list(TITLES)
