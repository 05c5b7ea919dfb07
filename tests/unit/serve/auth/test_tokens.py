import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from modelwright.serve.auth.errors import AuthMisconfigured, Unauthorized
from modelwright.serve.auth.jwks import KeySet
from modelwright.serve.auth.tokens import OidcSettings, TokenVerifier
from modelwright.serve.errors import NotReady
from unit.serve.auth.provider import AUDIENCE, EC, RSA, Clock, public_jwk, token


def settings_of(provider, **changes):
    return OidcSettings(
        **{"issuer": provider.url, "audience": (AUDIENCE,), "jwks_url": provider.jwks_url, **changes}
    )


def verifier_of(provider, *, clock=time.time, **changes):
    settings = settings_of(provider, **changes)
    keys = KeySet(settings.issuer, settings.jwks_url)
    keys.refresh()
    return TokenVerifier(settings, keys, clock=clock)


def reason(verifier, text):
    with pytest.raises(Unauthorized) as caught:
        verifier.check(text)
    assert text not in str(caught.value) + repr(caught.value) + str(caught.value.headers)
    assert caught.value.headers["www-authenticate"].startswith("Bearer ")
    return caught.value.reason


def test_a_token_holds_and_names_its_subject(provider):
    """With the scopes that are ours."""
    principal = verifier_of(provider).check(token(provider, scope="predict openid read other/admin"))
    assert (principal.name, principal.kind, principal.scopes) == (
        "ann",
        "token",
        frozenset({"predict", "read"}),
    )


def test_an_expired_token_is_refused(provider):
    """Beyond the leeway."""
    verifier = verifier_of(provider, leeway=10.0)
    verifier.check(token(provider, exp=time.time() - 5))
    assert reason(verifier, token(provider, exp=time.time() - 15)) == "The token has expired."


def test_a_token_that_is_not_valid_yet_is_refused(provider):
    """Beyond the leeway."""
    verifier = verifier_of(provider, leeway=10.0)
    verifier.check(token(provider, nbf=time.time() + 5))
    assert reason(verifier, token(provider, nbf=time.time() + 60)) == "The token is not valid yet."


def test_a_token_without_an_expiry_is_refused(provider):
    """It would hold for ever."""
    assert "lacks a claim" in reason(verifier_of(provider), token(provider, exp=None))


def test_a_token_of_another_issuer_is_refused(provider):
    """Also one that is nearly the same."""
    for issuer in (provider.url + "/", "https://evil.example", None):
        assert reason(verifier_of(provider), token(provider, iss=issuer))


def test_a_token_for_another_audience_is_refused(provider):
    """Or for none; a list may name ours among others."""
    verifier = verifier_of(provider)
    verifier.check(token(provider, aud=["x", AUDIENCE]))
    for audience in ("other", ["x"], [], None, AUDIENCE.upper()):
        assert "another audience" in reason(verifier, token(provider, aud=audience))


def test_a_token_signed_by_another_key_is_refused(provider):
    """Whatever key id it claims."""
    assert "signature is wrong" in reason(verifier_of(provider), token(provider, key=RSA["two"]))


def test_a_token_that_was_changed_is_refused(provider):
    """A claim more, and the signature of before."""
    head, _, signature = token(provider).split(".")
    claims = {"iss": provider.url, "aud": AUDIENCE, "sub": "eve", "exp": time.time() + 60, "scope": "admin"}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert "signature is wrong" in reason(verifier_of(provider), f"{head}.{body}.{signature}")


def test_an_unsigned_token_is_refused(provider):
    """``alg: none``, in any spelling."""
    for name in ("none", "None", "NONE"):
        head = (
            base64.urlsafe_b64encode(json.dumps({"alg": name, "kid": "one"}).encode()).rstrip(b"=").decode()
        )
        _, body, _ = token(provider).split(".")
        assert "algorithm is not taken" in reason(verifier_of(provider), f"{head}.{body}.")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(provider):
    """HS256 with what everybody knows."""
    public = (
        RSA["one"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    import hashlib
    import hmac

    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "one"}).encode()).rstrip(b"=")
    body = token(provider).split(".")[1].encode()
    mac = base64.urlsafe_b64encode(hmac.digest(public, head + b"." + body, hashlib.sha256)).rstrip(b"=")
    forged = b".".join([head, body, mac]).decode()
    assert "algorithm is not taken" in reason(verifier_of(provider), forged)


def test_an_algorithm_that_is_not_the_keys_is_refused(provider):
    """The key says RS256; PS256 with it is another algorithm."""
    verifier = verifier_of(provider, algorithms=("RS256", "PS256", "ES256"))
    assert "not its key's" in reason(verifier, token(provider, alg="PS256"))
    assert "not its key's" in reason(verifier, token(provider, key=EC, alg="ES256"))


def test_elliptic_keys_work(provider):
    """Where they are allowed."""
    provider.jwks = {"keys": [public_jwk("ec", EC)]}
    assert verifier_of(provider, algorithms=("ES256",)).check(token(provider, key=EC, kid="ec", alg="ES256"))


