"""The conventions of Amazon SageMaker's inference containers: ``docker run IMAGE serve``.

The model lies in ``/opt/ml/model``, the server listens on port 8080 (``SAGEMAKER_BIND_TO_PORT``) of every
address, and the platform has asked who it is before a request gets here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelwright.serve.plan import is_bundle

_BASE, _PORT = "/opt/ml", "8080"


@dataclass(frozen=True, slots=True)
class Container:
    """What such a container serves.

    Attributes:
        bundle: Where the bundle lies.
        port: Where to listen.
        workers: How many processes; ``None`` if it does not say.
    """

    bundle: Path
    port: int
    workers: int | None


def sagemaker_container(environ: Mapping[str, str]) -> Container | None:
    """The container this process runs in; ``None`` if it runs in none that holds a bundle."""
    bundle = Path(environ.get("SAGEMAKER_BASE_DIR") or _BASE) / "model"
    if not is_bundle(bundle):
        return None
    port = environ.get("SAGEMAKER_BIND_TO_PORT") or _PORT
    workers = environ.get("SAGEMAKER_MODEL_SERVER_WORKERS", "")
    return Container(
        bundle=bundle,
        port=int(port) if port.isdigit() else int(_PORT),
        workers=int(workers) if workers.isdigit() and int(workers) > 0 else None,
    )
