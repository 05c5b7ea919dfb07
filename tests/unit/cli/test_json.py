"""``--json`` on every verb that prints data: one document on standard output, of the same keys every time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import click
import pytest

from modelwright.cli.main import VERBS, program

WITHOUT = {"completion": "a script", "schema": "JSON already"}


def leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every verb that does something, by how it is called."""
    if isinstance(command, click.Group):
        for word in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), word)
            assert found is not None
            yield from leaves(found, f"{name} {word}")
    else:
        yield name, command


def test_every_verb_takes_it():
    """But for those that print no data of ours."""
    context = click.Context(program)
    for name in VERBS:
        command = program.get_command(context, name)
        assert command is not None
        for called, leaf in leaves(command, name):
            options = {option for each in leaf.params for option in each.opts}
            assert ("--json" in options) is (called not in WITHOUT), called


OBJECT = {
    "check": ["path", "project", "warnings"],
    "config": None,
    "data show rows.csv": None,
    "bundle verify .modelwright/bundles/v1": None,
    "doctor": ["findings", "problems"],
    "log export log.jsonl": ["file", "predictions"],
    "log prune --keep 5": ["deleted"],
    "deploy monitoring --output set-up": ["folder", "unchanged", "written"],
    "promote 1": ["previous", "project", "reason", "version"],
}
LIST = ["versions", "jobs", "history", "thresholds", "keys list"]


@pytest.mark.parametrize("line", [*OBJECT, *LIST])
def test_one_document_and_nothing_else(mw, project, monkeypatch, line):
    """Standard output is a JSON document from its first character to its last; notices stay away from it."""
    shutil.copy(project / "project.yaml", project / "kept.yaml")
    (project / "rows.csv").write_text("width,colour\n1.5,red\n2.5,blue\n3.5,red\n")
    monkeypatch.chdir(project)
    result = mw(*line.split(), "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert isinstance(told, list if line in LIST else dict)
    keys = OBJECT.get(line)
    if keys is not None:
        assert sorted(told) == keys
    for entry in told if isinstance(told, list) else []:
        assert sorted(entry) == sorted(told[0])  # a program may rely on what one entry has
