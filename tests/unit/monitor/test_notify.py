"""Alarms go somewhere: once, signed, again where it failed, and not while they are silenced."""

from __future__ import annotations

import email
import email.policy
import json
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.monitor.channels import Command, Email, Slack, Undelivered, Webhook, signature, verified
from modelwright.monitor.notices import notice_of
from modelwright.monitor.notify import NOTIFICATION, Notifier, end_silence, silence
from modelwright.monitor.notify_settings import AlarmSettingsInvalid, NotifySettings, notify_settings
from modelwright.serve.keeping.alarms import Alarms
from modelwright.store.records import EventRecord
from modelwright.testing.memory import MemoryStore
from unit.monitor.receivers import Hooks, Mails, running

KINDS = ("drift", "rolled_back")


@pytest.fixture
def hooks():
    with running(Hooks()) as server:
        yield server


@pytest.fixture
def mails():
    with running(Mails()) as server:
        yield server


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.passed = 0.0

    def ticks(self) -> float:
        return self.passed

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.passed)


def notifier(store, clock, *channels, repeat=3600.0) -> Notifier:
    settings = NotifySettings(channels, KINDS, repeat)
    return Notifier(store, "iris", settings, ticks=clock.ticks, now=clock.now)


def states(store) -> list[str]:
    return [note.data["state"] for note in reversed(store.events.list("iris", kind=NOTIFICATION))]


def some_notice(message="PSI of petal width is 0.4.", **data):
    when = datetime(2026, 1, 2, tzinfo=UTC)
    event = EventRecord(sequence=7, project="iris", time=when, kind="drift", message=message, data=data)
    return notice_of(event)


def test_a_webhook_is_signed_and_told_once(hooks):
    """The receiver can check who sent it and when; a second look, or a restart, sends nothing again."""
    store, clock = MemoryStore(), Clock()
    store.events.add("iris", "drift", "PSI of petal width is 0.4.", {"name": "petal width", "psi": 0.4})
    store.events.add("iris", "version", "Nobody needs to hear this.")
    store.events.add("fraud", "drift", "Another project's.")
    way = Webhook(hooks.url, "secret")
    assert notifier(store, clock, way).run_once() == 1
    assert notifier(store, clock, way).run_once() == 0
    (body,), (headers,) = hooks.bodies, hooks.headers
    told = json.loads(body)
    assert (told["project"], told["kind"], told["data"]["psi"]) == ("iris", "drift", 0.4)
    assert headers["x-modelwright-delivery"] == told["id"]
    sent = headers["x-modelwright-signature"]
    now = datetime.now(UTC).timestamp()
    assert verified("secret", body, sent, now=now)
    assert not verified("other", body, sent, now=now)
    assert not verified("secret", body + b" ", sent, now=now)
    assert not verified("secret", body, sent, now=now + 301)
    assert not verified("secret", body, "t=x", now=now)
    assert states(store) == ["sent"]


def test_a_receiver_that_is_down_is_tried_again_later_and_later(hooks):
    """After each failure it waits longer; what got through is not sent again, other ways are not held up."""
    store, clock = MemoryStore(), Clock()
    store.events.add("iris", "drift", "moved")
    hooks.statuses = [503, 429]
    with running(Hooks()) as other:
        teller = notifier(store, clock, Webhook(hooks.url), Slack(other.url))
        assert teller.run_once() == 1
        assert teller.run_once() == 0
        clock.passed = 1.5
        teller.run_once()
        clock.passed = 4
        teller.run_once()
        assert len(hooks.bodies) == 2
        clock.passed = 7
        assert teller.run_once() == 1
        assert (len(hooks.bodies), len(other.bodies)) == (3, 1)
    assert states(store) == ["sent", "sent"]


def test_what_cannot_get_through_is_given_up_and_noted(hooks):
    """A refusal at once, an absence after the last try; redirects are not followed."""
    store, clock = MemoryStore(), Clock()
    store.events.add("iris", "drift", "moved")
    hooks.statuses = [302]
    notifier(store, clock, Webhook(hooks.url)).run_once()
    assert len(hooks.bodies) == 1
    gone = notifier(store, clock, Slack("http://127.0.0.1:9/none"))
    for _ in range(12):
        gone.run_once()
        clock.passed += 3601
    assert states(store) == ["failed", "failed"]
    newest = store.events.list("iris", kind=NOTIFICATION)[0]
    assert newest.data["attempts"] == 9 and "cannot be reached" in newest.data["why"]


