"""Encoded rows to the matrix an estimator is fitted on.

Every step is an element-wise float32 operation that ONNX has too, in the same order, so the graph
that ``bundle.preprocess_graph`` writes gives the same bits. Training only: SciPy is imported where
there is text.
"""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import numpy as np

from modelwright.bundle.encode import Encoder, Packed, SparseBlock

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LARGEST = np.float32(np.finfo(np.float32).max)
ORDINAL_MISSING = -1
_LIMITS = {"onehot": 100, "ordinal": 1000}


class Recipe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an estimator needs of its matrix.

    Attributes:
        impute: Put the training median where a number is missing, and say so in a column of its
            own; ``False`` leaves NaN to an estimator that knows what to do with it.
        scale: Subtract the mean and divide by the standard deviation.
        categories: A column of zeros and ones for each category, or one column of codes.
        limit: Categories kept per column (the most frequent); others share a slot with unseen ones.
            By default 100 for ``onehot`` and 1000 for ``ordinal``.
        min_count: A category in fewer training rows is pooled; by default a 10,000th of the rows,
            at least 2, or 1 below 100 rows.
    """

    impute: bool = True
    scale: bool = True
    categories: Literal["onehot", "ordinal"] = "onehot"
    limit: int | None = None
    min_count: int | None = None


class Preprocessor(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A fitted preprocessor; its JSON form gives the same numbers.

    Attributes:
        recipe: What it does.
        number_names, string_names: What comes in; the last ``text_width`` numbers are text's.
        fills: Training median of each number (text's excluded).
        flagged: Positions of the numbers that were missing in training; each gets an indicator.
        means, scales: What is subtracted and divided by; empty without scaling.
        categories: Kept categories of each string, in the order of their slots.
        text_width, image_width: Numbers that come from text, and after them from images; passed
            through as they are.
    """

    recipe: Recipe
    number_names: tuple[str, ...]
    string_names: tuple[str, ...]
    fills: tuple[float, ...] = ()
    flagged: tuple[int, ...] = ()
    means: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()
    text_width: int = 0
    image_width: int = 0

    @classmethod
    def fit(cls, packed: Packed, recipe: Recipe, *, encoder: Encoder | None = None) -> Preprocessor:
        """Learn medians, scales and categories from training rows.

        Args:
            packed: The encoded training rows.
            recipe: What the estimator needs.
            encoder: Where the rows come from; gives the features their names.
        """
        numbers = packed.numbers
        columns = [_Column.of(numbers[:, slot], recipe) for slot in range(numbers.shape[1])]
        flagged = [slot for slot, column in enumerate(columns) if column.gaps and recipe.impute]
        width = 0 if packed.text is None else packed.text.width
        image_width = 0 if packed.images is None else packed.images.shape[1]
        number_names = tuple(f"number {slot}" for slot in range(numbers.shape[1] + width + image_width))
        string_names = tuple(f"string {slot}" for slot in range(packed.strings.shape[1]))
        return cls(
            recipe=recipe,
            number_names=number_names if encoder is None else encoder.number_names,
            string_names=string_names if encoder is None else encoder.string_names,
            fills=tuple(column.median for column in columns),
            flagged=tuple(flagged),
            means=tuple(column.mean for column in columns) if recipe.scale else (),
            scales=tuple(column.spread for column in columns) if recipe.scale else (),
            categories=tuple(
                _kept_categories(packed.strings[:, slot], recipe) for slot in range(packed.strings.shape[1])
            ),
            text_width=width,
            image_width=image_width,
        )

    @property
    def sparse(self) -> bool:
        """Whether the matrix is a CSR one (there is text)."""
        return self.text_width > 0

    @property
    def passed_width(self) -> int:
        """How many numbers, the last ones, are passed through: those of text and images."""
        return self.text_width + self.image_width

    @property
    def plain_width(self) -> int:
        """How many numbers come in beside those."""
        return len(self.number_names) - self.passed_width

    @property
    def passed_start(self) -> int:
        """The matrix's column at which those that are passed through begin."""
        return len(self.feature_names) - self.passed_width

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """One-hot slots of each string: its categories, then other, then missing."""
        return tuple(len(kept) + 2 for kept in self.categories)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """What each column of the matrix is."""
        plain = self.number_names[: self.plain_width]
        flags = tuple(f"{plain[slot]} is missing" for slot in self.flagged)
        if self.recipe.categories == "ordinal":
            strings: tuple[str, ...] = self.string_names
        else:
            strings = tuple(
                f"{name}={value}"
                for name, kept in zip(self.string_names, self.categories, strict=True)
                for value in (*kept, "(other)", "(missing)")
            )
        return (*plain, *flags, *strings, *self.number_names[self.plain_width :])

    def transform(self, packed: Packed) -> np.ndarray | csr_matrix:
        """The float32 matrix of the rows, dense, or CSR where there is text."""
        codes = self._codes(packed.strings)
        numbers = self._numbers(packed.numbers)
        if packed.text is None:
            blocks = [numbers, *([self._spread(codes)] if self.categories else [])]
            blocks += [] if packed.images is None else [packed.images]
            return np.hstack(blocks) if len(blocks) > 1 else numbers
        return self._sparse_matrix(numbers, codes, packed.text, packed.images)

    def _numbers(self, numbers: np.ndarray) -> np.ndarray:
        """Imputed and scaled numbers, then the indicators of missing ones, in one new array."""
        plain = numbers.shape[1]
        values = np.empty((len(numbers), plain + len(self.flagged)), dtype=np.float32)
        block = values[:, :plain]
        block[:] = numbers
        for place, slot in enumerate(self.flagged):
            values[:, plain + place] = np.isnan(numbers[:, slot])
        if self.recipe.impute:
            for slot, fill in enumerate(self.fills):
                column = block[:, slot]
                column[np.isnan(column)] = fill
        if self.means:
            block -= np.array(self.means, dtype=np.float32)
            with np.errstate(over="ignore"):
                block /= np.array(self.scales, dtype=np.float32)
            np.minimum(block, LARGEST, out=block)
            np.maximum(block, -LARGEST, out=block)
        return values

    @cached_property
    def _lookups(self) -> tuple[dict[str, int], ...]:
        return tuple({value: code for code, value in enumerate(kept)} for kept in self.categories)

    def _codes(self, strings: np.ndarray) -> np.ndarray:
        """Slot of each string within its column: category, other (their number), missing (one more)."""
        codes = np.empty(strings.shape, dtype=np.int64)
        for slot, lookup in enumerate(self._lookups):
            other = len(lookup)
            table = {**lookup, "": other + 1}
            codes[:, slot] = [table.get(value, other) for value in strings[:, slot].tolist()]
        return codes

    def _spread(self, codes: np.ndarray) -> np.ndarray:
        """The strings' part of a dense matrix."""
        if self.recipe.categories == "ordinal":
            others = np.array([len(kept) for kept in self.categories], dtype=np.int64)
            return np.where(codes > others, ORDINAL_MISSING, codes).astype(np.float32)
        spread = np.zeros((len(codes), sum(self.widths)), dtype=np.float32)
        np.put_along_axis(spread, codes + self._offsets, 1.0, axis=1)
        return spread

    @cached_property
    def _offsets(self) -> np.ndarray:
        starts = itertools.accumulate(self.widths, initial=0)
        return np.array(list(starts)[: len(self.widths)], dtype=np.int64)

    def _sparse_matrix(
        self, numbers: np.ndarray, codes: np.ndarray, text: SparseBlock, images: np.ndarray | None
    ) -> csr_matrix:
        from scipy import sparse

        blocks = [sparse.csr_matrix(numbers)]
        if self.recipe.categories == "ordinal":
            blocks.append(sparse.csr_matrix(self._spread(codes)))
        elif codes.shape[1]:
            places = (codes + self._offsets).ravel()
            indptr = np.arange(0, codes.size + 1, codes.shape[1])
            ones = np.ones(codes.size, dtype=np.float32)
            blocks.append(sparse.csr_matrix((ones, places, indptr), shape=(len(codes), sum(self.widths))))
        blocks.append(
            sparse.csr_matrix((text.data, text.indices, text.indptr), shape=(text.rows, text.width))
        )
        if images is not None:
            blocks.append(sparse.csr_matrix(images))
        matrix = sparse.hstack(blocks, format="csr", dtype=np.float32)
        matrix.sort_indices()
        return matrix