def test_a_token_without_a_key_id_is_refused(provider):
    """Keys are not tried one after the other."""
    assert reason(verifier_of(provider), token(provider, kid=None)) == "The token is not valid."


def test_a_token_with_critical_extensions_is_refused(provider):
    """They are not understood here (RFC 7515, 4.1.11)."""
    text = jwt.encode(
        {"exp": 1}, RSA["one"], algorithm="RS256", headers={"kid": "one", "crit": ["x"], "x": 1}
    )
    assert reason(verifier_of(provider), text)


def test_a_token_must_say_whose_it_is(provider):
    """The log names a client."""
    assert "whose" in reason(verifier_of(provider), token(provider, sub=None))
    assert verifier_of(provider).check(token(provider, sub=None, client_id="robot")).name == "robot"


@pytest.mark.parametrize(
    "text", ["x", "a.b.c", "..", "é.é.é", "a." * 100, "x" * 20_000, "eyJhbGciOiJSUzI1NiJ9.."]
)
def test_what_is_no_token_is_refused(provider, text):
    """Without another error."""
    assert reason(verifier_of(provider), text)


class TestCognito:
    """Amazon's tokens: the use is a claim, and access tokens name the client elsewhere."""

    def test_an_access_token_is_for_its_client_id(self, provider):
        """It has no audience."""
        verifier = verifier_of(provider, token_use=("access",), resource="models")
        said = token(
            provider, token_use="access", client_id=AUDIENCE, aud=None, scope="models/predict openid"
        )
        assert verifier.check(said).scopes == {"predict"}
        other = token(provider, token_use="access", client_id="other", aud=AUDIENCE)
        assert "another audience" in reason(verifier, other)

    def test_an_id_token_is_for_its_audience(self, provider):
        """Its client id does not count."""
        verifier = verifier_of(provider, token_use=("id", "access"))
        verifier.check(token(provider, token_use="id"))
        assert reason(verifier, token(provider, token_use="id", aud="x", client_id=AUDIENCE))

    def test_another_use_is_refused(self, provider):
        """Or none at all."""
        verifier = verifier_of(provider, token_use=("access",))
        for use in ("id", None, ["access"]):
            assert "token_use" in reason(verifier, token(provider, token_use=use, client_id=AUDIENCE))

    def test_scopes_count_only_of_our_resource_server(self, provider):
        """Another's admin is not ours, nor is one without a resource."""
        verifier = verifier_of(provider, resource="models")
        said = token(provider, scope="other/admin admin models/read xmodels/feedback")
        assert verifier.check(said).scopes == {"read"}

    def test_groups_have_the_scopes_that_settings_give_them(self, provider):
        """A group that is not named has none."""
        verifier = verifier_of(provider, groups={"ops": ("admin", "read")})
        said = token(provider, scope=None, **{"cognito:groups": ["ops", "strangers", 5]})
        assert verifier.check(said).scopes == {"admin", "read"}

    @pytest.mark.parametrize("scope", [None, 5, {"admin": 1}, ["predict", 5], "predict"])
    def test_scopes_of_any_shape_are_read_or_none(self, provider, scope):
        """A list is how others write them."""
        expected = {"predict"} if scope in (["predict", 5], "predict") else set()
        assert verifier_of(provider).check(token(provider, scope=scope)).scopes == expected


