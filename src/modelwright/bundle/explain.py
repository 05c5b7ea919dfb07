"""Why an answer is what it is: Shapley values of the features, against reference rows.

A coalition's worth is the model's mean score over rows that have the explained row's values in the
coalition's features and a reference row's in the others (interventional, Janzing et al., "Feature
relevance quantification in explainable AI", 2020). With few features every coalition is asked and the
values are exact (Shapley, "A value for n-person games", 1953); with more, each reference row is turned
into the explained one feature by feature in random orders and their reverses (antithetic, Mitchell et
al., "Sampling permutations for Shapley value estimation", 2022). Either way they sum to the difference.

Rows are put together from encoded rows, slot by slot: encoding works column by column, so this is what
encoding the mixed rows would give, and no text is cut into terms again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np

from modelwright.bundle.encode import DATE_PARTS, ColumnArrays, DateColumn, Encoder, NumberColumn
from modelwright.bundle.read import LoadedModel, References
from modelwright.schema.metrics import Task

MOST_EXACT = 16_384
"""Rows asked at most for exact values; beyond, they are sampled."""

SAMPLED = 4_096
"""Rows asked for sampled values, about."""

_LEAST_REFERENCES = 16
_CELLS = 2_000_000  # numbers in one batch: wide text columns go in smaller ones

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Encoded numbers [rows, k] and strings [rows, m] to what is explained, float64 [rows]."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The features' shares in one answer.

    Attributes:
        shares: By feature; they sum to ``score - base``.
        base: Mean score of the reference rows.
        score: Of the row.
        what: What is scored, in words.
        rows: Reference rows it was compared with.
        exact: Whether every coalition was asked.
        runs: Orders that were sampled; 0 for exact values.
    """

    shares: dict[str, float]
    base: float
    score: float
    what: str
    rows: int
    exact: bool
    runs: int = 0


