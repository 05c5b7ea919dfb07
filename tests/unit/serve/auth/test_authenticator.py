import asyncio
import json
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modelwright.serve.auth import api_keys
from modelwright.serve.auth.authenticator import Authenticator
from modelwright.serve.auth.errors import AuthMisconfigured, Exposed, Forbidden, TooManyRequests, Unauthorized
from modelwright.serve.auth.local import is_loopback, may_start, refuse_foreign_page
from modelwright.serve.auth.principal import SCOPES
from modelwright.serve.auth.rate import PLACES, SETS, RateLimiter
from modelwright.serve.auth.settings import AuthSettings, auth_settings
from modelwright.serve.auth.tokens import OidcSettings
from modelwright.serve.errors import ServeError
from modelwright.serve.protocols import predict
from modelwright.testing.memory import MemoryStore
from serving import SOURCE
from unit.serve.auth.provider import AUDIENCE, RSA, Clock, public_jwk, token


@pytest.fixture
def store():
    return MemoryStore()


def keys_only(store, **options):
    return Authenticator(api_keys.KeyRing(store.keys.list, pause=0.0), **options)


def bearer(credential):
    return {"authorization": f"Bearer {credential}"}


def test_where_it_is_off_anyone_may_anything():
    """And nobody is named."""
    principal = Authenticator().check({}, "admin")
    assert (principal.kind, principal.name) == ("anyone", "")


def test_a_key_is_taken_in_either_header(store):
    """Any case of Bearer; AWS's signature leaves only the other header."""
    auth = keys_only(store)
    key, _ = api_keys.create_key(store.keys, "laptop", ["predict"])
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=x", "x-api-key": key}
    for headers in (bearer(key), {"authorization": f"bearer  {key} "}, {"x-api-key": key}, signed):
        assert auth.check(headers, "predict").name == "laptop"


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": ""}, {"authorization": "Basic eDp5"}, {"x-api-key": ""}]
)
def test_without_credentials_the_refusal_says_how(store, headers):
    """401, with a challenge that names no error (RFC 6750, 3.1)."""
    with pytest.raises(Unauthorized) as caught:
        keys_only(store).check(headers, "predict")
    assert caught.value.headers == {"www-authenticate": 'Bearer realm="modelwright"'}
    assert predict.render_error(caught.value).status == 401


@pytest.mark.parametrize("credential", ["x", "é", "mw_é", "mw_aaaaaaaa_" + "A" * 43, "a.b.c"])
def test_what_does_not_hold_is_refused(store, credential):
    """Whatever it looks like."""
    with pytest.raises(Unauthorized) as caught:
        keys_only(store).check(bearer(credential), "predict")
    assert 'error="invalid_token"' in caught.value.headers["www-authenticate"]


def test_a_key_may_what_its_scopes_say(store):
    """403 else; admin includes all."""
    auth = keys_only(store)
    key, _ = api_keys.create_key(store.keys, "laptop", ["predict"])
    root, _ = api_keys.create_key(store.keys, "root", ["admin"])
    for scope in SCOPES:
        assert auth.check(bearer(root), scope).name == "root"
        if scope != "predict":
            with pytest.raises(Forbidden) as caught:
                auth.check(bearer(key), scope)
            assert caught.value.status == 403
            assert f'scope="{scope}"' in caught.value.headers["www-authenticate"]


def test_a_key_made_just_now_works_at_once(store):
    """``quick`` cannot say, ``check`` looks, and then ``quick`` knows."""
    auth = Authenticator(api_keys.KeyRing(store.keys.list, pause=0.0))
    auth.refresh()
    key, _ = api_keys.create_key(store.keys, "new", ["predict"])
    assert auth.quick(bearer(key), "predict") is None
    assert asyncio.run(auth.acheck(bearer(key), "predict")).name == "new"
    assert auth.quick(bearer(key), "predict").name == "new"


def test_known_credentials_never_wait(store, provider):
    """Neither the store nor the provider is asked on the path of a request."""
    loads = []
    ring = api_keys.KeyRing(lambda: loads.append(1) or store.keys.list())
    key, _ = api_keys.create_key(store.keys, "laptop", ["predict"])
    settings = AuthSettings(oidc=oidc(provider))
    auth = Authenticator.from_settings(settings, store.keys.list)
    auth._keys = ring
    auth.refresh()
    for _ in range(100):
        auth.quick(bearer(key), "predict")
        auth.quick(bearer(token(provider)), "predict")
    assert (len(loads), provider.asked) == (1, 1)


def oidc(provider):
    return OidcSettings(issuer=provider.url, audience=(AUDIENCE,), jwks_url=provider.jwks_url)


