"""What people write first: FastAPI, a pydantic row, and scikit-learn's own ``predict_proba``."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = pickle.loads(Path(sys.argv[2]).read_bytes())


class Body(BaseModel):
    """One row."""

    features: dict[str, float] | list[float]


@app.post("/predict")
def predict(body: Body) -> dict[str, object]:
    """Answer it."""
    values = list(body.features.values()) if isinstance(body.features, dict) else body.features
    probabilities = model.predict_proba(np.array([values]))[0]
    pick = int(probabilities.argmax())
    return {"prediction": pick, "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
