"""What may be changed in the browser is done in the store, with a reason, and leaves an event."""

from __future__ import annotations

import pytest

from dashboards import forms, words
from modelwright.monitor.due import WAITING
from modelwright.store.records import JobState, Verdict
from modelwright.testing.factories import decision, prediction, version


@pytest.fixture
def released(store):
    """Three versions of which 2 answers, after 1 did; 3 was rejected, 4 is new."""
    for number in (1, 2, 3, 4):
        store.versions.reserve("iris")
        told = decision(Verdict.REJECTED if number == 3 else Verdict.ACCEPTED)
        store.versions.add(version(number, decision=told))
    for number in (1, 2):
        store.releases.append("iris", number, reason="before", actor="ann")
    return store


def newest_event(store):
    return store.events.list("iris", limit=1)[0]


def test_a_version_is_promoted(released, browser):
    """It answers from then on; release and event say by whom, why and instead of which."""
    response = browser.send("/dashboard/iris/versions/4", "/promote", reason="it is quicker")
    assert response.status_code == 303
    assert response.headers["location"].startswith("/dashboard/iris/versions?said=")
    release = released.releases.current("iris")
    assert (release.version, release.reason, release.actor) == (4, "it is quicker", "dashboard")
    event = newest_event(released)
    assert event.kind == "promoted"
    assert event.message == "Version 4 answers now instead of version 2: it is quicker"
    assert event.data["previous"] == 2
    assert "Version 4 answers from now on." in words(browser.get(response.headers["location"]).text)


def test_a_former_champion_is_rolled_back_to(released, browser):
    """Its page calls it so, and the event does."""
    assert "Roll back to version 1" in words(browser.get("/dashboard/iris/versions/1").text)
    browser.send("/dashboard/iris/versions/1", "/promote", reason="2 is slow")
    assert released.releases.current("iris").version == 1
    assert newest_event(released).kind == "rolled_back"


def test_a_rejected_version_is_offered_to_nobody(released, browser):
    """No form, and a request by hand is refused by the store."""
    page = browser.get("/dashboard/iris/versions/3").text
    assert not [form for form in forms(page) if "versions/3" in form.address]
    token = forms(browser.get("/dashboard/iris/versions/4").text)[0].hidden
    response = browser.post("/dashboard/iris/versions/3/promote", {**token, "reason": "please"})
    assert response.status_code == 409
    assert released.releases.current("iris").version == 2


def test_a_canary_goes_out_and_comes_back(released, browser):
    """A share of the clients, kept in the release that serving reads; then everybody again."""
    browser.send("/dashboard/iris/versions/4", "/canary", share="12.5")
    release = released.releases.current("iris")
    assert release.version == 2
    assert release.settings["canary"] == {"version": 4, "share": 0.125}
    assert newest_event(released).kind == "canary"
    assert "Version 4 answers 12.5" in words(browser.get("/dashboard/iris").text)
    browser.send("/dashboard/iris/versions", "/end-canary")
    assert not released.releases.current("iris").settings.get("canary")
    assert newest_event(released).kind == "canary_ended"


@pytest.mark.parametrize("share", ["0", "-1", "51", "nan", "a lot", ""])
def test_a_share_that_cannot_be_is_refused(released, browser, share):
    """Nothing is released."""
    before = released.releases.current("iris")
    response = browser.send("/dashboard/iris/versions/4", "/canary", share=share)
    assert response.status_code == 400
    assert released.releases.current("iris") == before


def test_a_reason_is_needed(released, browser):
    """Without one, or with a novel, nothing happens."""
    for reason in ["", "   ", "x" * 1001]:
        assert browser.send("/dashboard/iris/versions/4", "/promote", reason=reason).status_code == 400
    assert released.releases.current("iris").version == 2


def test_a_version_that_waits_is_refused_or_approved(released, browser):
    """The job ends with the person's word."""
    jobs = []
    for number in (3, 4):
        job = released.jobs.add("iris", trigger="manual", reason="test")
        released.jobs.take("iris", "worker", seconds=60)
        released.jobs.move(job.id, JobState.JUDGED, version=number)
        released.events.add("iris", WAITING, "It waits.", {"job": job.id, "version": number})
        jobs.append(job.id)
    assert "waits for your word" in words(browser.get("/dashboard/iris").text)
    browser.send("/dashboard/iris/versions/4", "/promote")
    assert released.jobs.get(jobs[1]).state is JobState.PROMOTED
    token = forms(browser.get("/dashboard/iris/versions/4").text) or forms(
        browser.get("/dashboard/iris/jobs").text
    )
    browser.post("/dashboard/iris/versions/3/refuse", {**token[0].hidden, "reason": "no"})
    assert released.jobs.get(jobs[0]).state is JobState.REJECTED
    assert newest_event(released).kind == "refused"
    assert released.events.list("iris", kind="retrain_refused")[0].data["reason"] == "no"


