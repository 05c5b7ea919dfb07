"""Where keys are asked for, a person enters one once; the browser keeps a session, never the key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboards import Browser, InProcess, forms, words
from modelwright.serve.auth.api_keys import KeyRing, create_key
from modelwright.serve.auth.authenticator import Authenticator
from modelwright.serve.dashboard.door import safe_next
from modelwright.serve.dashboard.sessions import COOKIE, Sessions
from modelwright.serve.gate import Gate
from modelwright.testing.factories import version


class Doors:
    """A dashboard that asks for keys."""

    def __init__(self, store, room, folder):
        self.store = store
        self.ring = KeyRing(store.keys.list, pause=0.0)
        self.ring.refresh()
        self.house = InProcess(store, folder, [room], Gate(Authenticator(self.ring)))
        self.browser = Browser(self.house)

    def key(self, *scopes, **more):
        key, record = create_key(self.store.keys, "ann", scopes, **more)
        self.ring.refresh()
        return key, record

    def sign_in(self, key, to="/dashboard/iris", **headers):
        return self.browser.post("/dashboard/-/sign-in", {"credential": key, "next": to}, **headers)


@pytest.fixture
def doors(store, room, tmp_path):
    """One with a version that waits to be promoted."""
    store.versions.reserve("iris")
    store.versions.add(version(1))
    return Doors(store, room, tmp_path / "work")


def test_a_stranger_is_sent_to_sign_in_and_back(doors):
    """The page asked for comes after signing in."""
    response = doors.browser.get("/dashboard/iris/versions?compare=1")
    assert response.status_code == 303
    assert (
        response.headers["location"]
        == "/dashboard/-/sign-in?next=%2Fdashboard%2Firis%2Fversions%3Fcompare%3D1"
    )
    page = doors.browser.get(response.headers["location"])
    [form] = forms(page.text)
    assert form.hidden["next"] == "/dashboard/iris/versions?compare=1"
    key, _ = doors.key("read")
    entered = doors.sign_in(key, form.hidden["next"])
    assert entered.status_code == 303
    assert entered.headers["location"] == "/dashboard/iris/versions?compare=1"
    assert doors.browser.get("/dashboard/iris").status_code == 200


def test_the_cookie_is_the_browsers_alone(doors):
    """No script reads it, no other site sends it, and the key is not in it."""
    key, _ = doors.key("read")
    told = doors.sign_in(key).headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=strict" in told
    assert "path=/dashboard" in told
    assert key.lower() not in told
    assert key.rpartition("_")[2].lower() not in told
    assert "secure" not in told
    doors.house.secure = True
    assert "secure" in doors.sign_in(key).headers["set-cookie"].lower()


def test_a_wrong_key_is_refused_in_words(doors):
    """No session, no trace of what was entered."""
    for key in ["nonsense", "mw_00000000_" + "a" * 43, "", "\u00e9"]:
        response = doors.sign_in(key)
        assert response.status_code == 401, key
        assert "set-cookie" not in response.headers
        assert forms(response.text)
    assert doors.browser.get("/dashboard/iris").status_code == 303


def test_a_key_that_may_not_read_does_not_get_in(doors):
    """A key of an application that predicts is none to look with."""
    key, _ = doors.key("predict")
    assert doors.sign_in(key).status_code == 403


def test_reading_is_not_changing(doors):
    """With the scope read no form is there, and none is taken; with admin it is."""
    key, _ = doors.key("read")
    doors.sign_in(key)
    assert "/promote" not in doors.browser.get("/dashboard/iris/versions/1").text
    hidden = forms(doors.browser.get("/dashboard/iris").text)[0].hidden
    response = doors.browser.post("/dashboard/iris/versions/1/promote", {**hidden, "reason": "x"})
    assert response.status_code == 403
    assert doors.store.releases.current("iris") is None
    admin, _ = doors.key("admin")
    doors.sign_in(admin)
    doors.browser.send("/dashboard/iris/versions/1", "/promote")
    assert doors.store.releases.current("iris").actor == "ann"


def test_revoking_the_key_ends_its_sessions(doors):
    """At the next page, as soon as the server's copy of the keys is fresh."""
    key, record = doors.key("read")
    doors.sign_in(key)
    assert doors.browser.get("/dashboard/iris").status_code == 200
    doors.store.keys.revoke(record.id)
    doors.ring.refresh()
    assert doors.browser.get("/dashboard/iris").status_code == 303


