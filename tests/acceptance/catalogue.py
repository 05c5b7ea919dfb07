"""Made product catalogues for tests, and waiting for what a server does by itself."""

from __future__ import annotations

import csv
import importlib.util
from functools import partial
from pathlib import Path
from types import ModuleType

from acceptance.program import EXAMPLES
from serving import eventually

until = partial(eventually, seconds=120, every=0.2)


def load() -> ModuleType:
    """The example's generator."""
    spec = importlib.util.spec_from_file_location("make_products", EXAMPLES / "products" / "make_data.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(catalogue: ModuleType, folder: Path, rows: int, seed: int = 0) -> list[dict[str, str]]:
    """A made catalogue in a folder."""
    table: list[dict[str, str]] = catalogue.make(rows, seed, folder)
    with (folder / "products.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, catalogue.HEADER)
        writer.writeheader()
        writer.writerows(table)
    return table