def test_a_retraining_is_asked_for_and_cancelled(released, browser):
    """The job is there, with who asked and why; cancelled, it says so."""
    response = browser.send("/dashboard/iris/jobs", "/retrain", reason="new prices")
    [job] = released.jobs.list("iris")
    assert (job.state, job.trigger, job.reason) == (JobState.QUEUED, "manual", "new prices")
    assert response.headers["location"].startswith(f"/dashboard/iris/jobs/{job.id}")
    assert newest_event(released).kind == "retrain_asked"
    browser.send(f"/dashboard/iris/jobs/{job.id}", "/cancel", reason="wrong prices")
    assert released.jobs.get(job.id).state is JobState.CANCELLED
    assert newest_event(released).kind == "retrain_cancelled"
    assert "/cancel" not in browser.get(f"/dashboard/iris/jobs/{job.id}").text
    token = forms(browser.get("/dashboard/iris/jobs").text)[0].hidden
    again = browser.post(f"/dashboard/iris/jobs/{job.id}/cancel", {**token, "reason": "again"})
    assert again.status_code == 409


def test_a_label_is_corrected(released, browser):
    """A person's word counts over what a client said, and an event keeps whose it was."""
    released.predictions.add([prediction("p1")])
    released.labels.add("iris", "p1", "wrong", client="app")
    browser.send("/dashboard/iris/predictions/p1", "/label", target="right", reason="I saw it")
    assert released.labels.latest("iris", ["p1"])["p1"].target == "right"
    event = newest_event(released)
    assert event.kind == "label"
    assert event.data["target"] == "right"
    assert "right operator:dashboard just now counts" in words(
        browser.get("/dashboard/iris/predictions/p1").text
    )


def test_a_threshold_is_set_and_taken_back(released, browser):
    """It holds at once, says who set it, and an empty value gives the project file's back."""
    browser.send("/dashboard/iris/settings", "/threshold", name="monitor.drift.psi", value="0.35")
    told = words(browser.get("/dashboard/iris/settings").text)
    assert "monitor.drift.psi 0.35 here set by dashboard" in told
    assert newest_event(released).kind == "settings"
    browser.send("/dashboard/iris/settings", "/threshold", name="monitor.drift.psi", value="")
    assert released.overrides.get("iris") == {}
    bad = browser.send("/dashboard/iris/settings", "/threshold", name="monitor.drift.psi", value="-3")
    assert bad.status_code == 409
    assert released.overrides.get("iris") == {}


@pytest.mark.parametrize("forged", ["", "0" * 64, "\u00e9"])
def test_a_forged_form_changes_nothing(released, browser, forged):
    """A page of another origin has no token, or not the session's."""
    browser.get("/dashboard/iris")
    response = browser.post("/dashboard/iris/versions/4/promote", {"csrf": forged, "reason": "gotcha"})
    assert response.status_code == 403
    assert released.releases.current("iris").version == 2


def test_a_form_from_elsewhere_is_refused_with_its_token(released, browser):
    """Also where the token leaked, the browser says which page sent the form."""
    hidden = forms(browser.get("/dashboard/iris/versions/4").text)[0].hidden
    for headers in [{"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}]:
        response = browser.post("/dashboard/iris/versions/4/promote", {**hidden, "reason": "x"}, **headers)
        assert response.status_code == 403, headers
    assert released.releases.current("iris").version == 2


def test_a_get_changes_nothing(released, browser):
    """Addresses that change something take forms only."""
    assert browser.get("/dashboard/iris/versions/4/promote").status_code in {404, 405}
    assert released.releases.current("iris").version == 2


def test_a_damaged_bundle_is_not_promoted(released, browser, tmp_path):
    """Where the version's bundle lies here, it must be the one that was registered."""
    folder = tmp_path / "work" / "bundles" / "v4"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    response = browser.send("/dashboard/iris/versions/4", "/promote")
    assert response.status_code == 409
    assert released.releases.current("iris").version == 2