def test_keys_and_tokens_are_taken_side_by_side(store, provider, tmp_path):
    """Each by its look; the provider's keys are fetched when the first token comes, and kept."""
    auth = Authenticator.from_settings(
        AuthSettings(keys=True, oidc=oidc(provider)), store.keys.list, work_dir=tmp_path
    )
    key, _ = api_keys.create_key(store.keys, "laptop", ["predict"])
    assert auth.check(bearer(key), "predict").kind == "key"
    assert auth.check(bearer(token(provider)), "predict").kind == "token"
    assert json.loads((tmp_path / "oidc-keys.json").read_text())["issuer"] == provider.url


def test_one_way_refuses_the_others_credentials(store, provider):
    """A key where only tokens are taken, a token where only keys are."""
    tokens = Authenticator.from_settings(AuthSettings(oidc=oidc(provider)), store.keys.list)
    key, _ = api_keys.create_key(store.keys, "laptop", ["predict"])
    with pytest.raises(Unauthorized):
        tokens.check(bearer(key), "predict")
    with pytest.raises(Unauthorized):
        keys_only(store).check(bearer(token(provider)), "predict")


def test_a_rotated_key_is_found_on_the_way(store, provider):
    """The first token of the new key waits for one fetch, and holds."""
    auth = Authenticator.from_settings(AuthSettings(oidc=oidc(provider)), store.keys.list)
    auth._tokens._keys._pause = 0.0
    assert auth.check(bearer(token(provider)), "predict")
    provider.jwks = {"keys": [public_jwk("two", RSA["two"])]}
    assert auth.check(bearer(token(provider, key=RSA["two"], kid="two")), "predict")
    with pytest.raises(Unauthorized, match="not known"):
        auth.check(bearer(token(provider)), "predict")


def test_the_thread_keeps_keys_fresh(store):
    """A revoked key is refused soon after, with nobody calling refresh."""
    auth = keys_only(store, interval=0.01)
    key, record = api_keys.create_key(store.keys, "laptop", ["predict"])
    auth.start()
    try:
        assert auth.quick(bearer(key), "predict")
        store.keys.revoke(record.id)
        pause = threading.Event()
        for _ in range(500):
            try:
                auth.quick(bearer(key), "predict")
            except Unauthorized:
                break
            pause.wait(0.01)
        else:
            pytest.fail("the revoked key went on to hold")
    finally:
        auth.stop()


def test_the_rate_is_each_keys_own(store):
    """429, and when to come back."""
    ticks = Clock(0.0)
    auth = keys_only(store, limiter=RateLimiter(2.0, 3.0, ticks=ticks))
    key, _ = api_keys.create_key(store.keys, "a", ["predict"])
    other, _ = api_keys.create_key(store.keys, "b", ["predict"])
    for _ in range(3):
        auth.check(bearer(key), "predict")
    with pytest.raises(TooManyRequests) as caught:
        auth.check(bearer(key), "predict")
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "1"})
    auth.check(bearer(other), "predict")
    ticks.now = 0.5
    auth.check(bearer(key), "predict")


def test_refused_requests_do_not_use_up_the_rate(store):
    """Nobody else's wrong guesses cost a key its requests."""
    auth = keys_only(store, limiter=RateLimiter(1.0, 1.0, ticks=Clock(0.0)))
    key, _ = api_keys.create_key(store.keys, "a", ["predict"])
    for _ in range(5):
        with pytest.raises(ServeError):
            auth.check(bearer(key[:-1]), "predict")
        with pytest.raises(Forbidden):
            auth.check(bearer(key), "admin")
    auth.check(bearer(key), "predict")


