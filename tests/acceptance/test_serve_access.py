"""Who gets in: keys, scopes, loopback, foreign pages, TLS, origins; nothing secret in what is told."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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
    """With a certificate and its key the fast lane and the rest speak TLS."""
    certificate, private_key = _certificate(tmp_path)
    with Server("--workers", "1", "--tls-cert", certificate, "--tls-key", private_key, cwd=project) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=server.url, verify=context) as client:
            assert client.post("/predict", json=BODY).json()["prediction"] == 0
            assert client.get("/health").status_code == 200
    status, told = run_serve(project, "--tls-cert", str(certificate))
    assert (status, "--tls-key" in told) == (3, True)


def _certificate(folder: Path) -> tuple[Path, Path]:
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate, private_key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private_key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private_key