@dataclass(frozen=True, slots=True)
class _Game:
    """The row and the reference rows, encoded, and which feature owns which slot."""

    numbers: np.ndarray  # [1, k]
    strings: np.ndarray  # [1, m]
    other_numbers: np.ndarray  # [references, k]
    other_strings: np.ndarray  # [references, m]
    number_owner: np.ndarray  # [k], place of the feature among the players
    string_owner: np.ndarray  # [m]
    score: Score

    def worth(self, masks: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Scores of rows that have the row's values where ``masks`` [n, players + 1] is true."""
        found = np.empty(len(masks))
        width = max(1, self.numbers.shape[1] + self.strings.shape[1])
        size = max(64, min(2_048, _CELLS // width))
        for start in range(0, len(masks), size):
            part = slice(start, start + size)
            mask, rows = masks[part], references[part]
            numbers = np.where(mask[:, self.number_owner], self.numbers, self.other_numbers[rows])
            strings = np.where(mask[:, self.string_owner], self.strings, self.other_strings[rows])
            found[part] = self.score(numbers, strings)
        return found


def explain(
    model: LoadedModel, columns: ColumnArrays, background: ColumnArrays | References, *, seed: int = 0
) -> Explanation:
    """Explain the answer for the first row of ``columns``.

    Args:
        model: Whose answer.
        columns: The row.
        background: Reference rows, the same columns; or these encoded.
        seed: Of the orders that are sampled.

    Returns:
        Shares of the answered class's probability, of the value, or of the distance to the cluster.
    """
    row = {name: columns[name][:1] for name in model.encoder.names}
    numbers, strings = model.encoder.transform_dense(row)
    others = (
        background
        if isinstance(background, tuple)
        else model.encoder.transform_dense({name: background[name] for name in model.encoder.names})
    )
    score, what = score_of(model, numbers, strings)
    owners = _owners(model.encoder)
    names = list(model.encoder.names)
    playing = _playing(names, owners, (numbers, strings), others)
    place = {feature: at for at, feature in enumerate(playing)}
    # Slots of features that are the same everywhere belong to one more player, who never changes anything.
    game = _Game(
        numbers,
        strings,
        others[0],
        others[1],
        np.array([place.get(owner, len(playing)) for owner in owners[0]], dtype=np.int64),
        np.array([place.get(owner, len(playing)) for owner in owners[1]], dtype=np.int64),
        score,
    )
    shares, base, rows, runs = _played(game, len(playing), seed)
    return Explanation(
        shares={name: shares[place[at]] if at in place else 0.0 for at, name in enumerate(names)},
        base=base,
        score=float(score(numbers, strings)[0]),
        what=what,
        rows=rows,
        exact=not runs,
        runs=runs,
    )


def _played(game: _Game, players: int, seed: int) -> tuple[list[float], float, int, int]:
    """Shares, base, reference rows and sampled orders (0: exact)."""
    references = len(game.other_numbers)
    if not players:
        everybody = np.ones((references, 1), dtype=bool)
        return [], float(game.worth(everybody, np.arange(references)).mean()), references, 0
    least = min(references, _LEAST_REFERENCES)
    if 2**players * least <= MOST_EXACT:
        some = min(references, MOST_EXACT // 2**players)
        shares, base = _exact(game, players, some)
        return shares, base, some, 0
    return _sampled(game, players, np.random.default_rng(seed))


def _exact(game: _Game, players: int, references: int) -> tuple[list[float], float]:
    """Every coalition, by the bits of its number."""
    count = 2**players
    bits = (np.arange(count)[:, None] >> np.arange(players)) & 1
    masks = np.column_stack([bits.astype(bool), np.ones(count, dtype=bool)])
    worth = game.worth(np.repeat(masks, references, axis=0), np.tile(np.arange(references), count))
    value = worth.reshape(count, references).mean(axis=1)
    size = bits.sum(axis=1)
    weight = np.array(
        [factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)]
    )
    shares = []
    for player in range(players):
        without = np.flatnonzero(bits[:, player] == 0)
        gains = value[without | (1 << player)] - value[without]
        shares.append(float(weight[size[without]] @ gains))
    return shares, float(value[0])


def _sampled(game: _Game, players: int, random: np.random.Generator) -> tuple[list[float], float, int, int]:
    """Each reference row becomes the row, one feature after the other, in an order and its reverse."""
    references = min(len(game.other_numbers), max(_LEAST_REFERENCES, SAMPLED // (2 * players)))
    pairs = max(1, SAMPLED // (2 * players * references))
    orders = np.array([random.permutation(players) for _ in range(references * pairs)])
    orders = np.concatenate([orders, orders[:, ::-1]])
    rows = np.tile(np.repeat(np.arange(references), pairs), 2)
    # The mask of step t of an order: the first t features of it are the row's.
    rank = np.argsort(orders, axis=1)
    steps = np.arange(players + 1)
    masks = np.ones((len(orders), players + 1, players + 1), dtype=bool)
    masks[:, :, :players] = rank[:, None, :] < steps[None, :, None]
    worth = game.worth(masks.reshape(-1, players + 1), np.repeat(rows, players + 1))
    worth = worth.reshape(len(orders), players + 1)
    gains = np.empty((len(orders), players))
    np.put_along_axis(gains, orders, np.diff(worth, axis=1), axis=1)
    return gains.mean(axis=0).tolist(), float(worth[:, 0].mean()), references, len(orders)


def score_of(model: LoadedModel, numbers: np.ndarray, strings: np.ndarray) -> tuple[Score, str]:
    """What is explained: as the answer for this row says it."""
    entry = model.entry
    outputs = model.run(numbers, strings)
    if entry.task is Task.REGRESSION:
        return lambda n, s: np.asarray(model.run(n, s)[0], dtype=np.float64).reshape(-1), "Value"
    if entry.task is Task.CLASSIFICATION:
        column = model.answers.picks(outputs[0], outputs[1])[0]
        what = f"Probability of {model.answers.names[column]}"
    else:
        column = int(outputs[0][0])
        what = f"Distance to cluster {column}"
    return lambda n, s: np.asarray(model.run(n, s)[1][:, column], dtype=np.float64), what


def _owners(encoder: Encoder) -> tuple[list[int], list[int]]:
    """Which feature owns each number and each string."""
    place = {name: at for at, name in enumerate(encoder.names)}
    numbers: list[int] = []
    for column in encoder.columns:
        if isinstance(column, NumberColumn):
            numbers.append(place[column.name])
        elif isinstance(column, DateColumn):
            numbers += [place[column.name]] * len(DATE_PARTS)
    for block in encoder.blocks:  # text and what graphs encode follow, in this order
        numbers += [place[block.column]] * (block.stop - block.start)
    return numbers, [place[name] for name in encoder.string_names]


def _playing(
    names: list[str],
    owners: tuple[list[int], list[int]],
    row: tuple[np.ndarray, np.ndarray],
    others: tuple[np.ndarray, np.ndarray],
) -> list[int]:
    """Features in which any reference row differs from the row: all others have no share."""
    differs = np.zeros(len(names), dtype=bool)
    for owner, mine, theirs in zip(owners, row, others, strict=True):
        same = mine == theirs
        if mine.dtype != object:
            same |= np.isnan(mine) & np.isnan(theirs)
        for place in np.flatnonzero(~same.all(axis=0)):
            differs[owner[place]] = True
    return np.flatnonzero(differs).tolist()
