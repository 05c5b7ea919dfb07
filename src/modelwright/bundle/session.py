"""ONNX Runtime as a bundle uses it: one thread, two packed inputs, no surprises."""

from __future__ import annotations

import hashlib
import threading
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import onnxruntime

from modelwright.bundle.heap import give_back

_ERRORS_ONLY = 3
_SHARED: WeakValueDictionary[tuple[bytes, int], Any] = WeakValueDictionary()
_LOADING = threading.Lock()
_LARGE = 2**20  # bytes of a graph from which on reading it leaves much behind


class GraphRunner:
    """A model's graph, ready to run.

    Attributes:
        outputs: Names of the outputs, in order.
        width: Columns of the last output (classes or clusters); 1 for a regression.
    """

    def __init__(self, graph: bytes, *, threads: int = 1) -> None:
        self._session = session_of(graph, threads=threads)
        inputs = {entry.name for entry in self._session.get_inputs()}
        self._numbers = "numbers" in inputs
        self._strings = "strings" in inputs
        declared = self._session.get_outputs()
        self.outputs = [entry.name for entry in declared]
        shape = declared[-1].shape
        self.width = int(shape[1]) if len(shape) > 1 else 1
        self._run = self._session.run
        if len(graph) > _LARGE:
            give_back()

    def run(self, numbers: np.ndarray, strings: np.ndarray) -> list[np.ndarray]:
        """The graph's outputs for ``numbers`` float32 [rows, k] and ``strings`` object [rows, m].

        A block that the graph has no input for is left aside.
        """
        feed: dict[str, np.ndarray] = {}
        if self._numbers:
            feed["numbers"] = numbers
        if self._strings:
            feed["strings"] = strings
        outputs: list[np.ndarray] = self._run(self.outputs, feed)
        return outputs


def session_of(graph: bytes, *, threads: int = 1) -> Any:
    """ONNX Runtime's session of a graph."""
    onnxruntime.disable_telemetry_events()
    return onnxruntime.InferenceSession(graph, _session_options(threads), providers=["CPUExecutionProvider"])


def encoder_session(graph: bytes, *, threads: int = 1) -> Any:
    """The session of an encoder, one for all columns, models and versions that have the same encoder.

    Encoders of sentences take a hundred megabytes: two columns of texts, or a swap to a version that
    brings the same encoder, must not take that twice.
    """
    key = (hashlib.sha256(graph).digest(), threads)
    with _LOADING:
        session = _SHARED.get(key)
        if session is None:
            session = _SHARED[key] = session_of(graph, threads=threads)
        return session


def _session_options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # The arena keeps the largest batch's memory for ever; single rows gain nothing from it.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _ERRORS_ONLY
    return options
