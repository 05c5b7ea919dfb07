"""A challenger beside the champion: in the shadow, or for a share of the clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.serve.auth.api_keys import create_key
from serving import PROJECT, SETOSA, Server, eventually, release, stored, write_iris_bundle


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two versions, the first one live."""
    (tmp_path / "project.yaml").write_text(PROJECT)
    work_dir = tmp_path / ".modelwright"
    release(work_dir, 2, write_iris_bundle(work_dir / "bundles" / "v2", number=2, seed=7))
    release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1"))
    return tmp_path


def test_a_shadow_is_logged_and_never_returned(project: Path) -> None:
    """The champion answers; what the challenger says to the same row is in the log beside it."""
    work_dir = project / ".modelwright"
    with Server("--workers", "1", cwd=project) as server, stored(work_dir) as store:
        store.releases.append("iris", 1, reason="try 2", actor="test", settings={"shadow": {"version": 2}})

        def shadowed() -> object:
            answer = server.client.post("/predict", json={"features": SETOSA}).json()
            assert answer["model_version"] == 1
            return eventually_stored(answer["prediction_id"])

        def eventually_stored(id: str) -> object:
            eventually(lambda: store.predictions.get("iris", id))
            return store.predictions.get("iris", f"{id}~v2")

        record = eventually(shadowed)
        assert (record.version, record.role, record.status) == (2, "challenger", 200)
        assert record.inputs == store.predictions.get("iris", record.id.removesuffix("~v2")).inputs
        refused = server.client.post("/predict", json={"features": [1]})
        assert refused.status_code == 400


def test_a_canary_answers_a_share_of_the_clients_and_always_the_same(project: Path) -> None:
    """Each client is answered by one version; over many clients both answer."""
    work_dir = project / ".modelwright"
    with stored(work_dir) as store:
        store.releases.append(
            "iris", 1, reason="some", actor="test", settings={"canary": {"version": 2, "share": 0.5}}
        )
        keys = [create_key(store.keys, f"client-{number}", ["predict"])[0] for number in range(20)]
    with Server("--workers", "2", "--auth", "keys", cwd=project) as server:
        seen: dict[str, set[int]] = {}
        for key in keys * 3:
            reply = server.client.post(
                "/predict", json={"features": SETOSA}, headers={"authorization": f"Bearer {key}"}
            )
            seen.setdefault(key, set()).add(reply.json()["model_version"])
        assert all(len(versions) == 1 for versions in seen.values())
        assert set.union(*seen.values()) == {1, 2}


def test_a_challenger_that_cannot_be_loaded_keeps_nobody_from_answering(project: Path) -> None:
    """The champion serves without it, and an event says why it is missing."""
    work_dir = project / ".modelwright"
    (work_dir / "bundles" / "v2" / "model.onnx").write_bytes(b"damaged")
    with stored(work_dir) as store:
        store.releases.append("iris", 1, reason="x", actor="test", settings={"shadow": {"version": 2}})
        with Server("--workers", "1", cwd=project) as server:
            answer = server.client.post("/predict", json={"features": SETOSA})
            assert answer.json()["model_version"] == 1
            events = eventually(lambda: store.events.list("iris", kind="release_refused"))
        assert "checksum" in events[0].message
