"""The product's own client against real servers: with credentials, and through trouble."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton

from modelwright.client.aio import AsyncClient
from modelwright.client.errors import InvalidInput, NotAllowed, Refused
from modelwright.client.sync import Client
from serving import IRIS, NAMED_SETOSA, SETOSA, SOURCE, Server, eventually, iris_project, stored

PAGE = SOURCE.parent / "docs" / "howto" / "ask-from-programs.md"
VIRGINICA = [6.3, 3.3, 6.0, 2.5]


def keys(project: Path, *arguments: str) -> dict[str, str]:
    """What ``modelwright keys … --json`` says."""
    command = [sys.executable, "-m", "modelwright", "keys", *arguments, "--json"]
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        command, cwd=project, env=env, capture_output=True, text=True, check=True, timeout=60
    )
    said: dict[str, str] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one released version."""
    return iris_project(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    """It, served to anybody on this machine."""
    with Server("--workers", "1", cwd=project) as running:
        yield running


def test_the_client_predicts_and_tells_the_truth(server: Server, project: Path) -> None:
    """A row, rows, a mistake, health, and feedback on an answer of a moment ago."""
    with Client(server.url) as client:
        answer = client.predict(NAMED_SETOSA, id="first")
        assert (answer.prediction, answer.prediction_name, answer.prediction_id) == (0, "setosa", "first")
        assert client.predict(NAMED_SETOSA, id="first") == answer
        assert [one.prediction for one in client.predict([SETOSA, VIRGINICA])] == [0, 2]
        odd = client.predict({**NAMED_SETOSA, IRIS[0]: 99.0})
        assert odd.warnings[0].loc[-1] == IRIS[0]
        with pytest.raises(InvalidInput) as caught:
            client.predict({**NAMED_SETOSA, IRIS[1]: "wide"})
        assert caught.value.problems[0]["loc"][-1] == IRIS[1]
        with pytest.raises(Refused, match="used before"):
            client.predict(VIRGINICA, id="first")
        assert client.health().ok
        assert client.feedback("first", "versicolor")["target"] == 1


def test_the_client_that_does_not_wait_answers_alike(server: Server) -> None:
    """Many at once over its own connections."""

    async def ask() -> list[object]:
        async with AsyncClient(server.url) as client:
            answers = await asyncio.gather(*(client.predict(row) for row in [SETOSA, VIRGINICA] * 20))
            return [one.prediction for one in answers]

    assert asyncio.run(ask()) == [0, 2] * 20


def test_a_table_of_pandas_is_answered(server: Server) -> None:
    """Row by row, in its order."""
    import pandas as pd

    with Client(server.url) as client:
        answers = client.predict(pd.DataFrame([SETOSA, VIRGINICA], columns=list(IRIS)))
    assert [one.prediction_name for one in answers] == ["setosa", "virginica"]


def test_the_line_a_server_prints_works_in_a_shell(server: Server) -> None:
    """It can be pasted."""
    done = subprocess.run(["sh", "-c", server.ready["curl"]], capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout)["prediction_name"] == "setosa"


def taken_up(client: Client) -> None:
    """Wait until the workers know a new key; they look about every second."""
    for _ in range(50):
        try:
            client.predict(SETOSA)
        except NotAllowed:
            time.sleep(0.2)
        else:
            return


@pytest.mark.slow
def test_a_key_lets_in_until_it_is_revoked(tmp_path: Path) -> None:
    """Made, used, out of its depth, revoked, all while the server runs; and never written to its log."""
    project = iris_project(tmp_path)
    with Server("--workers", "1", "--auth", "keys", cwd=project) as server:
        made = keys(project, "create", "checkout", "--scope", "predict")
        key = made["key"]
        with pytest.raises(NotAllowed, match="401"), Client(server.url) as client:
            client.predict(SETOSA)
        with Client(server.url, api_key=key) as client:
            taken_up(client)
            assert client.predict(SETOSA).prediction == 0
            with pytest.raises(NotAllowed, match="'feedback'"):
                client.feedback("x", 0)
            with Client(server.url, api_key=key[:-1] + "!") as wrong, pytest.raises(NotAllowed):
                wrong.predict(SETOSA)
            keys(project, "revoke", made["id"])

            def refused() -> bool:
                try:
                    client.predict(SETOSA)
                except NotAllowed as error:
                    return "revoked" in error.reason
                return False

            assert eventually(refused, seconds=15)
        assert key[-43:] not in server.log.read_text()


@pytest.mark.slow
def test_requests_survive_the_death_of_workers(tmp_path: Path) -> None:
    """Each call of the client is answered though workers are killed; the log has each request once."""
    project = iris_project(tmp_path)
    with Server("--workers", "2", cwd=project) as server, ThreadPoolExecutor(4) as pool:

        def ask(number: int) -> list[str]:
            ids = []
            with Client(server.url, attempts=12) as client:
                for each in range(100):
                    ids.append(client.predict(SETOSA, id=f"r{number}-{each}").prediction_id)
            return ids

        calls = [pool.submit(ask, number) for number in range(4)]
        for _ in range(3):
            os.kill(server.children("worker")[0], signal.SIGKILL)
            eventually(lambda: len(server.children("worker")) == 2, seconds=20)
        ids = [id for call in calls for id in call.result(timeout=120)]
        assert sorted(ids) == sorted(f"r{number}-{each}" for number in range(4) for each in range(100))
        with stored(project / ".modelwright") as store:
            assert eventually(lambda: store.predictions.count("iris") == 400, seconds=20)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_bodies_are_read(server: Server, encoding: str) -> None:
    """As Triton's client can send them; one that unpacks to more than a body may have is refused."""
    address = server.url.removeprefix("http://")
    with triton.InferenceServerClient(address) as client:
        tensor = triton.InferInput("rows", [2, 4], "FP32")
        tensor.set_data_from_numpy(np.array([SETOSA, VIRGINICA], dtype=np.float32))
        result = client.infer("iris", [tensor], request_compression_algorithm=encoding)
    assert result.as_numpy("prediction_name").tolist() == [b"setosa", b"virginica"]
    window = zlib.MAX_WBITS + (16 if encoding == "gzip" else 0)
    packer = zlib.compressobj(wbits=window)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    assert server.client.post("/predict", content=bomb, headers=headers).status_code == 413


def test_the_programs_of_the_documentation_run(server: Server) -> None:
    """What the page on the client shows can be copied, and prints answers."""
    page = PAGE.read_text(encoding="utf-8")
    printed = [
        subprocess.run(
            [sys.executable, "-c", program.replace("http://127.0.0.1:5000", server.url)],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(SOURCE)},
        ).stdout
        for program in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    ]  # fmt: skip
    assert printed[0].startswith("setosa ")
    assert "['setosa', 'virginica']" in printed[0]
    assert printed[1] == "['setosa', 'virginica']\n"
    assert "petal length (cm)" in printed[2]