def test_the_same_alarm_is_told_once_an_hour(hooks):
    """Repeats within the time are counted and told with the next one; another feature is another alarm."""
    store, clock = MemoryStore(), Clock()
    teller = notifier(store, clock, Webhook(hooks.url))
    for number in range(3):
        store.events.add("iris", "drift", f"PSI is 0.{number}", {"topic": "values", "name": "width"})
        teller.run_once()
    store.events.add("iris", "drift", "PSI is 0.3", {"topic": "values", "name": "length"})
    assert teller.run_once() == 1
    assert states(store) == ["sent", "repeated", "repeated", "sent"]
    clock.passed = 3700
    store.events.add("iris", "drift", "PSI is 0.9", {"topic": "values", "name": "width"})
    assert teller.run_once() == 1
    assert json.loads(hooks.bodies[-1])["repeats"] == 2


def test_silence(hooks):
    """Silenced alarms are noted and never told; other kinds are; an end ends it, and so does time."""
    store, clock = MemoryStore(), Clock()
    teller = notifier(store, clock, Webhook(hooks.url))
    silence(store, "iris", seconds=600, kinds=["drift"], reason="season")
    store.events.add("iris", "drift", "a")
    store.events.add("iris", "rolled_back", "b")
    assert teller.run_once() == 1
    end_silence(store, "iris")
    store.events.add("iris", "drift", "c")
    assert teller.run_once() == 1
    silence(store, "iris", seconds=600, kinds=[], reason="")
    store.events.add("iris", "rolled_back", "d")
    assert teller.run_once() == 0
    clock.passed = 700
    store.events.add("iris", "drift", "e")
    assert teller.run_once() == 1
    assert [json.loads(body)["message"] for body in hooks.bodies] == ["b", "c", "e"]


def test_what_is_old_is_not_told(hooks):
    """The first look at a store with a past tells nothing of days ago."""
    store, clock = MemoryStore(), Clock()
    store.events.add("iris", "drift", "long ago")
    clock.passed = 2 * 86400
    assert notifier(store, clock, Webhook(hooks.url)).run_once() == 0


def test_slack_is_told_as_it_wants_it(hooks):
    """Marks that Slack would take for its own are escaped, long texts are cut, evidence needs no plot."""
    Slack(hooks.url).send(some_notice("<!channel> & " + "x" * 5000))
    told = json.loads(hooks.bodies[0])
    assert told["text"].startswith("[iris] drift: &lt;!channel&gt; &amp;")
    assert len(told["blocks"][0]["text"]["text"]) <= 3000
    assert "channel>" not in hooks.bodies[0].decode()


def test_a_mail_is_a_mail(mails):
    """Sender, receivers, subject and text arrive; a message cannot write headers."""
    way = Email(mails.url, "Alarms <a@example.org>", ("ann@example.org", "bob@example.org"))
    way.send(some_notice("Größe moved.\r\nBcc: eve@example.org", psi=0.4))
    (raw,) = mails.mails
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["subject"] == "[iris] drift: Größe moved. Bcc: eve@example.org"
    assert mail["bcc"] is None and mail["auto-submitted"] == "auto-generated"
    assert "psi: 0.4" in mail.get_content() and "2026-01-02 00:00:00 UTC" in mail.get_content()
    assert len(mails.receivers) == 2


@pytest.mark.parametrize(("reply", "again"), [(b"451 later", True), (b"550 no", False)])
def test_a_mail_server_that_refuses(mails, reply, again):
    """A transient refusal is tried again, a permanent one is not; nor is one that is not there given up."""
    mails.refusals = [reply]
    with pytest.raises(Undelivered) as refused:
        Email(mails.url, "a@example.org", ("b@example.org",)).send(some_notice())
    assert refused.value.again is again
    with pytest.raises(Undelivered) as away:
        Email("smtp://127.0.0.1:9", "a@example.org", ("b@example.org",)).send(some_notice())
    assert away.value.again