class _Column(NamedTuple):
    """What is learned of one column of numbers; each figure is a float32 number."""

    gaps: bool
    median: float
    mean: float
    spread: float

    @classmethod
    def of(cls, values: np.ndarray, recipe: Recipe) -> _Column:
        """Measure one column, in float64: 0 where nothing is known, a spread of one where there is none."""
        missing = np.isnan(values)
        known = values[~missing].astype(np.float64)
        if not len(known):
            return cls(bool(missing.any()), 0.0, 0.0, 1.0)
        median = np.float32(np.median(known))
        if recipe.impute:
            known = np.where(missing, median, values).astype(np.float64)
        mean, spread = np.float32(known.mean()), np.float32(known.std())
        # Spread within float32's rounding of the mean is no spread: dividing would blow up noise.
        if spread <= max(np.abs(mean) * np.finfo(np.float32).eps, np.finfo(np.float32).tiny):
            spread = np.float32(1.0)
        return cls(bool(missing.any()), float(median), float(mean), float(spread))


def _kept_categories(values: np.ndarray, recipe: Recipe) -> tuple[str, ...]:
    """The frequent categories of one column, numbers by size, words by the alphabet."""
    counts = Counter(values.tolist())
    counts.pop("", None)
    rows = len(values)
    least = recipe.min_count
    if least is None:
        least = 1 if rows < 100 else max(2, rows // 10_000)
    limit = _LIMITS[recipe.categories] if recipe.limit is None else recipe.limit
    frequent = sorted((-count, value) for value, count in counts.items() if count >= least)[:limit]
    return tuple(sorted((value for _, value in frequent), key=_category_order))


def _category_order(value: str) -> tuple[int, float, str]:
    try:
        number = float(value)
    except ValueError:
        return (1, 0.0, value)
    return (0, number, value) if np.isfinite(number) else (1, 0.0, value)