def test_an_expired_key_ends_its_sessions(doors):
    """As it ends every other use of it."""
    key, _ = doors.key("read", expires=datetime.now(UTC) + timedelta(seconds=0.4))
    doors.sign_in(key)
    while doors.browser.get("/dashboard/iris").status_code == 200:
        pass
    assert doors.browser.get("/dashboard/iris").status_code == 303


def test_signing_out_forgets_the_session(doors):
    """The cookie goes, and pages ask again."""
    key, _ = doors.key("read")
    doors.sign_in(key)
    hidden = forms(doors.browser.get("/dashboard/iris").text)[0].hidden
    assert doors.browser.post("/dashboard/-/sign-out", hidden).status_code == 303
    assert COOKIE not in doors.browser.cookies
    assert doors.browser.get("/dashboard/iris").status_code == 303


def test_a_programs_header_works_too(doors):
    """A key in a header reads pages and needs no session, as everywhere else."""
    key, _ = doors.key("read")
    assert doors.browser.get("/dashboard/iris", **{"x-api-key": key}).status_code == 200
    assert doors.browser.get("/dashboard/iris", authorization=f"Bearer {key}x").status_code == 401


def test_a_session_of_a_server_without_keys_opens_none_with(doors, store, room, tmp_path):
    """A cookie from when nobody was asked does not get in once keys are on."""
    free = Browser(InProcess(store, tmp_path / "work", [room]))
    assert free.get("/dashboard/iris").status_code == 200
    doors.browser.cookies = free.cookies
    assert doors.browser.get("/dashboard/iris").status_code == 303


def test_a_stranger_cannot_sign_a_browser_in(doors):
    """A form of another site does not put its sender's session into this browser."""
    key, _ = doors.key("read")
    assert doors.sign_in(key, **{"sec-fetch-site": "cross-site"}).status_code == 403


def test_parts_and_streams_ask_too(doors):
    """Not only pages: live parts, files and explanations."""
    for path in ["/iris/live", "/iris/versions/1/files/roc.png", "/iris/predictions/p/explanation"]:
        response = doors.browser.get(f"/dashboard{path}", accept="*/*")
        assert response.status_code == 401, path
    assert doors.browser.post("/dashboard/iris/try", {}).status_code == 401


@pytest.mark.parametrize(
    "told",
    [
        "http://evil.example/dashboard",
        "//evil.example",
        "/\\evil.example",
        "/dashboard\\..\\x",
        "/docs",
        "",
        "/dashboardx",
        "javascript:alert(1)",
        "/dashboard/\r\nset-cookie: x",
    ],
)
def test_signing_in_leads_nowhere_else(told):
    """Whatever the address says, it is a page of the dashboard."""
    assert safe_next(told) == "/dashboard"


def test_a_session_is_only_what_was_signed(tmp_path):
    """A changed, cut, foreign or old cookie is none."""
    sessions = Sessions(tmp_path)
    session, cookie = sessions.begin()
    assert sessions.read(cookie) == session
    body, _, signature = cookie.partition(".")
    wrong = [
        "",
        ".",
        cookie[:-1],
        f"{body}x.{signature}",
        f".{signature}",
        f"{body}.",
        "\u00e9.\u00e9",
        "a.b",
    ]
    assert [sessions.read(each) for each in wrong] == [None] * len(wrong)
    assert Sessions(tmp_path).read(cookie) == session
    assert Sessions(tmp_path / "other").read(cookie) is None
    assert sessions.read(sessions.begin(seconds=-1)[1]) is None
    assert sessions.fits(session, sessions.token(session))
    assert not sessions.fits(sessions.begin()[0], sessions.token(session))


def test_the_secret_is_the_servers_alone(tmp_path):
    """Readable by its owner only, the same for all workers, and made anew if it was cut short."""
    first = Sessions(tmp_path / "new").begin()[1]
    [file] = (tmp_path / "new").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(b"short")
    again = Sessions(tmp_path / "new")
    assert again.read(first) is None
    assert again.read(again.begin()[1]) is not None
    assert [each.name for each in (tmp_path / "new").iterdir()] == [file.name]


def test_without_keys_everybody_may_look_and_change(browser):
    """On this machine alone, where nobody is asked: no page to sign in, but forms have their token."""
    assert browser.get("/dashboard/iris").status_code == 200
    assert "Sign out" not in words(browser.get("/dashboard/iris").text)
    assert forms(browser.get("/dashboard/iris/jobs").text)[0].hidden["csrf"]
