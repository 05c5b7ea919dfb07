"""Bodies of prediction requests by the thousand: right, nearly right and not at all, from a seed."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

JSON = "application/json"
_CELLS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2.5, -0.0, 1e308, -1e308, 5e-324),
    *(2**31, 2**53 + 1, 2**63, -(2**63), 2**64, 10**30),
    *("", " ", "1", " 1.5 ", "1e3", "NaN", "inf", "0x1", "1,5", "true", "no", "a", "x", "rare"),
    *("数据", "é è", "café", "2026-01-01", "2026-01-01T00:00:00Z", "0001-01-01", "data:;base64,"),
    *("\x00", "\ud800", "\U0010ffff", "a" * 300),
    *([], {}, [1], {"a": 1}, [[[]]], {"b64": "AA=="}),
)  # fmt: skip
_IDS: tuple[Any, ...] = (
    "order-1",
    "a b",
    "",
    "i" * 128,
    "i" * 129,
    7,
    -1,
    10**40,
    1.5,
    True,
    None,
    [],
    {"a": 1},
    "é",
)
_TYPES = (
    *("FP64", "FP32", "FP16", "INT64", "INT8", "UINT64", "BOOL", "BYTES", "STRING", "", 1, None),
)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """What is posted.

    Attributes:
        path: Where to.
        content: The body.
        headers: Beside host and content-length; names in lower case.
    """

    path: str
    content: bytes
    headers: dict[str, str]

    def request(self) -> bytes:
        """The bytes of the whole request."""
        lines = [f"POST {self.path} HTTP/1.1", "host: x", f"content-length: {len(self.content)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.content


class Bodies:
    """A source of bodies for a model.

    Args:
        columns: Its columns, each with values that it takes.
        name: Under which it is served.
        seed: Same seed, same bodies.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]], name: str, *, seed: int = 0) -> None:
        self._columns = columns
        self._names = list(columns)
        self._name = name
        self._dice = random.Random(seed)

    def of(self, protocol: str, count: int) -> Iterator[Body]:
        """So many bodies of one of ``PROTOCOLS``."""
        make = _MAKERS[protocol]
        for _ in range(count):
            yield make(self)

    def predict(self) -> Body:
        """A body of ``/predict``."""
        dice = self._dice
        row: Any = self._row()
        shape = dice.randrange(8)
        if shape == 0:
            document: Any = row
        elif shape in {1, 2}:
            document = {dice.choice(("features", "input")): row}
        elif shape == 3:
            document = {"instances": [self._row() for _ in range(dice.randrange(6))]}
        elif shape == 4:
            document = [self._row() for _ in range(dice.randrange(4))]
        elif shape == 5:
            document = {"instances": [{"features": self._row(), "id": self._id()} for _ in range(2)]}
        elif shape == 6:
            document = {"features": row, dice.choice(("id", "ID", "instances", "x")): self._id()}
        else:
            document = dice.choice(_CELLS)
        path = dice.choice(("/predict", "/predict", f"/models/{self._name}/predict"))
        return Body(path, self._spoilt(_json(document)), self._headers(JSON))

    def invocations(self) -> Body:
        """A body of ``/invocations`` as MLflow's clients send it."""
        dice = self._dice
        rows = [self._named() for _ in range(dice.randrange(4))]
        listed = [[row.get(name) for name in self._names] for row in rows]
        documents = (
            {"dataframe_split": {"columns": self._names, "data": listed}},
            {"dataframe_split": {"data": listed, "columns": dice.choice(_CELLS), "index": [0]}},
            {"dataframe_records": rows},
            {"instances": rows if dice.random() < 0.5 else listed},
            {"inputs": {name: [row.get(name) for row in rows] for name in self._names}},
            {"inputs": dice.choice(_CELLS), "params": dice.choice(_CELLS)},
            {"instances": rows, "params": {"details": dice.choice((True, False, 1))}},
        )
        if dice.random() < 0.2:
            return Body("/invocations", self._spoilt(self._csv()), self._headers("text/csv"))
        return Body("/invocations", self._spoilt(_json(dice.choice(documents))), self._headers(JSON))

    def v2(self) -> Body:
        """A body of the Open Inference Protocol."""
        dice = self._dice
        count = dice.randrange(4)
        tail = b""
        tensors = []
        for name in self._names:
            values = [self._cell(name) for _ in range(count)]
            text = any(isinstance(value, str) for value in values)
            tensor: dict[str, Any] = {"name": name, "shape": [count], "datatype": "BYTES" if text else "FP64"}
            if dice.random() < 0.15 and not text:
                data = dice.randbytes(8 * count + (dice.random() < 0.2))
                tensor["parameters"] = {"binary_data_size": len(data)}
                tail += data
            else:
                tensor["data"] = values
            if dice.random() < 0.1:
                tensor[dice.choice(("shape", "datatype", "data", "name", "parameters"))] = dice.choice(
                    (*_CELLS, *_TYPES, [count, 1], [-1], [2**40])
                )
            tensors.append(tensor)
        document: dict[str, Any] = {"inputs": tensors}
        for key, chance in (("id", 0.2), ("outputs", 0.2), ("parameters", 0.1)):
            if dice.random() < chance:
                document[key] = dice.choice((*_IDS, [{"name": "prediction"}], [{"name": "x"}], {"a": []}))
        if dice.random() < 0.05:
            document["inputs"] = dice.choice(_CELLS)
        head = self._spoilt(_json(document))
        headers = self._headers(JSON)
        if tail:
            headers["inference-header-content-length"] = str(len(head) - (dice.random() < 0.1))
        return Body(f"/v2/models/{self._name}/infer", head + tail, headers)

    def sagemaker(self) -> Body:
        """A body of SageMaker's runtime."""
        dice = self._dice
        kind = dice.choice(("text/csv", "application/x-npy", JSON, JSON, "application/jsonlines"))
        if kind == "text/csv":
            content = self._csv()
        elif kind == "application/x-npy":
            content = self._npy()
        else:
            content = _json(
                dice.choice(({"features": self._row()}, {"instances": [self._row()]}, self._row()))
            )
        headers = self._headers(kind)
        if dice.random() < 0.3:
            headers["accept"] = dice.choice(
                ("text/csv", "application/x-npy", "*/*", "x/y", "application/jsonlines")
            )
        if dice.random() < 0.3:
            headers["x-amzn-sagemaker-inference-id"] = str(dice.choice(_IDS)).encode().decode("latin-1")
        if dice.random() < 0.2:
            headers["x-amzn-sagemaker-custom-attributes"] = "a=b \xe9" * dice.randrange(1, 50)
        return Body(f"/endpoints/{self._name}/invocations", self._spoilt(content), headers)

    def _headers(self, kind: str) -> dict[str, str]:
        dice = self._dice
        headers = {"content-type": kind}
        if dice.random() < 0.05:
            headers["content-type"] = dice.choice(
                ("", "x", "text/csv", "multipart/form-data; boundary=b", f"{kind};a")
            )
        if dice.random() < 0.05:
            headers["x-request-id"] = str(dice.choice(_IDS)).encode().decode("latin-1")
        return headers

    def _id(self) -> Any:
        return self._dice.choice(_IDS)

    def _cell(self, name: str) -> Any:
        if self._dice.random() < 0.97:
            return self._dice.choice(self._columns[name])
        return self._dice.choice(_CELLS)

    def _named(self) -> dict[str, Any]:
        row = {name: self._cell(name) for name in self._names if self._dice.random() < 0.97}
        if self._dice.random() < 0.05:
            row[self._dice.choice(("other", "", "\x00", "features", "id", self._names[0].upper()))] = 1
        return row

    def _row(self) -> Any:
        chance = self._dice.random()
        if chance < 0.5:
            return self._named()
        if chance < 0.95:
            return [self._cell(name) for name in self._names]
        return self._dice.choice((*_CELLS, [self._cell(name) for name in self._names[1:]]))

    def _csv(self) -> bytes:
        lines = [",".join(self._names)] if self._dice.random() < 0.5 else []
        for _ in range(self._dice.randrange(4)):
            lines.append(",".join("" if cell is None else str(cell) for cell in map(self._cell, self._names)))
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    def _npy(self) -> bytes:
        stream = io.BytesIO()
        width = len(self._names) - (self._dice.random() < 0.1)
        kind = self._dice.choice(("<f8", "<f4", "<i8", "|b1", "<U4", "<c8", "<M8[us]"))
        np.save(stream, np.zeros((self._dice.randrange(3), width), dtype=kind), allow_pickle=False)
        return stream.getvalue()

    def _spoilt(self, content: bytes) -> bytes:
        """The content, every fifth time with a few bytes changed, lost, doubled or cut off."""
        dice = self._dice
        if not content or dice.random() < 0.8:
            return content
        data = bytearray(content)
        for _ in range(dice.randrange(1, 4)):
            place = dice.randrange(len(data) + 1)
            match dice.randrange(4):
                case 0:
                    data[place : place + 1] = dice.randbytes(1)
                case 1:
                    del data[place : place + dice.randrange(1, 9)]
                case 2:
                    data[place:place] = data[place : place + dice.randrange(1, 99)]
                case _:
                    data[place:place] = dice.choice(
                        (b"[", b"{", b'"', b"\\u0000", b"NaN", b"\xff", b",", b"1e999")
                    )
        return bytes(data)


_MAKERS: dict[str, Callable[[Bodies], Body]] = {
    "predict": Bodies.predict,
    "invocations": Bodies.invocations,
    "v2": Bodies.v2,
    "sagemaker": Bodies.sagemaker,
}
PROTOCOLS = tuple(_MAKERS)


def _json(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")
