"""Tokens of an OpenID provider through the running server: a real one on 127.0.0.1, and moto's Cognito."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from serving import SETOSA, Server, eventually, iris_project
from unit.serve.auth.provider import AUDIENCE, RSA, Provider, public_jwk, running, token

BODY = {"features": SETOSA}
STRANGER = rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one released version."""
    return iris_project(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """An OpenID provider."""
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def server(project: Path, provider: Provider) -> Iterator[Server]:
    """The project, served to bearers of the provider's tokens."""
    environ = {"MODELWRIGHT_OIDC_ISSUER": provider.url, "MODELWRIGHT_OIDC_AUDIENCE": AUDIENCE}
    with Server("--workers", "1", "--auth", "oidc", cwd=project, env=environ) as found:
        yield found


def ask(server: Server, bearer: str | None, *, longer: bool = False) -> httpx.Response:
    """Ask for a prediction, in the fast lane or (with an ``Origin``) the longer way."""
    headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
    if longer:
        headers["origin"] = server.url
    return server.client.post("/predict", json=BODY, headers=headers)


def unsigned(claims: dict[str, Any]) -> str:
    """A token with ``alg: none``."""
    return _joined({"alg": "none", "typ": "JWT", "kid": "one"}, claims) + "."


def signed_with_the_public_key(claims: dict[str, Any]) -> str:
    """A token whose HMAC secret is the provider's public key, which everybody has."""
    public = (
        RSA["one"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    start = _joined({"alg": "HS256", "typ": "JWT", "kid": "one"}, claims)
    return f"{start}.{_base64(hmac.digest(public, start.encode(), hashlib.sha256))}"


def _joined(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(claims).encode())}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _claims(provider: Provider) -> dict[str, Any]:
    return {
        "iss": provider.url,
        "aud": AUDIENCE,
        "sub": "ann",
        "exp": time.time() + 600,
        "scope": "predict admin",
    }


def _with_own_key(provider: Provider) -> str:
    import jwt

    jwk = public_jwk("one", STRANGER)
    return jwt.encode(_claims(provider), STRANGER, algorithm="RS256", headers={"kid": "one", "jwk": jwk})


Make = Callable[[Provider], str | None]
REFUSED: dict[str, tuple[Make, str]] = {
    "none at all": (lambda _: None, "Credentials are needed."),
    "no token": (lambda _: "nonsense", "The token is not valid."),
    "expired": (lambda p: token(p, exp=time.time() - 3600), "The token has expired."),
    "not valid yet": (lambda p: token(p, nbf=time.time() + 3600), "The token is not valid yet."),
    "without an end": (lambda p: token(p, exp=None), "The token lacks a claim it must have."),
    "another issuer": (lambda p: token(p, iss="https://evil.example"), "The token is of another issuer."),
    "another audience": (lambda p: token(p, aud="other-app"), "The token is for another audience."),
    "no audience": (lambda p: token(p, aud=None), "The token is for another audience."),
    "another's signature": (lambda p: token(p, key=STRANGER), "The token's signature is wrong."),
    "a changed claim": (
        lambda p: _tampered(token(p, scope="read")),
        "The token's signature is wrong.",
    ),
    "an unknown key": (
        lambda p: token(p, key=STRANGER, kid="stranger"),
        "The token is signed with a key the issuer does not list.",
    ),
    "a key of its own": (_with_own_key, "The token's signature is wrong."),
    "alg none": (lambda p: unsigned(_claims(p)), "The token's signature algorithm is not taken."),
    "the public key as a secret": (
        lambda p: signed_with_the_public_key(_claims(p)),
        "The token's signature algorithm is not taken.",
    ),
    "another algorithm": (lambda p: token(p, alg="RS512"), "The token's signature algorithm is not taken."),
}


def _tampered(bearer: str) -> str:
    head, claims, signature = bearer.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return f"{head}.{_base64(json.dumps({**said, 'scope': 'predict admin'}).encode())}.{signature}"


@pytest.mark.parametrize("longer", [False, True], ids=["fast lane", "longer way"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_hold_is_refused(server: Server, provider: Provider, case: str, longer: bool) -> None:
    """401 with a challenge and the reason, nothing of the token, and nothing in the log."""
    make, reason = REFUSED[case]
    bearer = make(provider)
    reply = ask(server, bearer, longer=longer)
    assert reply.status_code == 401
    assert reply.json()["error"] == reason
    assert reply.headers["www-authenticate"].startswith('Bearer realm="modelwright"')
    assert "prediction_id" not in reply.json()
    assert bearer is None or bearer not in reply.text


@pytest.mark.parametrize("longer", [False, True], ids=["fast lane", "longer way"])
def test_a_token_that_holds_opens_what_its_scopes_say(
    server: Server, provider: Provider, longer: bool
) -> None:
    """A good token predicts under its subject's name; without the scope it is 403, naming the scope."""
    good = ask(server, token(provider, sub="bob"), longer=longer)
    assert good.status_code == 200
    reader = {"authorization": f"Bearer {token(provider, scope='read')}"}
    id = good.json()["prediction_id"]
    eventually(lambda: server.client.get(f"/predictions/{id}", headers=reader).status_code == 200)
    assert server.client.get(f"/predictions/{id}", headers=reader).json()["client"] == "bob"
    refused = ask(server, token(provider, scope="read feedback"), longer=longer)
    assert refused.status_code == 403
    assert 'error="insufficient_scope", scope="predict"' in refused.headers["www-authenticate"]
    for path in ("/invocations", "/v2/models/iris/infer", "/endpoints/iris/invocations"):
        assert server.client.post(path, json=BODY, headers=reader).status_code == 403
    writer = {"authorization": f"Bearer {token(provider)}"}
    assert server.client.post("/trigger_retrain", headers=writer).status_code == 403
    assert server.client.get("/metrics", headers=writer).status_code == 403
    assert ask(server, token(provider, scope="admin"), longer=longer).status_code == 200


@pytest.mark.slow
def test_keys_rotate_under_the_running_server(project: Path) -> None:
    """A new key's tokens are taken within seconds, a withdrawn key's refused, in every worker."""
    with running() as provider:
        environ = {"MODELWRIGHT_OIDC_ISSUER": provider.url, "MODELWRIGHT_OIDC_AUDIENCE": AUDIENCE}
        with Server("--workers", "2", "--auth", "oidc", cwd=project, env=environ) as server:
            old, new = token(provider), token(provider, key=RSA["two"], kid="two")
            assert (ask(server, old).status_code, ask(server, new).status_code) == (200, 401)
            provider.jwks = {"keys": [public_jwk("two", RSA["two"], alg="RS256")]}
            eventually(lambda: all(_afresh(server, new) == 200 for _ in range(8)), seconds=30)
            assert {_afresh(server, old) for _ in range(8)} == {401}
            provider.status = 503
            assert {_afresh(server, new) for _ in range(8)} == {200}


def _afresh(server: Server, bearer: str) -> int:
    """The status on a connection of its own, which may reach any worker."""
    headers = {"authorization": f"Bearer {bearer}"}
    return httpx.post(f"{server.url}/predict", json=BODY, headers=headers).status_code


@pytest.mark.slow
def test_cognitos_tokens(project: Path) -> None:
    """Access tokens of the pool's client open what the user's group may; ID tokens are for another use."""
    moto = pytest.importorskip("moto.server", reason="moto plays Amazon Cognito")
    boto3 = pytest.importorskip("boto3", reason="asks moto")
    cloud = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    cloud.start()
    try:
        host, port = cloud.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        cognito = boto3.client(
            "cognito-idp",
            "eu-west-1",
            endpoint_url=endpoint,
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        pool, client, tokens = _user(cognito)
        environ = {
            "MODELWRIGHT_OIDC_ISSUER": f"https://cognito-idp.eu-west-1.amazonaws.com/{pool}",
            "MODELWRIGHT_OIDC_JWKS_URL": f"{endpoint}/{pool}/.well-known/jwks.json",
            "MODELWRIGHT_OIDC_AUDIENCE": client,
            "MODELWRIGHT_OIDC_TOKEN_USE": "access",
            "MODELWRIGHT_OIDC_GROUPS": "apps=predict",
        }
        with Server("--workers", "1", "--auth", "oidc", cwd=project, env=environ) as server:
            answer = ask(server, tokens["AccessToken"])
            assert answer.status_code == 200, answer.text
            wrong_use = ask(server, tokens["IdToken"])
            assert (wrong_use.status_code, wrong_use.json()["error"]) == (
                401,
                "The token is not for this use (token_use).",
            )
            header = {"authorization": f"Bearer {tokens['AccessToken']}"}
            assert server.client.get("/metrics", headers=header).status_code == 403
            *start, signature = tokens["AccessToken"].split(".")
            assert ask(server, ".".join([*start, signature[::-1]])).status_code == 401
        other = {**environ, "MODELWRIGHT_OIDC_AUDIENCE": "another-client"}
        with Server("--workers", "1", "--auth", "oidc", cwd=project, env=other) as server:
            assert ask(server, tokens["AccessToken"]).status_code == 401
    finally:
        cloud.stop()


def _user(cognito: Any) -> tuple[str, str, dict[str, str]]:
    """A pool, a client of it, and the tokens of a user in a group."""
    pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
    made = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="app", ExplicitAuthFlows=["ADMIN_NO_SRP_AUTH"]
    )
    client = made["UserPoolClient"]["ClientId"]
    cognito.create_group(UserPoolId=pool, GroupName="apps")
    cognito.admin_create_user(UserPoolId=pool, Username="ann", MessageAction="SUPPRESS")
    secret = "Correct-horse-7"
    cognito.admin_set_user_password(UserPoolId=pool, Username="ann", Password=secret, Permanent=True)
    cognito.admin_add_user_to_group(UserPoolId=pool, Username="ann", GroupName="apps")
    begun = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_NO_SRP_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": secret},
    )
    return pool, client, begun["AuthenticationResult"]