class TestKeys:
    """The provider's keys change, and the provider goes away."""

    def test_an_unknown_key_is_asked_for_once_a_pause(self, provider):
        """Then refused, so strangers do not make us knock at the provider's door."""
        ticks = Clock(0.0)
        settings = settings_of(provider)
        keys = KeySet(settings.issuer, settings.jwks_url, ticks=ticks)
        verifier = TokenVerifier(settings, keys)
        text = token(provider, key=RSA["two"], kid="two")
        assert verifier.check(text) is None
        verifier.refresh(missing="two")
        assert provider.asked == 1
        assert "does not list" in reason(verifier, text)
        verifier.refresh(missing="two")
        assert provider.asked == 1
        ticks.now = 30.0
        assert verifier.check(text) is None

    def test_a_new_key_is_found_and_the_old_one_forgotten(self, provider):
        """After a rotation old tokens end with their key, though they were verified before."""
        ticks = Clock(0.0)
        settings = settings_of(provider)
        keys = KeySet(settings.issuer, settings.jwks_url, ticks=ticks)
        verifier = TokenVerifier(settings, keys)
        verifier.refresh()
        old, new = token(provider), token(provider, key=RSA["two"], kid="two")
        assert verifier.check(old)
        provider.jwks = {"keys": [public_jwk("two", RSA["two"])]}
        ticks.now = 30.0
        assert verifier.check(old)
        assert verifier.check(new) is None
        verifier.refresh(missing=verifier.missing_key(new))
        assert verifier.check(new)
        assert "does not list" in reason(verifier, old)

    def test_keys_are_fetched_anew_after_their_lifespan_only(self, provider):
        """To notice what was withdrawn."""
        ticks = Clock(0.0)
        keys = KeySet(provider.url, provider.jwks_url, ticks=ticks, lifespan=600.0)
        for now, asked in ((0.0, 1), (31.0, 1), (599.0, 1), (600.0, 2)):
            ticks.now = now
            keys.refresh()
            assert provider.asked == asked

    @pytest.mark.parametrize(
        ("status", "jwks"),
        [(500, {}), (200, b"junk"), (200, []), (200, {"keys": []}), (200, {"keys": 5}), (200, b"\xff")],
    )
    def test_with_the_provider_broken_the_known_keys_hold(self, provider, status, jwks):
        """Whatever it answers instead."""
        ticks = Clock(0.0)
        settings = settings_of(provider)
        keys = KeySet(settings.issuer, settings.jwks_url, ticks=ticks)
        keys.refresh()
        verifier = TokenVerifier(settings, keys)
        provider.status, provider.jwks = status, jwks
        ticks.now = 1000.0
        keys.refresh()
        assert verifier.check(token(provider))

    def test_with_the_provider_down_from_the_start_it_is_not_ready(self, provider):
        """503, not 401: the token may be good."""
        ticks = Clock(0.0)
        settings = settings_of(provider, jwks_url="http://127.0.0.1:1/jwks.json")
        keys = KeySet(settings.issuer, settings.jwks_url, ticks=ticks)
        verifier = TokenVerifier(settings, keys)
        verifier.refresh()
        with pytest.raises(NotReady):
            verifier.check(token(provider))
        ticks.now = 5.0
        assert verifier.check(token(provider)) is None

    def test_a_start_without_the_provider_uses_the_keys_kept(self, provider, tmp_path):
        """Of the same issuer only; a torn file is no harm."""
        file = tmp_path / "keys.json"
        KeySet(provider.url, provider.jwks_url, file=file).refresh()
        settings = settings_of(provider)
        keys = KeySet(settings.issuer, "http://127.0.0.1:1/", file=file)
        assert TokenVerifier(settings, keys).check(token(provider))
        assert not KeySet("https://other", "http://127.0.0.1:1/", file=file).loaded
        file.write_bytes(file.read_bytes()[:-5])
        assert not KeySet(provider.url, "http://127.0.0.1:1/", file=file).loaded

    def test_a_place_that_cannot_be_written_is_no_harm(self, provider, tmp_path):
        """The file is a help, no need."""
        keys = KeySet(provider.url, provider.jwks_url, file=tmp_path / "nothing" / "keys.json")
        keys.refresh()
        assert keys.loaded

    def test_the_discovery_document_says_where_the_keys_are(self, provider):
        """Its issuer must be the one asked."""
        keys = KeySet(provider.url)
        keys.refresh()
        assert keys.loaded
        provider.discovery["issuer"] = "https://other"
        keys = KeySet(provider.url)
        keys.refresh()
        assert not keys.loaded

    def test_keys_that_cannot_sign_are_left_out(self, provider):
        """For encryption, without id, shared, of unknown kinds."""
        good = public_jwk("one", RSA["one"])
        bad = [
            {**good, "kid": "enc", "use": "enc"},
            {**good, "kid": None},
            {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
            {"kty": "XX", "kid": "xx"},
            {"kty": "RSA", "kid": "torn"},
            5,
        ]
        provider.jwks = {"keys": [*bad, good]}
        keys = KeySet(provider.url, provider.jwks_url)
        keys.refresh()
        assert [kid for kid in ("enc", "oct", "xx", "torn", "one") if keys.get(kid)] == ["one"]


def test_a_verified_token_is_known_until_it_expires(provider):
    """Without verifying it again."""
    clock = Clock(time.time())
    verifier = verifier_of(provider, clock=clock)
    text = token(provider)
    first = verifier.check(text)
    assert verifier.check(text) is first
    clock.now += 629
    assert verifier.check(text) is first
    clock.now += 2
    assert verifier.check(text) is not first


def test_what_is_known_is_bounded(provider, monkeypatch):
    """However many tokens come."""
    monkeypatch.setattr("modelwright.serve.auth.tokens._MOST_KEPT", 3)
    verifier = verifier_of(provider)
    for number in range(6):
        verifier.check(token(provider, sub=f"s{number}"))
    assert len(verifier._known) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": ""},
        {"audience": ()},
        {"audience": ("",)},
        {"algorithms": ("HS256",)},
        {"algorithms": ("RS256", "none")},
        {"algorithms": ()},
        {"groups": {"ops": ("root",)}},
        {"token_use": ("refresh",)},
        {"leeway": 1e9},
        {"leeway": float("nan")},
    ],
)
def test_settings_that_would_let_in_strangers_are_refused(provider, changes):
    """Before the server starts."""
    with pytest.raises(AuthMisconfigured):
        settings_of(provider, **changes).check()
