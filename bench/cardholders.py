"""Who will spend within a week: how well the example tells, against other ways, and how fast it reads."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from bench import cardholders_ways as ways
from bench.processes import cost, modelwright
from bench.rows import Benchmark, Row

REAL = Path(os.environ.get("MODELWRIGHT_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
CUT = "2016-07-01"
TRANSACTIONS = 442_458
AUC_GOAL, SECONDS_GOAL, BYTES_GOAL, COLD_GOAL = 0.81, 10.0, 2e9, 10.0
_READ = (
    "import sys, pandas as pd; sys.path.insert(0, sys.argv[1]); import features;"
    "raw = pd.read_csv(sys.argv[2], low_memory=False);"
    "rows = features.build(raw, 'will_spend'); print(rows.shape);"
    "print(features.build(raw, 'predicted_cluster').shape, features.online(raw)[0].shape)"
)


def run(folder: Path, quick: bool) -> list[Row]:
    """Measure quality on the real file where it is at hand, and cost on a made one of the size asked for."""
    features = ways.example()
    table = features.transactions(_raw(folder, quick))
    found = ways.questions(features, table, CUT)
    columns = [name for name in found.train.columns if name != "name"]
    ours = ways.boosted(found, columns)
    theirs = ways.published(features, table, found, CUT)
    for expected, came, rows in ways.calibration(found.truth, ours):
        print(f"calibration: {expected:.3f} expected, {came:.3f} came true ({rows} questions)", flush=True)
    print(f"the published way on its own random split: {theirs}", flush=True)
    area = "ROC AUC"
    recency = ways.auc(found.truth, -found.test["recency"].to_numpy())
    plain = ways.auc(found.truth, ways.boosted(found, [*ways.PLAIN, "k"]))
    mine = ways.auc(found.truth, ours)
    off = float(np.mean([abs(p - t) for p, t, _ in ways.calibration(found.truth, ours)]))
    return [
        Row("will spend within 7 days", mine, AUC_GOAL, area, "the goal", goal=1, more_is_better=True),
        Row("the same against plain gradient boosting", mine, plain, area, "counts, sums, recency, tenure"),
        Row("the same against recency alone", mine, recency, area, "days since the last purchase"),
        Row("the same, nobody knowing the name", ways.auc(found.truth, ways.strangers(found, columns)), mine,
            area, "the name known"),
        Row("the published way asked the same", theirs["honest"], mine, area, "the example"),
        Row("the published way on its own random split", theirs["auc"], theirs["honest"], area,
            "the same way, split by time"),
        Row("accuracy of the published way on its own split", theirs["accuracy"], theirs["majority"],
            "of its rows", "always the same answer"),
        Row("rows of its test whose gap it has trained on", theirs["shared"], 1.0, "of its rows", "all"),
        Row("calibration: mean distance over tenths", off, 0.1, "of probability", "0.1"),
        Row("Brier score", ways.brier(found.truth, ours),
            float(found.truth.mean() * (1 - found.truth.mean())), "", "the base rate's"),
        *_costs(folder, 20_000 if quick else TRANSACTIONS),
        _cold_start(folder),
    ]  # fmt: skip


def _costs(folder: Path, transactions: int) -> list[Row]:
    file = folder / "all.csv"
    write = [sys.executable, str(ways.EXAMPLE / "make_data.py"), "--rows", str(transactions)]
    cost([*write, "--layout", "oklahoma", "--out", str(file)], folder)
    spent = cost([sys.executable, "-c", _READ, str(ways.EXAMPLE), str(file)], folder)
    what = f"features and labels of {transactions:,} transactions"
    return [
        Row(
            f"{what}, both models and the online table",
            spent.seconds,
            SECONDS_GOAL,
            "s",
            "the budget",
            goal=1,
        ),
        Row(f"{what}: memory", spent.peak, BYTES_GOAL, "bytes", "the budget", goal=1),
    ]


def _cold_start(folder: Path) -> Row:
    """From nothing to the first answer of the Lambda handler: a new process, the bundle, the store."""
    project = folder / "cardholders"
    shutil.copytree(
        ways.EXAMPLE, project, ignore=shutil.ignore_patterns(".modelwright", "data", "__pycache__")
    )
    cost([*modelwright("up", project, "--no-serve")], folder)
    ask = {"input": {"usage_freq": 40, "amount_spend": 3000, "uniq_merchant": 20, "k": 7, "name": "nobody"}}
    kept = project / ".modelwright"
    store = f"sqlite:///{kept / 'store.db'}"
    code = (
        "import os; os.environ |= {"
        f"'MODELWRIGHT_BUNDLE': {str(kept / 'bundles' / 'v1')!r}, "
        f"'MODELWRIGHT_STORE_URL': {store!r}, "
        f"'MODELWRIGHT_WORK_DIR': {str(folder / 'function')!r}}};"
        f"from modelwright.serve.aws_lambda import handler; print(handler({ask!r}, None)['response'])"
    )
    seconds = min(cost([sys.executable, "-c", code], folder).seconds for _ in range(3))
    what = "cold start of the Lambda handler: process, bundle, store, first answer, its log delivered"
    return Row(what, seconds, COLD_GOAL, "s", "what Lambda allows for a start", goal=1)


def _raw(folder: Path, quick: bool) -> pd.DataFrame:
    file = REAL / "cardholders" / "purchase_cards_2014_2016.csv.gz"
    if quick or not file.is_file():
        file = folder / "made.csv"
        write = [sys.executable, str(ways.EXAMPLE / "make_data.py"), "--out", str(file)]
        cost([*write, "--rows", "6000" if quick else "127098"], folder)
        print("on synthetic transactions: the real ones are not at hand", flush=True)
    return pd.read_csv(file, low_memory=False)


BENCHMARK = Benchmark(
    title="Card holders",
    how="Questions are asked every five days about card holders who bought in the last 180: will a "
    "purchase come within 7 days? Learned from what was known and answered before July 2016, measured on the "
    "questions from then on. The published way repeats each gap between purchases day by day, takes totals "
    "over all of the data, encodes the name as a number and splits rows at random; it is measured so, and "
    "asked the same questions as the others. Time and memory are those of a process that reads the file and "
    "makes every row that both models and the online table need.",
    run=run,
    packages=("numpy", "pandas", "scikit-learn"),
)
