"""The products system with its parts on machines of their own."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from acceptance.catalogue import load, until, write
from acceptance.program import environment, example, run, serving
from modelwright.monitor.standing import live_view
from modelwright.store.engine import open_store
from modelwright.store.ports import Store
from servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
REGION = "us-east-1"
_OUT = io.BytesIO()
Image.new("RGB", (32, 32), "red").save(_OUT, "PNG")
PNG = _OUT.getvalue()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An S3 and a Cognito of this test's own; what the environment of programs says of them."""
    boto3 = pytest.importorskip("boto3", reason="the cloud's stand-in needs boto3 and moto")
    port = free_port()
    stack = contextlib.ExitStack()
    log = stack.enter_context((tmp_path / "moto.log").open("w"))
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=log, stderr=log, env=environment(),
    )  # fmt: skip
    endpoint = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(endpoint), "the start of moto")
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
        storage = stack.enter_context(contextlib.closing(boto3.client("s3", endpoint_url=endpoint, **keys)))
        storage.create_bucket(Bucket="models")
        pool = stack.enter_context(
            contextlib.closing(boto3.client("cognito-idp", endpoint_url=endpoint, **keys))
        )
        yield {
            "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION, "MODELWRIGHT_BUNDLES_URL": "s3://models/bundles",
            **_cognito(pool, endpoint),
        }  # fmt: skip
    finally:
        process.terminate()
        process.wait(timeout=20)
        stack.close()


def _answers(endpoint: str) -> bool:
    try:
        return httpx.get(f"{endpoint}/moto-api/").status_code == 200
    except httpx.HTTPError:
        return False


def _cognito(client: Any, endpoint: str) -> dict[str, str]:
    """A pool with one user; where its keys are, and a token of the user's."""
    pool = client.create_user_pool(PoolName="shop")["UserPool"]["Id"]
    app = client.create_user_pool_client(
        UserPoolId=pool, ClientName="shop", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    password = "Correct-horse-1"
    client.admin_create_user(UserPoolId=pool, Username="ann", TemporaryPassword=password)
    client.admin_set_user_password(UserPoolId=pool, Username="ann", Password=password, Permanent=True)
    client.create_group(UserPoolId=pool, GroupName="sellers")
    client.admin_add_user_to_group(UserPoolId=pool, Username="ann", GroupName="sellers")
    tokens = client.admin_initiate_auth(
        UserPoolId=pool, ClientId=app, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": password},
    )["AuthenticationResult"]  # fmt: skip
    return {
        "MODELWRIGHT_OIDC_ISSUER": f"https://cognito-idp.{REGION}.amazonaws.com/{pool}",
        "MODELWRIGHT_OIDC_AUDIENCE": app,
        "MODELWRIGHT_OIDC_JWKS_URL": f"{endpoint}/{pool}/.well-known/jwks.json",
        "MODELWRIGHT_OIDC_TOKEN_USE": "access",
        "MODELWRIGHT_OIDC_GROUPS": "sellers=predict,feedback",
        "TOKEN": tokens["AccessToken"],
    }


@pytest.mark.postgres
def test_the_parts_on_machines_of_their_own(postgres_url: str, cloud: dict[str, str], tmp_path: Path) -> None:
    """Trained in one place, served in another: store in PostgreSQL, bundles in S3, tokens of Cognito, and a
    retraining once F1 has dropped."""
    token = cloud.pop("TOKEN")
    surroundings = {**cloud, "MODELWRIGHT_STORE_URL": postgres_url}
    trainer = example("products", tmp_path / "trainer")
    write(load(), trainer / "data", 140)
    file = trainer / "project.yaml"
    text = re.sub(r"    - (logistic_regression: .*|kernel_ridge: \{only.*)\n", "", file.read_text())
    file.write_text(
        text.replace("window: 100}", "window: 20}").replace("floors: {f1: 0.85}", "floors: {f1: 0.5}")
    )
    done = run("train", trainer, "--json", **surroundings)
    assert done.code == 0, done.err

    host = tmp_path / "host"  # has neither the data nor the training's folder
    host.mkdir()
    shutil.copy(file, host / "project.yaml")
    with (
        serving("serve", host, "--auth", "oidc", "--no-retrain", **surroundings) as server,
        httpx.Client(headers={"Authorization": f"Bearer {token}"}, base_url=server.url, timeout=20) as known,
    ):
        assert (host / ".modelwright" / "bundles" / "v1" / "manifest.json").is_file()
        row = {"product_name": "quartz watch", "image": base64.b64encode(PNG).decode()}
        assert httpx.post(f"{server.url}/predict", json=row).status_code == 401
        answer = known.post(
            "/predict", data={"product_name": "quartz watch"}, files={"image": ("a.png", PNG)}
        )
        assert answer.status_code == 200, answer.text
        assert known.post("/trigger_retrain").status_code == 403
        said = known.post(
            "/predict",
            json={"instances": [{"product_name": f"mug {n}", "image": row["image"]} for n in range(24)]},
        ).json()
        for each in said["predictions"]:
            truth = "Watches" if each["prediction"] != "Watches" else "Computers"
            told = known.post("/feedback", json={"prediction_id": each["prediction_id"], "target": truth})
            assert told.status_code in {201, 202}, told.text
        with contextlib.closing(open_store(postgres_url)) as store:
            until(lambda: _seen_to_fall(store), "the drop of F1 being seen")
    worker = run("worker", trainer, "--once", **surroundings)
    assert worker.code == 0, worker.err
    (job,) = run("jobs", trainer, "--json", **surroundings).json
    assert job["trigger"] == "quality" and "f1 of version 1 is 0.0" in job["reason"], job
    assert job["state"] in {"promoted", "rejected"}, job["outcome"]


def _seen_to_fall(store: Store) -> bool:
    """Whether the monitors beside the server have judged F1 below its floor."""
    view = live_view(store, "products")
    return view is not None and any("f1" in each.below for each in view.quality)
