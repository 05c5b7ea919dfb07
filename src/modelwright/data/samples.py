"""The data sets that come with scikit-learn, under ``sklearn:NAME``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from modelwright.data.faults import DataUnreadable, nearest
from modelwright.errors import MissingExtra
from modelwright.project.sources import SAMPLE

TARGET = "target"
_BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")
_CACHED = "california_housing"


class Sample(NamedTuple):
    """One of scikit-learn's sets.

    Attributes:
        table: Feature columns under scikit-learn's names, then ``target``.
        label_names: What scikit-learn calls the target's values.
    """

    table: pa.Table
    label_names: dict[str, str]


def load_sample(name: str) -> Sample:
    """The set called ``name``; nothing is ever downloaded.

    Raises:
        DataUnreadable: There is no such set here.
        MissingExtra: scikit-learn is not installed.
    """
    if name not in {*_BUNDLED, _CACHED}:
        near = nearest(name, [*_BUNDLED, _CACHED])
        raise DataUnreadable(
            f"There is no data set {SAMPLE}{name}.",
            (f"Did you mean {near}? " if near else "")
            + "There are: "
            + ", ".join([*_BUNDLED, _CACHED])
            + ".",
        )
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        raise MissingExtra("scikit-learn", "train") from error
    bunch = _california(datasets) if name == _CACHED else getattr(datasets, f"load_{name}")()
    return Sample(_table(bunch), _label_names(bunch))


def _california(datasets: Any) -> Any:
    try:
        return datasets.fetch_california_housing(download_if_missing=False)
    except OSError as error:
        raise DataUnreadable(
            f"The data set {SAMPLE}{_CACHED} is not part of scikit-learn's package and not in its cache "
            f"({Path(datasets.get_data_home())}).",
            "Where there is a network, fetch it once: python -c "
            "'import sklearn.datasets as d; d.fetch_california_housing()'",
        ) from error


def _table(bunch: Any) -> pa.Table:
    data, target = np.asarray(bunch.data, dtype=np.float64), np.asarray(bunch.target)
    names = [str(name) for name in bunch.feature_names]
    columns = [pa.array(np.ascontiguousarray(data[:, place])) for place in range(len(names))]
    return pa.table([*columns, pa.array(target)], names=[*names, TARGET])


def _label_names(bunch: Any) -> dict[str, str]:
    if np.asarray(bunch.target).dtype.kind not in "iu":
        return {}
    names = [str(name) for name in getattr(bunch, "target_names", [])]
    return {str(code): name for code, name in enumerate(names) if name != str(code)}
