"""How much each training row counts, where a column says so."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelwright.errors import ExitCode, ModelwrightError


class WeightsInvalid(ModelwrightError):
    """The column of weights holds something that is no weight."""

    code = ExitCode.DATA


def row_weights(table: pa.Table, column: str | None, rows: np.ndarray) -> np.ndarray | None:
    """Weights of some rows, ``None`` where no column holds any.

    Args:
        table: The whole table.
        column: Its column of weights.
        rows: Places of the rows.

    Returns:
        float64 [rows], with a mean of 1.

    Raises:
        WeightsInvalid: A weight is missing, negative or no number, or all are 0.
    """
    if column is None:
        return None
    try:
        values = pc.cast(table.column(column), pa.float64()).to_numpy()[rows]
    except pa.ArrowInvalid as error:
        raise WeightsInvalid(
            f"The column '{column}' is named as data.weight and holds no numbers: {error}.",
            "Name another column, or remove the key.",
        ) from error
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        place = int(rows[wrong[0]])
        raise WeightsInvalid(
            f"In row {place + 1} the weight '{column}' is {values[wrong[0]]:g}, which is none; so it is in "
            f"{len(wrong) - 1:,} more rows.",
            "Give every row a number that is not negative; 0 leaves a row out.",
        )
    total = float(values.sum())
    if total <= 0:
        raise WeightsInvalid(f"The weights in '{column}' are all 0.", "Let at least one training row count.")
    return np.asarray(values * (len(values) / total))


def combined_weights(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    """Both kinds of weights multiplied, or the one that there is."""
    if one is None or other is None:
        return other if one is None else one
    return np.asarray(one * other)
