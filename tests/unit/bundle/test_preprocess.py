"""The preprocessor: imputing, scaling, categories, in float32."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from bundles import make_table, objects
from modelwright.bundle.encode import Encoder, Packed
from modelwright.bundle.preprocess import Preprocessor, Recipe


def packed(numbers: list[list[float]], strings: list[list[str]] | None = None) -> Packed:
    rows = len(numbers)
    block = np.empty((rows, len(strings[0]) if strings else 0), dtype=object)
    if strings:
        for row, values in enumerate(strings):
            block[row] = objects(values)
    return Packed(np.array(numbers, dtype=np.float32), block)


def test_missing_numbers_get_the_median_and_a_column_that_says_so() -> None:
    """Only columns that had gaps in training get an indicator; a gap elsewhere is filled all the same."""
    fitted = Preprocessor.fit(packed([[1, 5], [3, 5], [np.nan, 6]]), Recipe(scale=False))
    matrix = fitted.transform(packed([[np.nan, np.nan]]))
    assert matrix.tolist() == [[2.0, 5.0, 1.0]]
    assert fitted.feature_names == ("number 0", "number 1", "number 0 is missing")


def test_a_column_without_any_value_becomes_zero() -> None:
    """There is no median of nothing."""
    fitted = Preprocessor.fit(packed([[np.nan], [np.nan]]), Recipe())
    assert fitted.transform(packed([[np.nan], [4.0]]))[:, 0].tolist() == [0.0, 4.0]


def test_scaling_subtracts_and_divides_in_float32() -> None:
    """The very operations that the graph repeats; a constant column is only centred."""
    rng = np.random.default_rng(0)
    numbers = (rng.normal(size=(100, 2)) * [3, 0] + [1e6, 7]).astype(np.float32)
    fitted = Preprocessor.fit(packed(numbers.tolist()), Recipe())
    matrix = fitted.transform(packed(numbers.tolist()))
    assert matrix.dtype == np.float32
    assert abs(float(matrix[:, 0].std()) - 1) < 1e-3
    assert matrix[:, 1].tolist() == [0.0] * 100


def test_scaled_outliers_stay_finite() -> None:
    """A value far outside is large, not infinite."""
    fitted = Preprocessor.fit(packed([[0.001], [0.002], [0.003]]), Recipe())
    assert np.isfinite(fitted.transform(packed([[3e38], [-3e38]]))).all()


def test_rare_and_unseen_categories_share_a_slot_and_missing_has_its_own() -> None:
    """Frequent categories are sorted, numbers by size."""
    strings = [["10"]] * 60 + [["9"]] * 50 + [["rare"]] + [[""]] * 9
    fitted = Preprocessor.fit(packed([[0.0]] * 120, strings), Recipe(scale=False))
    assert fitted.feature_names[1:] == ("string 0=9", "string 0=10", "string 0=(other)", "string 0=(missing)")
    matrix = fitted.transform(packed([[0.0]] * 5, [["9"], ["10"], ["rare"], ["new"], [""]]))
    assert matrix[:, 1:].argmax(axis=1).tolist() == [0, 1, 2, 2, 3]
    assert matrix[:, 1:].sum() == 5


def test_ordinal_codes() -> None:
    """Codes in order; other follows the last one; missing is -1."""
    fitted = Preprocessor.fit(
        packed([[0.0]] * 3, [["b"], ["a"], ["b"]]), Recipe(scale=False, categories="ordinal")
    )
    matrix = fitted.transform(packed([[0.0]] * 4, [["a"], ["b"], ["new"], [""]]))
    assert matrix[:, 1].tolist() == [0, 1, 2, -1]


def test_too_many_categories_keep_the_most_frequent() -> None:
    """The limit bounds the width of the matrix."""
    strings = [[f"c{number % 30}"] for number in range(90)] + [["often"]] * 9
    fitted = Preprocessor.fit(packed([[0.0]] * 99, strings), Recipe(limit=10))
    assert len(fitted.categories[0]) == 10
    assert "often" in fitted.categories[0]


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(impute=False, scale=False, categories="ordinal")])
@pytest.mark.parametrize("text", [False, True])
def test_json_round_trip_transforms_identically(recipe: Recipe, text: bool) -> None:
    """The preprocessor read back from its JSON gives the same bits, dense or sparse."""
    table = make_table(60, text=text)
    encoder = Encoder.fit(table.schema, table.columns)
    rows = encoder.transform(table.columns)
    fitted = Preprocessor.fit(rows, recipe, encoder=encoder)
    again = msgspec.json.decode(msgspec.json.encode(fitted), type=Preprocessor)
    first, second = fitted.transform(rows), again.transform(rows)
    assert first.shape == (60, len(fitted.feature_names))
    if text:
        assert fitted.sparse
        assert (first != second).nnz == np.isnan(first.data).sum()
        return
    assert first.tobytes() == second.tobytes()