def test_the_buckets_are_bounded():
    """However many users come, the newest is counted on, in the place of one who need not wait any more."""
    ticks = Clock(1.0)
    limiter = RateLimiter(1.0, 1.0, ticks=ticks)
    for number in range(SETS * PLACES * 3 // 2):
        ticks.now += 0.0001
        limiter.take(f"u{number}")
        with pytest.raises(TooManyRequests):
            limiter.take(f"u{number}")
    limiter.close()


@given(
    gaps=st.lists(st.floats(0, 3), max_size=40),
    rate=st.sampled_from([0.5, 1.0, 4.0]),
    burst=st.sampled_from([1.0, 3.0]),
)
def test_a_user_gets_what_a_bucket_of_tokens_gives(gaps, rate, burst):
    """Request by request the same as counting tokens."""
    ticks = Clock(100.0)
    limiter = RateLimiter(rate, burst, ticks=ticks)
    tokens = burst
    for gap in gaps:
        ticks.now += gap
        tokens = min(burst, tokens + gap * rate)
        assume(abs(tokens - 1.0) > 1e-6 or tokens == burst)
        if tokens >= 1.0:
            limiter.take("ann")
            tokens -= 1.0
        else:
            with pytest.raises(TooManyRequests):
                limiter.take("ann")
    limiter.close()


def test_the_processes_share_the_rate(tmp_path):
    """What several processes let through at once is what one would."""
    work = """
import sys
from pathlib import Path
from modelwright.serve.auth.errors import TooManyRequests
from modelwright.serve.auth.rate import PLACES, SETS, RateLimiter

limiter, taken = RateLimiter(0.001, 500.0, file=Path(sys.argv[1])), 0
for _ in range(400):
    try:
        limiter.take("ann")
        taken += 1
    except TooManyRequests:
        pass
print(taken)
"""
    command = [sys.executable, "-c", work, str(tmp_path / "rates.bin")]
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) for _ in range(3)]
    taken = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(taken) == 500


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("a.localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("example.org", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_only_loopback_may_do_without_authentication(host, loopback):
    """Unless told so."""
    assert is_loopback(host) is loopback
    may_start(host, auth=True, insecure=False)
    may_start(host, auth=False, insecure=True)
    if loopback:
        may_start(host, auth=False, insecure=False)
    else:
        with pytest.raises(Exposed, match="--insecure"):
            may_start(host, auth=False, insecure=False)


@pytest.mark.parametrize(
    ("origin", "host", "fine"),
    [
        (None, "127.0.0.1:5000", True),
        ("http://127.0.0.1:5000", "127.0.0.1:5000", True),
        ("http://localhost:5000", "localhost:5000", True),
        ("http://[::1]:5000", "[::1]:5000", True),
        ("https://allowed.example", "127.0.0.1:5000", True),
        ("https://evil.example", "127.0.0.1:5000", False),
        ("http://rebound.example:5000", "rebound.example:5000", False),
        ("null", "127.0.0.1:5000", False),
        ("http://127.0.0.1:5000", None, False),
        ("http://[", "[", False),
    ],
)
def test_pages_of_others_may_not_send_through_a_browser(origin, host, fine):
    """A page on the internet must not reach a server on its visitor's machine."""
    if fine:
        refuse_foreign_page(origin, host, {"https://allowed.example"})
    else:
        with pytest.raises(ServeError):
            refuse_foreign_page(origin, host, {"https://allowed.example"})


def test_the_environment_says_how():
    """All of it."""
    settings = auth_settings(
        {
            "MODELWRIGHT_AUTH": "Keys, oidc",
            "MODELWRIGHT_AUTH_RATE": "5",
            "MODELWRIGHT_OIDC_ISSUER": "https://i",
            "MODELWRIGHT_OIDC_AUDIENCE": "a, b",
            "MODELWRIGHT_OIDC_ALGORITHMS": "ES256",
            "MODELWRIGHT_OIDC_TOKEN_USE": "access",
            "MODELWRIGHT_OIDC_RESOURCE": "models",
            "MODELWRIGHT_OIDC_GROUPS": "ops=admin; apps = predict, feedback",
        }
    )
    assert settings.on
    assert (settings.keys, settings.rate) == (True, 5.0)
    assert settings.oidc == OidcSettings(
        issuer="https://i",
        audience=("a", "b"),
        algorithms=("ES256",),
        token_use=("access",),
        resource="models",
        groups={"ops": ("admin",), "apps": ("predict", "feedback")},
    )


def test_it_is_off_unless_said():
    """A flag goes before the environment."""
    assert not auth_settings({}).on
    assert not auth_settings({"MODELWRIGHT_AUTH": "keys"}, auth="off").on


@pytest.mark.parametrize(
    "environ",
    [
        {"MODELWRIGHT_AUTH": "yes"},
        {"MODELWRIGHT_AUTH": "off,keys"},
        {"MODELWRIGHT_AUTH": "oidc"},
        {"MODELWRIGHT_AUTH": "oidc", "MODELWRIGHT_OIDC_ISSUER": "https://i"},
        {"MODELWRIGHT_AUTH_RATE": "-1"},
        {"MODELWRIGHT_AUTH_RATE": "nan"},
        {"MODELWRIGHT_AUTH_RATE": "many"},
        {
            "MODELWRIGHT_AUTH": "oidc",
            "MODELWRIGHT_OIDC_ISSUER": "https://i",
            "MODELWRIGHT_OIDC_AUDIENCE": "a",
            "MODELWRIGHT_OIDC_LEEWAY": "soon",
        },
    ],
)
def test_settings_that_cannot_be_used_are_refused(environ):
    """In words."""
    with pytest.raises(AuthMisconfigured):
        auth_settings(environ)