def test_a_command_gets_the_notice(tmp_path):
    """On its standard input, with no shell between; its failure is told with its last words."""
    program = tmp_path / "told.py"
    program.write_text("import sys; open(sys.argv[1], 'w').write(sys.stdin.read())")
    Command(f"{sys.executable} {program} '{tmp_path / 'a file'}'").send(some_notice("$(rm -rf x); `id`"))
    assert json.loads((tmp_path / "a file").read_text())["message"] == "$(rm -rf x); `id`"
    with pytest.raises(Undelivered, match="status 3: oh no"):
        Command(f"{sys.executable} -c \"import sys; sys.exit(print('oh no', file=sys.stderr) or 3)\"").send(
            some_notice()
        )
    with pytest.raises(Undelivered, match="no program 'nowhere'"):
        Command("nowhere").send(some_notice())
    with pytest.raises(Undelivered, match="cannot be run"):
        Command("'").send(some_notice())


def test_settings_come_from_the_environment():
    """Every way out has its variables; without any there is none."""
    assert notify_settings({}).channels == ()
    found = notify_settings(
        {
            "MODELWRIGHT_ALARM_WEBHOOK": "https://x.example/hook",
            "MODELWRIGHT_ALARM_WEBHOOK_SECRET": "s3cret",
            "MODELWRIGHT_ALARM_SLACK": "https://chat.example/1",
            "MODELWRIGHT_ALARM_SMTP": "smtps://ann:pw@mail.example:465",
            "MODELWRIGHT_ALARM_EMAIL_TO": "ann@example.org, Bob <bob@example.org>",
            "MODELWRIGHT_ALARM_COMMAND": "logger -t alarm",
            "MODELWRIGHT_ALARM_KINDS": "drift,quality",
            "MODELWRIGHT_ALARM_REPEAT": "30m",
        }
    )
    assert [each.name for each in found.channels] == ["webhook", "slack", "command", "email"]
    assert (found.kinds, found.repeat) == (("drift", "quality"), 1800.0)
    assert "s3cret" not in repr(found) and "pw" not in repr(found)


def test_wrong_settings_are_all_named_without_secrets():
    """Each wrong variable is a line, and no address with its password is printed."""
    with pytest.raises(AlarmSettingsInvalid) as wrong:
        notify_settings(
            {
                "MODELWRIGHT_ALARM_WEBHOOK": "file:///etc/passwd",
                "MODELWRIGHT_ALARM_SLACK": "https://",
                "MODELWRIGHT_ALARM_SMTP": "http://ann:pw@x",
                "MODELWRIGHT_ALARM_EMAIL_TO": "nobody",
                "MODELWRIGHT_ALARM_REPEAT": "soon",
            }
        )
    told = "\n".join(wrong.value.details)
    assert len(wrong.value.details) == 5 and "pw" not in told


@given(st.text(max_size=300), st.dictionaries(st.text(max_size=20), st.integers(), max_size=3))
def test_any_event_can_be_told(message, data):
    """Whatever an event says, it becomes a notice in every form."""
    notice = some_notice(message, **{"x": data})
    assert notice.subject and "\n" not in notice.subject
    assert json.dumps(notice.document()) and json.dumps(notice.slack())
    assert Email("smtp://x", "a@example.org", ("b@example.org",))._message(notice).as_bytes()


def test_the_signature_is_as_documented():
    """HMAC-SHA256 over seconds, a dot, and the body; checked against a value computed elsewhere."""
    # printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    known = "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    assert signature("key", b"{}", 1700000000) == known


class _Stores:
    def __init__(self, store) -> None:
        self._store = store

    def of(self, project):
        return self._store


def test_the_keeper_tells_alarms_by_itself(hooks):
    """In a thread that ends with it; with wrong settings or none there is no thread."""
    store = MemoryStore()
    store.events.add("iris", "drift", "moved")
    alarms = Alarms(["iris"], _Stores(store), {"MODELWRIGHT_ALARM_WEBHOOK": hooks.url})
    arrived = threading.Event()
    for _ in range(100):
        if hooks.bodies:
            arrived.set()
            break
        threading.Event().wait(0.1)
    alarms.close()
    assert arrived.is_set() and len(hooks.bodies) == 1
    assert store.leases.acquire("alarms of iris", "another", seconds=1)
    before = threading.active_count()
    for settings in ({}, {"MODELWRIGHT_ALARM_WEBHOOK": "nowhere"}):
        Alarms(["iris"], _Stores(store), settings).close()
    assert threading.active_count() == before
