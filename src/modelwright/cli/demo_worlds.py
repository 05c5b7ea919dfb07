"""The worlds of ``modelwright demo``: what is trained on, and how it changes in the course of a year."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modelwright.errors import ExitCode, ModelwrightError

_FLOWERS = 1_200
_PAYMENTS = 3_000
_COMPONENTS = 8
_CALM = 0.6  # share of a file of payments that is trained on; the rest comes as traffic
_QUICK = "2s"


class NoWorld(ModelwrightError):
    """The files that were named cannot make a world."""

    code = ExitCode.DATA


@dataclass(frozen=True)
class Season:
    """A time of the year.

    Attributes:
        name: Its name.
        tale: What is so in it, for the person who watches.
        calm: Whether nothing may be noticed.
        features: What drift must name, where features changed.
        quality: Whether answers become wrong, so that quality must be named.
        learnable: Whether a version that learns it is better, and so must answer in the end.
    """

    name: str
    tale: str
    calm: bool = False
    features: tuple[str, ...] = ()
    quality: bool = False
    learnable: bool = False


@dataclass(frozen=True)
class Table:
    """Rows and their truths.

    Attributes:
        names: Columns.
        rows: [rows, columns].
        truths: [rows], as the target column holds them.
    """

    names: tuple[str, ...]
    rows: np.ndarray
    truths: np.ndarray

    def take(self, places: np.ndarray) -> Table:
        """Some of the rows."""
        return Table(self.names, self.rows[places], self.truths[places])


@dataclass
class World:
    """What the service meets.

    Attributes:
        name: Of the project.
        target: Its target column.
        metric: What decides.
        base: What it is trained on.
        seasons: In order, the first one calm.
        streams: Rows by season, before they are changed.
        changes: By season, columns by their factor, and truths by what they become.
        seed: Of the draws.
    """

    name: str
    target: str
    metric: str
    base: Table
    seasons: tuple[Season, ...]
    streams: dict[str, Table]
    changes: dict[str, tuple[dict[str, float], dict[Any, Any]]]
    seed: int = 0
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        """Make the dice."""
        self._random = np.random.default_rng(self.seed)

    def draw(self, season: Season, count: int) -> Table:
        """So many rows as they come in a season."""
        stream = self.streams[season.name]
        drawn = stream.take(self._random.integers(0, len(stream.rows), count))
        rows, truths = drawn.rows.copy(), drawn.truths.copy()
        factors, become = self.changes.get(season.name, ({}, {}))
        for column, factor in factors.items():
            rows[:, drawn.names.index(column)] *= factor
        for one, other in become.items():
            truths[drawn.truths == one] = other
        return Table(drawn.names, rows, truths)

    def write(self, folder: Path) -> None:
        """The project: its data and its file."""
        data = folder / "data"
        data.mkdir(parents=True)
        with (data / f"{self.name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*self.base.names, self.target])
            for row, truth in zip(self.base.rows.tolist(), self.base.truths.tolist(), strict=True):
                writer.writerow([*(f"{value:.6g}" for value in row), truth])
        (folder / "project.yaml").write_text(self._file(), encoding="utf-8")

    def _file(self) -> str:
        return f"""# Made by: modelwright demo loop. A year in minutes, so all times are short.
name: {self.name}
data: {{source: data/{self.name}.csv, target: {self.target}}}
train:
  candidates: [{{decision_tree: {{max_depth: 6}}}}, logistic_regression]
  metric: {self.metric}
monitor:
  window: 300
retrain:
  on_drift: true
  quality: {{{self.metric}: 0.85, window: 200}}
  cooldown: {_QUICK}
  newest: 1200                  # what was sent last counts: the window moves with the world
  watch: {{time: 20s, labels: 50}}
