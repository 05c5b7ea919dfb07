"""A bundle is opened and answers with nothing of the training libraries loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bundles import contents_of, fit_tree, make_table
from modelwright.bundle.write import write_bundle

TRAINING = (
    "sklearn", "pandas", "scipy", "mlflow", "dvc", "onnx", "skl2onnx", "onnxmltools", "matplotlib", "pyarrow",
    "xgboost", "lightgbm", "optuna",
)  # fmt: skip

PROGRAM = """
import json, sys
from modelwright.bundle.read import open_bundle
bundle = open_bundle(sys.argv[1])
bundle.warm_up()
(answers,) = bundle.predict_rows([{"n 1": 5, "n 3": "15", "size": "x", "words": "数据 café"}])
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"prediction": answers["model"].prediction, "loaded": loaded}))
"""


def test_answering_a_row_loads_no_training_library(tmp_path: Path, repository: Path) -> None:
    """In a fresh interpreter, with text, categories and gaps."""
    write_bundle(tmp_path / "v1", contents_of(fit_tree(make_table(300, text=True))))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, tmp_path / "v1"],
        env=os.environ | {"PYTHONPATH": str(repository / "src")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["prediction"] in {"label 0", "label 1", "label 2"}
    assert not set(told["loaded"]) & set(TRAINING)
