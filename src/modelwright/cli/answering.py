"""Answers a stream of rows in batches, and keeps account of what was refused and what was unusual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from modelwright.cli.rows_in import Row, problem_of
from modelwright.cli.rows_out import Writer
from modelwright.cli.terminal import Terminal
from modelwright.errors import ExitCode, ModelwrightError

if TYPE_CHECKING:
    from modelwright.bundle.answers import Answer
    from modelwright.bundle.read import Bundle
    from modelwright.bundle.rows import Reading, RowWarning

BATCH = 2048
_TOLD = 40
_PLACES = 3  # rows that are named of those with the same problem


class RowsInvalid(ModelwrightError):
    """Rows do not fit the model; each is named with its line and why."""

    code = ExitCode.DATA


@dataclass
class Answering:
    """Answers batch after batch, and keeps what has to be told in the end.

    Once a row is refused and none may be left out, no more is answered, but the rest is still
    checked, so that all mistakes are told at once.
    """

    bundle: Bundle
    skip_invalid: bool
    answered: int = 0
    refused: int = 0
    seen: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    first_places: dict[str, list[str]] = field(default_factory=dict)
    warnings: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_warnings: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def answer(self, rows: Iterable[Row], writer: Writer) -> None:
        """Answer all ``rows`` into ``writer``."""
        rows = iter(rows)
        while batch := list(islice(rows, BATCH)):
            self._batch(batch, writer)

    def judge(self) -> None:
        """Raise where rows were refused, or none was given."""
        if not self.seen:
            raise RowsInvalid("There are no rows to answer.", "Give at least one.")
        if self.refused and (not self.skip_invalid or not self.answered):
            raise RowsInvalid(
                f"{self.refused:,} of {self.seen:,} rows do not fit the model."
                if self.seen > 1
                else "The row does not fit the model.",
                self._remedy(),
                details=self._told(_TOLD),
            )

    def _remedy(self) -> str:
        if self.seen == 1:
            return "Correct it."
        return (
            "Correct them." if self.skip_invalid else "Correct them, or leave them out with --skip-invalid."
        )

    def tell(self, terminal: Terminal) -> None:
        """Say what was left out and what was unusual."""
        if self.refused:
            terminal.warn(f"{self.refused:,} of {self.seen:,} rows were left out:")
            for line in self._told(10):
                terminal.say(f"  {line}")
        for (column, kind), count in self.warnings.most_common(10):
            place, first = self.first_warnings[column, kind]
            what = f"{column}: " if column else ""
            if count == 1:
                terminal.warn(f"{place}: {what}{first}")
            else:
                terminal.warn(f"{what}{kind.replace('_', ' ')} in {count:,} rows; first {place}: {first}")

    def _told(self, most: int) -> list[str]:
        """What is wrong, each thing once with the rows that it is wrong with."""
        lines = []
        told = 0
        for what, count in islice(self.problems.items(), most):
            more = f" and {count - _PLACES:,} more" if count > _PLACES else ""
            lines.append(f"{', '.join(self.first_places[what])}{more}: {what}")
            told += count
        return [*lines, f"… and {self.refused - told:,} more rows"] if told < self.refused else lines

    def _batch(self, batch: list[Row], writer: Writer) -> None:
        reading = self.bundle.rows.read(
            [{} if problem_of(row.values) is not None else row.values for row in batch]
        )
        bad = self._refuse(batch, reading)
        start = self.seen
        self.seen += len(batch)
        self.refused += len(bad)
        if self.refused and not self.skip_invalid:
            return
        good = [place for place in range(len(batch)) if place not in bad]
        if not good:
            return
        columns = reading.columns
        if bad:
            columns = {name: values[good] for name, values in columns.items()}
        answers = self.bundle.answer(columns)
        answered = [dict(zip(answers, each, strict=True)) for each in zip(*answers.values(), strict=True)]
        writer.write(
            [
                self._record(batch[place], reading.warnings[place], start + place + 1, outputs)
                for place, outputs in zip(good, answered, strict=True)
            ]
        )
        self.answered += len(good)

    def _refuse(self, batch: list[Row], reading: Reading) -> set[int]:
        told: dict[int, list[str]] = {}
        for place, row in enumerate(batch):
            problem = problem_of(row.values)
            if problem is not None:
                told[place] = [problem]
        broken = set(told)
        for error in reading.errors:
            if error.row not in broken:
                name = " ".join(map(str, error.loc[1:]))
                value = str(error.input)
                shown = "" if error.input is None or value in error.msg else f" (got {value!r})"
                told.setdefault(error.row, []).append(f"{name}: {error.msg}{shown}" if name else error.msg)
        for place in sorted(told):
            what = "; ".join(told[place][:5])
            if what in self.problems or len(self.problems) < _TOLD:
                self.problems[what] += 1
                if self.problems[what] <= _PLACES:
                    self.first_places.setdefault(what, []).append(batch[place].place)
        return set(told)

    def _record(
        self, row: Row, warnings: Sequence[RowWarning], number: int, answers: Mapping[str, Answer]
    ) -> dict[str, Any]:
        record = self._key(row, number)
        outputs = {name: _fields(answer) for name, answer in answers.items()}
        if len(outputs) == 1:
            record |= next(iter(outputs.values()))
        else:
            record["outputs"] = outputs
        for warning in warnings:
            column = " ".join(map(str, warning.loc[1:]))
            self.warnings[column, warning.type] += 1
            self.first_warnings.setdefault((column, warning.type), (row.place, warning.msg))
        if warnings:
            record["warnings"] = [
                {"loc": list(warning.loc), "msg": warning.msg, "type": warning.type, "input": warning.input}
                for warning in warnings
            ]
        return record

    def _key(self, row: Row, number: int) -> dict[str, Any]:
        """What tells the answer's row: its identifier where it has one, else its number from 1."""
        identifier = self.bundle.schema.inputs.identifier
        if identifier is not None and isinstance(row.values, dict) and identifier in row.values:
            return {identifier: row.values[identifier]}
        return {"row": number}


def _fields(answer: Answer) -> dict[str, Any]:
    """An answer without what it has not."""
    fields = ("prediction", "prediction_name", "confidence", "probabilities", "score", "threshold")
    return {name: getattr(answer, name) for name in fields if getattr(answer, name) is not None}
