"""The engine: one request that breaks something takes no other with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from modelwright.serve.asks import Ask
from modelwright.serve.deployment import Deployment
from modelwright.serve.engine import Engine
from modelwright.serve.journal.entries import Entry
from modelwright.serve.journal.reader import Tail
from modelwright.serve.journal.writer import JournalWriter
from modelwright.serve.live import Assigned
from modelwright.serve.protocols.call import Reply
from modelwright.serve.wires import PredictWire
from serving import SETOSA, write_iris_bundle, write_numeric_bundle

BREAK = json.dumps({"features": [4.9, 3.0, 1.4, 0.2]}).encode()
GOOD = json.dumps({"features": SETOSA}).encode()


class Uncounted:
    """Counts nothing."""

    def settled(self, asks: Any, now: float) -> None:
        """Nothing to do."""


class BreaksReading(PredictWire):
    """A protocol with a fault in its reader."""

    def read(self, ask: Ask, deployment: Deployment, most_rows: int) -> None:
        if ask.body == BREAK:
            raise TypeError("a fault")
        super().read(ask, deployment, most_rows)


class BreaksReplying(PredictWire):
    """A protocol with a fault in its writer."""

    def reply(self, ask: Ask) -> Reply:
        if ask.body == BREAK:
            raise TypeError("a fault")
        return super().reply(ask)


class Unpackable(PredictWire):
    """A protocol whose rows the log cannot hold."""

    def read(self, ask: Ask, deployment: Deployment, most_rows: int) -> None:
        super().read(ask, deployment, most_rows)
        if ask.body == BREAK:
            ask.client = "\ud800"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with iris and a journal."""
    write_iris_bundle(tmp_path / "bundle", trees=2)
    journal = JournalWriter(tmp_path / "journal", sync=False)
    made = Engine(journal, Uncounted())
    assigned = Assigned(name="iris", project="iris", version=1, bundle=str(tmp_path / "bundle"))
    made.deployments["iris"] = deployment = Deployment.open(assigned, 1)
    journal.declare(deployment.context)
    yield made
    journal.close()


@pytest.mark.parametrize(
    "wire", [BreaksReading(), BreaksReplying(), Unpackable()], ids=lambda w: type(w).__name__
)
def test_a_fault_in_one_request_leaves_the_turns_others_answered(
    engine: Engine, tmp_path: Path, wire: PredictWire
) -> None:
    """It is answered 500 and the others as ever, each with its row in the log."""
    replies = asyncio.run(_ask(engine, wire, GOOD, BREAK, GOOD))
    assert [reply.status for reply in replies] == [200, 500, 200]
    assert json.loads(replies[1].body)["error"] == "The server failed on this request; its log says more."
    answered = {json.loads(reply.body)["prediction_id"] for reply in (replies[0], replies[2])}
    logged = [item.id for item in Tail(tmp_path / "journal").peek() if getattr(item, "status", 0) == 200]
    assert sorted(logged) == sorted(answered)


def test_a_client_that_cannot_be_told_costs_the_others_nothing(engine: Engine) -> None:
    """A fault while one answer is sent leaves the others' on their way."""
    replies = asyncio.run(_ask(engine, PredictWire(), GOOD, GOOD, GOOD, unheard=1))
    assert [reply.status for reply in replies] == [200, 200]


def test_a_row_keeps_what_no_model_reads_for_the_log(tmp_path: Path) -> None:
    """A row with its id and an ignored column takes the shortcut, and the log has both."""
    engine = _serving(tmp_path, identifier="number", ignored=("boat",))
    row = {"a": 1.0, "b": 2.0, "number": 17, "boat": "4: D"}
    (reply,) = asyncio.run(_ask(engine, PredictWire(), json.dumps({"features": row}).encode()))
    assert reply.status == 200
    assert "warnings" not in json.loads(reply.body)
    (entry,) = (item for item in Tail(tmp_path / "journal").peek() if isinstance(item, Entry))
    assert entry.inputs == row
    engine.journal.close()


def test_a_project_s_own_code_sees_the_row_first(engine: Engine, tmp_path: Path) -> None:
    """A plain row of a bundle with ``derive`` is answered as the bundle answers it, not past its code."""
    swap = "def derive(row, now):\n    return {**row, 'petal length (cm)': 6.0, 'petal width (cm)': 2.2}\n"
    write_iris_bundle(tmp_path / "derived", trees=2, derive=swap)
    assigned = Assigned(name="iris", project="iris", version=1, bundle=str(tmp_path / "derived"))
    engine.deployments["iris"] = deployment = Deployment.open(assigned, 2)
    engine.journal.declare(deployment.context)
    (reply,) = asyncio.run(_ask(engine, PredictWire(), GOOD))
    said = json.loads(reply.body)["prediction_name"]
    assert said == deployment.bundle.predict_rows([SETOSA])[0]["model"].prediction_name == "virginica"


def _serving(folder: Path, **changes: Any) -> Engine:
    """An engine with a model that tells whether ``a`` is positive."""
    matrix = np.array([[-3.0, 3.0], [-1.0, 1.0], [1.0, 2.0], [3.0, -3.0]])
    write_numeric_bundle(
        folder / "bundle",
        LogisticRegression(),
        ("a", "b"),
        matrix,
        (matrix[:, 0] > 0).astype(int),
        labels=(0, 1),
        **changes,
    )
    journal = JournalWriter(folder / "journal", sync=False)
    made = Engine(journal, Uncounted())
    assigned = Assigned(name="iris", project="iris", version=1, bundle=str(folder / "bundle"))
    made.deployments["iris"] = deployment = Deployment.open(assigned, 1)
    journal.declare(deployment.context)
    return made


async def _ask(engine: Engine, wire: PredictWire, *bodies: bytes, unheard: int = -1) -> list[Reply]:
    """Replies to bodies that come in one turn of the loop."""
    futures: list[asyncio.Future[Reply]] = []
    for place, body in enumerate(bodies):
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if place == unheard:
            engine.submit(Ask(wire, body, _fail))
            continue
        futures.append(future)
        engine.submit(Ask(wire, body, _into(future)))
    return list(await asyncio.wait_for(asyncio.gather(*futures), 10))


def _into(future: asyncio.Future[Reply]) -> Callable[[Ask], None]:
    def done(ask: Ask) -> None:
        assert ask.reply is not None
        future.set_result(ask.reply)

    return done


def _fail(_ask: Ask) -> None:
    raise RuntimeError("the transport is gone")
