"""The application under another server's roof: any ASGI server, or an adapter to functions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelwright.serve.asgi import Application, NoBundleNamed
from serving import NAMED_SETOSA, SETOSA, stored, write_iris_bundle


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle that the environment names, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    write_iris_bundle(tmp_path / "model", project="flowers", number=3)
    monkeypatch.setenv("MODELWRIGHT_BUNDLE", str(tmp_path / "model"))
    return tmp_path


async def ask(app: Any, *bodies: dict[str, Any]) -> list[httpx.Response]:
    """Ask ``/predict`` over ASGI itself."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://asgi") as client:
        return list(await asyncio.gather(*(client.post("/predict", json=body) for body in bodies)))


async def stop(app: Any) -> None:
    """Shut it down as a server does."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.shutdown"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await app({"type": "lifespan"}, receive, send)
    assert said == [{"type": "lifespan.shutdown.complete"}]


def test_it_answers_and_has_delivered_when_the_answer_arrives(bundle: Path) -> None:
    """Without a supervisor and a keeper: many requests at once, each stored before its answer left."""

    async def work() -> list[httpx.Response]:
        app = Application()
        replies = await ask(app, *[{"features": SETOSA}] * 20, {"features": [1]})
        ids = [reply.json()["prediction_id"] for reply in replies]
        with stored(bundle / ".modelwright") as store:
            assert set(store.predictions.get_many("flowers", ids)) == set(ids)
        await stop(app)
        return replies

    replies = asyncio.run(work())
    assert [reply.status_code for reply in replies] == [200] * 20 + [400]
    assert replies[0].json()["model_version"] == 3


def test_with_the_database_away_it_answers_and_delivers_later(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log waits in the journal."""
    store_file = bundle / "no" / "store.db"
    (bundle / "no").write_text("in the way")
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", f"sqlite:///{store_file}")

    async def work() -> None:
        app = Application()
        (reply,) = await ask(app, {"features": NAMED_SETOSA})
        assert reply.status_code == 200
        (bundle / "no").unlink()
        (bundle / "no").mkdir()
        await app.deliver()
        await stop(app)
        from modelwright.store.engine import open_store

        with open_store(f"sqlite:///{store_file}") as store:
            assert store.predictions.get("flowers", reply.json()["prediction_id"])

    asyncio.run(work())


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bundle there is nothing to serve."""
    monkeypatch.delenv("MODELWRIGHT_BUNDLE", raising=False)
    with pytest.raises(NoBundleNamed, match="MODELWRIGHT_BUNDLE"):
        asyncio.run(Application().open())
