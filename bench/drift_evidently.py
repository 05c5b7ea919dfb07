"""Evidently's default drift check on our simulated streams; run by an interpreter that has it installed.

``python bench/drift_evidently.py streams.json``: Evidently 0.7 cannot be imported with pandas 3, so it
is never in the environment of the product. Each stream is checked in windows of 500 rows against its
own reference of 5,000, as ``DataDriftPreset`` does by default (per column: Wasserstein distance for
numbers and Jensen-Shannon for words, 0.1 each, from 1,000 reference rows on). Prints JSON: for each
stream the drifted columns of each window, and the seconds it took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

WINDOW = 500


def main(file: str) -> None:
    """Check every stream of ``file`` and print what was found."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    found = []
    for stream in json.loads(Path(file).read_text()):
        words = [name for name, values in stream["reference"].items() if isinstance(values[0], str)]
        numbers = [name for name in stream["reference"] if name not in words]
        definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
        reference = Dataset.from_pandas(pd.DataFrame(stream["reference"]), data_definition=definition)
        rows = pd.DataFrame(stream["rows"])
        drifted, begun = [], time.perf_counter()
        for start in range(stream["from"], len(rows) - WINDOW + 1, WINDOW):
            window = Dataset.from_pandas(rows[start : start + WINDOW], data_definition=definition)
            result = Report([DataDriftPreset()]).run(window, reference).dict()
            drifted.append([name for name, value in _columns(result) if value])
            if stream["stop"] in drifted[-1]:
                break
        found.append({"drifted": drifted, "seconds": time.perf_counter() - begun})
    print(json.dumps(found))


def _columns(result: dict[str, Any]) -> list[tuple[str, bool]]:
    """Each column with whether Evidently calls it drifted."""
    told = []
    for metric in result["metrics"]:
        config = metric["config"]
        if config.get("column") is not None and "threshold" in config:
            method, value = config["method"], float(metric["value"])
            by_p = "p_value" in method
            told.append(
                (config["column"], value < config["threshold"] if by_p else value >= config["threshold"])
            )
    return told


if __name__ == "__main__":
    main(sys.argv[1])
