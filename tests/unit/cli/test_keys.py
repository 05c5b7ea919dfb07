"""``modelwright keys`` in a small project, and that what it makes holds at a server's door."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelwright.serve.auth.api_keys import KeyRing
from modelwright.serve.auth.errors import Unauthorized
from modelwright.store.engine import open_store
from modelwright.testing.factories import api_key


@pytest.fixture
def store_url(tmp_path, monkeypatch):
    """A store of its own, named by the environment, as where there is no project."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", url)
    monkeypatch.chdir(tmp_path)
    return url


def check(url: str, key: str) -> set[str]:
    with open_store(url) as store:
        ring = KeyRing(store.keys.list)
        ring.refresh()
        return set(ring.check(key).scopes)


def test_a_key_is_shown_once_and_holds(mw, store_url):
    """Alone on standard output, so that it can be piped; the list does not know it."""
    made = mw("keys", "create", "laptop", "--scope", "predict", "--scope", "read")
    key = made.out.strip()
    assert (made.code, check(store_url, key)) == (0, {"predict", "read"})
    assert "only now" in made.err
    listed = mw("keys", "list")
    assert "laptop" in listed.out
    assert key[-43:] not in listed.out + mw("keys", "list", "--json").out
    assert key[-43:].encode() not in Path(store_url.removeprefix("sqlite:///")).read_bytes()


def test_a_key_made_for_a_program_says_all_of_itself(mw, store_url):
    """As one JSON document; scopes are those of a mere predictor unless said."""
    made = mw("keys", "create", "ci", "--expires", "90d", "--json").json
    assert check(store_url, made["key"]) == {"predict"}
    left = datetime.fromisoformat(made["expires"]) - datetime.now(UTC)
    assert timedelta(days=89, hours=23) < left <= timedelta(days=90)
    assert (made["name"], made["state"], made["scopes"]) == ("ci", "holds", ["predict"])


@pytest.mark.parametrize("by", ["id", "name", "beginning"])
def test_a_revoked_key_is_refused(mw, store_url, by):
    """By its id, its name or the beginning of its id; twice is no harm."""
    made = mw("keys", "create", "laptop", "--json").json
    given = {"id": made["id"], "name": "laptop", "beginning": made["id"][:5]}[by]
    assert mw("keys", "revoke", given, "--json").json["was_revoked"] is False
    with pytest.raises(Unauthorized, match="revoked"):
        check(store_url, made["key"])
    assert "was revoked before" in mw("keys", "revoke", made["id"]).out


def test_what_means_several_keys_is_refused_with_their_names(mw, store_url):
    """Nothing is revoked then."""
    with open_store(store_url) as store:
        store.keys.add(api_key("aaaa1111", name="one"))
        store.keys.add(api_key("aaaa2222", name="two"))
    ended = mw("keys", "revoke", "aaaa")
    assert (ended.code, "aaaa1111  one" in ended.err, "aaaa2222  two" in ended.err) == (2, True, True)
    assert all(one["state"] == "holds" for one in mw("keys", "list", "--json").json)


def test_states_are_told(mw, store_url):
    """Those that hold come first."""
    with open_store(store_url) as store:
        store.keys.add(api_key("expired1", expires=datetime(2026, 1, 3, tzinfo=UTC)))
        store.keys.add(api_key("revoked1", revoked=datetime(2026, 1, 3, tzinfo=UTC)))
        store.keys.add(api_key("holding1", created=datetime(2026, 1, 4, tzinfo=UTC)))
    lines = [line.split() for line in mw("keys", "list").out.splitlines()[1:]]
    assert [(line[0], line[-1]) for line in lines] == [
        ("holding1", "holds"),
        ("expired1", "expired"),
        ("revoked1", "revoked"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "x", "--expires", "soon"),
        ("create", "x", "--expires", "-5d"),
        ("create", "x", "--expires", "99999999999d"),
        ("create", "x", "--scope", "root"),
        ("create", " "),
        ("create", "x" * 101),
        ("create", "a\nb"),
        ("revoke", "nothing"),
        ("revoke", ""),
    ],
)
def test_what_makes_no_sense_is_a_mistake_of_usage(mw, store_url, arguments):
    """And nothing is stored."""
    assert mw("keys", *arguments).code == 2
    assert mw("keys", "list", "--json").json == []


def test_without_a_store_there_are_no_keys(mw, store_url, tmp_path):
    """Looking does not make one."""
    assert mw("keys", "list", "--json").json == []
    assert not (tmp_path / "store.db").exists()


def test_without_a_project_and_a_store_it_says_so(mw, tmp_path, monkeypatch):
    """A key in a store that no server reads would be of no use."""
    monkeypatch.chdir(tmp_path)
    ended = mw("keys", "create", "x")
    assert ended.code != 0
    assert "project.yaml" in ended.err