"""


def iris(seed: int = 0) -> World:
    """Flowers like the measured ones: drawn from each species' own means and covariances."""
    from sklearn.datasets import load_iris

    data = load_iris()
    names = tuple(name.removesuffix(" (cm)").replace(" ", "_") for name in data.feature_names)
    species = [str(name) for name in data.target_names]
    random = np.random.default_rng(seed)

    def flowers(count: int, shares: Sequence[float]) -> Table:
        kinds = random.choice(3, count, p=shares)
        rows = np.empty((count, 4))
        for kind in range(3):
            measured = data.data[data.target == kind]
            rows[kinds == kind] = random.multivariate_normal(
                measured.mean(axis=0), np.cov(measured.T), int((kinds == kind).sum())
            )
        return Table(names, np.maximum(rows, 0.05).round(2), np.array(species, dtype=object)[kinds])

    even = [1 / 3] * 3
    plain = flowers(4_000, even)
    return World(
        name="iris",
        target="species",
        metric="accuracy",
        base=flowers(_FLOWERS, even),
        seasons=(
            Season("spring", "Flowers as in training.", calm=True),
            Season("summer", "Hardly a setosa any more, mostly virginica.", features=names[2:]),
            Season(
                "autumn",
                "A new gauge tells petals in millimetres.",
                features=names[2:],
                quality=True,
                learnable=True,
            ),
            Season(
                "winter", "Botanists call every versicolor a virginica now.", quality=True, learnable=True
            ),
        ),
        streams={
            "spring": plain,
            "summer": flowers(4_000, [0.05, 0.25, 0.7]),
            "autumn": plain,
            "winter": plain,
        },
        changes={
            "autumn": ({names[2]: 10.0, names[3]: 10.0}, {}),
            "winter": ({names[2]: 10.0, names[3]: 10.0}, {"versicolor": "virginica"}),
        },
        seed=seed,
    )


def fraud(sample: Path | None = None, later: Path | None = None, seed: int = 0) -> World:
    """Payments of two files with the columns of the card fraud set, or made ones.

    Raises:
        NoWorld: A file is not such a table.
    """
    first = _payments(seed, 0.5) if sample is None else _read(sample)
    second = _payments(seed + 1, 0.13) if later is None else _read(later)
    if first.names != second.names:
        raise NoWorld(f"{later} has other columns than {sample}.", "Name two files of the same set.")
    order = np.random.default_rng(seed).permutation(len(first.rows))
    cut = int(_CALM * len(order))
    rest = first.take(order[cut:])
    scaled = dict.fromkeys(_telling(first), 3.0)
    return World(
        name="fraud",
        target="Class",
        metric="f1",
        base=first.take(order[:cut]),
        seasons=(
            Season("spring", "Payments as in training.", calm=True),
            Season("summer", "Later payments, far fewer of them fraud.", features=_telling(second)),
            Season("autumn", f"{' and '.join(scaled)} come three times as large.", features=tuple(scaled)),
            Season(
                "winter", "Fraud is reported as legitimate, as if by mistake, half of the time.", quality=True
            ),
        ),
        streams={"spring": rest, "summer": second, "autumn": rest, "winter": _half_mistaken(rest, seed)},
        changes={"autumn": (scaled, {}), "winter": (scaled, {})},
        seed=seed,
    )


def _half_mistaken(table: Table, seed: int) -> Table:
    truths = table.truths.copy()
    mistaken = (truths == 1) & (np.random.default_rng(seed).random(len(truths)) < 0.5)
    truths[mistaken] = 0
    return Table(table.names, table.rows, truths)


def _telling(table: Table) -> tuple[str, ...]:
    """The two columns that tell the classes apart best."""
    one, other = (table.rows[table.truths == label] for label in (0, 1))
    apart = np.abs(one.mean(axis=0) - other.mean(axis=0)) / (table.rows.std(axis=0) + 1e-9)
    return tuple(table.names[place] for place in np.argsort(-apart)[:2])


def _payments(seed: int, share: float) -> Table:
    random = np.random.default_rng(seed)
    fraud = random.random(_PAYMENTS) < share
    apart = np.linspace(1.4, 0.0, _COMPONENTS) * np.tile([1, -1], _COMPONENTS // 2)
    rows = random.normal(size=(_PAYMENTS, _COMPONENTS)) + np.where(fraud[:, None], apart, -apart)
    amounts = random.gamma(2.0, 60.0, (_PAYMENTS, 1))
    names = (*(f"V{number}" for number in range(1, _COMPONENTS + 1)), "Amount")
    return Table(names, np.hstack([rows, amounts]).round(5), fraud.astype(np.int64))


def _read(path: Path) -> Table:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            head, *lines = csv.reader(file)
        names = tuple(name for name in head if name not in {"id", "Class"})
        places = [head.index(name) for name in names]
        target = head.index("Class")
        rows = np.array([[float(line[place]) for place in places] for line in lines])
        truths = np.array([int(line[target]) for line in lines])
    except (OSError, ValueError, IndexError) as error:
        raise NoWorld(
            f"{path} is no table of card payments: {error}.",
            "Name a CSV of numbers with a column Class of 0 and 1.",
        ) from error
    return Table(names, rows, truths)
