"""Who gets in: keys, scopes, loopback, foreign pages, TLS, origins; nothing secret in what is told."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from certificates import certificate
from modelwright.serve.auth.api_keys import create_key
from serving import SETOSA, Server, eventually, iris_project, run_serve, stored

BODY = {"features": SETOSA}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one released version."""
    return iris_project(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def guarded(project: Path) -> Iterator[Server]:
    """It, served to those with a key."""
    with Server("--workers", "1", "--auth", "keys", cwd=project) as running:
        yield running


def key(project: Path, *scopes: str) -> dict[str, str]:
    """The header of a new key."""
    with stored(project / ".modelwright") as store:
        secret = create_key(store.keys, "tester", scopes=scopes)[0]
    return {"authorization": f"Bearer {secret}"}


def test_the_curl_line_works_where_a_key_is_needed(guarded: Server, project: Path) -> None:
    """What is printed at the start can be pasted there, too: it takes the key from the environment."""
    header = key(project, "predict")
    eventually(lambda: guarded.client.post("/predict", json=BODY, headers=header).status_code == 200)
    secret = header["authorization"].removeprefix("Bearer ")
    environ = {**os.environ, "MODELWRIGHT_API_KEY": secret}
    done = subprocess.run(["sh", "-c", guarded.ready["curl"]], capture_output=True, check=True, env=environ)
    assert b'"prediction_name":"setosa"' in done.stdout


def test_nobody_gets_in_without_a_key_and_health_stays_open(guarded: Server) -> None:
    """401 with a challenge on every guarded route, in the protocol's shape; probes need no key."""
    for path in ("/predict", "/invocations", "/v2/models/iris/infer", "/feedback", "/trigger_retrain"):
        reply = guarded.client.post(path, json=BODY)
        assert reply.status_code == 401, path
        assert "www-authenticate" in reply.headers
    for path in ("/metrics", "/predictions/history", "/versions", "/openapi.json"):
        assert guarded.client.get(path).status_code == 401
    wrong = guarded.client.post("/predict", json=BODY, headers={"x-api-key": "mw_nobody_nothing"})
    assert wrong.status_code == 401
    for path in ("/health", "/health/ready", "/ping", "/docs"):
        assert guarded.client.get(path).status_code == 200


def test_a_key_opens_what_its_scopes_say(guarded: Server, project: Path) -> None:
    """A key for predictions predicts, within seconds of being made, and does nothing else."""
    header = key(project, "predict")
    eventually(lambda: guarded.client.post("/predict", json=BODY, headers=header).status_code == 200)
    answer = guarded.client.post("/predict", json=BODY, headers=header)
    assert guarded.client.get("/metrics", headers=header).status_code == 403
    assert guarded.client.post("/trigger_retrain", headers=header).status_code == 403
    reader = key(project, "read")
    eventually(lambda: guarded.client.post("/predict", json=BODY, headers=reader).status_code == 403)
    found = guarded.client.get(f"/predictions/{answer.json()['prediction_id']}", headers=reader)
    assert found.json()["client"] == "tester"


def test_a_revoked_key_stops_working(guarded: Server, project: Path) -> None:
    """A key that is revoked is refused within seconds."""
    header = key(project, "predict")
    eventually(lambda: guarded.client.post("/predict", json=BODY, headers=header).status_code == 200)
    with stored(project / ".modelwright") as store:
        store.keys.revoke(header["authorization"].split("_")[1])
    eventually(lambda: guarded.client.post("/predict", json=BODY, headers=header).status_code == 401)


def test_a_rate_holds_over_all_workers(project: Path) -> None:
    """A key gets what it may send, whichever workers its connections reach; another key has its own."""
    header, other = key(project, "predict"), key(project, "predict")
    environ = {"MODELWRIGHT_AUTH_RATE": "0.01", "MODELWRIGHT_AUTH_BURST": "5"}
    with Server("--workers", "3", "--auth", "keys", cwd=project, env=environ) as server:
        replies = [httpx.post(f"{server.url}/predict", json=BODY, headers=header) for _ in range(20)]
        assert sorted(reply.status_code for reply in replies) == [200] * 5 + [429] * 15
        refused = next(reply for reply in replies if reply.status_code == 429)
        assert 0 < int(refused.headers["retry-after"]) <= 100
        assert server.client.post("/predict", json=BODY, headers=other).status_code == 200


def test_beyond_this_machine_only_with_authentication(project: Path) -> None:
    """The server refuses to start where strangers could ask, and says how to go on."""
    status, told = run_serve(project, "--host", "0.0.0.0")
    assert status == 3
    assert "--insecure" in told


@pytest.mark.parametrize("auth", ["key", "keys,off", "oidc"])
def test_authentication_that_cannot_be_set_up_is_told(project: Path, auth: str) -> None:
    """A wrong word, or a provider without its address, ends with what is missing."""
    status, told = run_serve(project, "--auth", auth)
    assert status == 3
    assert "Traceback" not in told


def test_a_strangers_page_cannot_use_a_server_on_loopback(project: Path) -> None:
    """A browser that another site sends here is refused; an origin that was named is not."""
    with Server("--workers", "1", "--cors", "https://app.example", cwd=project) as server:
        for path in ("/predict", "/trigger_retrain"):
            reply = server.client.post(path, json=BODY, headers={"origin": "https://evil.example"})
            assert reply.status_code == 403
        allowed = server.client.post("/predict", json=BODY, headers={"origin": "https://app.example"})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        own = server.client.post("/predict", json=BODY, headers={"origin": server.url})
        assert own.status_code == 200


def test_https_by_certificate_files(project: Path, tmp_path: Path) -> None:
    """With a certificate and its key the fast lane and the rest speak TLS, and the line for curl works."""
    made = certificate(tmp_path)
    files = ("--tls-cert", made.file, "--tls-key", made.key_file)
    with Server("--workers", "1", *files, "--hsts", "30d", cwd=project) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(made.file))
        with httpx.Client(base_url=server.url, verify=context) as client:
            answer, health = client.post("/predict", json=BODY), client.get("/health")
        assert answer.json()["prediction"] == 0
        for reply in (answer, health):
            assert (reply.status_code, reply.headers["strict-transport-security"]) == (200, "max-age=2592000")
        assert b'"prediction_name":"setosa"' in pasted(server, tmp_path)
    status, told = run_serve(project, "--tls-cert", str(made.file))
    assert (status, "--tls-key" in told) == (3, True)
    status, told = run_serve(project, "--hsts", "30d")
    assert (status, "--tls-cert" in told) == (2, True)


def test_https_by_a_name_of_the_house(project: Path, tmp_path: Path) -> None:
    """Nobody is locked out of a host whose name has a certificate of its own; curl is told who it is."""
    made = certificate(tmp_path, ("models.internal",))
    with Server("--tls-cert", made.file, "--tls-key", made.key_file, "--workers", "1", cwd=project) as server:
        context = ssl.create_default_context(cafile=str(made.file))
        context.check_hostname = False
        headers = httpx.get(f"{server.url}/health", verify=context).headers
        assert "strict-transport-security" not in headers
        assert b'"prediction_name":"setosa"' in pasted(server, tmp_path)


def pasted(server: Server, folder: Path) -> bytes:
    """What the line for curl gives in a shell that stands elsewhere."""
    return subprocess.run(
        ["sh", "-c", server.ready["curl"]], cwd=folder, capture_output=True, check=True
    ).stdout
