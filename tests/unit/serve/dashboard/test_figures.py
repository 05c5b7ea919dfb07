"""What pages show and what a query of the log says, where the two could part: pruning, midnight, filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dashboards import words
from modelwright.serve.dashboard.counts import RANGES
from modelwright.store.records import JobState
from modelwright.testing.factories import prediction, version

OURS = "role IN ('champion', 'canary')"


@pytest.fixture
def released(store):
    """The store with three versions, the second one live."""
    for number in (1, 2, 3):
        store.versions.reserve("iris")
        store.versions.add(version(number))
    store.releases.append("iris", 2, reason="it is good", actor="ann")
    return store


def sql(store, question):
    with store._database.read() as connection:
        return connection.execute(text(f"SELECT {question}")).scalar()


def shown(browser, path):
    response = browser.get(f"/dashboard/iris{path}")
    assert response.status_code == 200
    return words(response.text)


def around_midnights():
    """Moments within a microsecond of the last hundred midnights and of many hours, and now."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    near = timedelta(microseconds=1)
    found = [
        midnight - timedelta(days=day) + shift for day in range(100) for shift in (-near, near * 0, near)
    ]
    found += [now - timedelta(minutes=7 * place) for place in range(400)]
    return sorted({moment for moment in found if moment <= now})


@pytest.mark.parametrize("wanted", RANGES, ids=lambda wanted: wanted.name)
def test_every_step_of_every_range_is_what_sql_counts(released, browser, wanted):
    """A row at midnight to the microsecond belongs to the day that begins, in every range's steps."""
    released.predictions.add(
        [
            prediction(
                f"p{place:05}", time=moment, outputs={"prediction": 1}, status=(200, 400)[place % 7 == 0]
            )
            for place, moment in enumerate(around_midnights())
        ]
    )
    before = datetime.now(UTC)
    told = shown(browser, f"?range={wanted.name}")
    if int(before.timestamp()) // 60 != int(datetime.now(UTC).timestamp()) // 60:
        told = shown(browser, f"?range={wanted.name}")  # a minute went by between the two: look again
    last = int(datetime.now(UTC).timestamp()) // wanted.step * wanted.step
    moment = r"\d+ [A-Z][a-z]+ \d{4}" if wanted.step == 86_400 else r"\d+ \w{3} \d\d:\d\d UTC"
    lines = re.findall(rf"({moment}) (\d+) (\d+)(?= )", told)
    assert len(lines) == wanted.length // wanted.step
    for place, (_, good, refused) in enumerate(lines):  # the newest is told first
        start = (last - place * wanted.step) * 1_000_000
        end = start + wanted.step * 1_000_000
        inside = f"FROM mw_predictions WHERE {OURS} AND time >= {start} AND time < {end}"
        assert int(good) == sql(released, f"count(*) {inside} AND status < 400"), lines[place]
        assert int(refused) == sql(released, f"count(*) {inside} AND status >= 400"), lines[place]


def test_versions_and_pages_agree_with_the_log(released, browser):
    """What each version answered, and what every filter leaves."""
    now = datetime.now(UTC)
    for number, count in ((1, 30), (2, 45)):
        released.predictions.add(
            [
                prediction(
                    f"v{number}-{place}",
                    version=number,
                    time=now - timedelta(seconds=place),
                    status=(200, 422)[place % 9 == 0],
                )
                for place in range(count)
            ]
        )
    for place in range(12):
        released.labels.add("iris", f"v2-{place}", "yes")
    told = shown(browser, "/versions")
    for number in (1, 2, 3):
        count = sql(
            released, f"count(*) FROM mw_predictions WHERE {OURS} AND version = {number} AND status < 400"
        )
        assert re.search(rf"\b{number} (?:champion|former|accepted) .*? {count} ", told), number
        assert f"Answered {count} rows" in shown(browser, f"/versions/{number}")
    filters = {
        "version=2": "version = 2",
        "show=labelled": "labelled = 1",
        "show=refused": "status >= 400",
        "version=1&show=refused": "version = 1 AND status >= 400",
    }
    for query, condition in filters.items():
        page = browser.get(f"/dashboard/iris/predictions?{query}").text
        rows = len(re.findall(r"<tr(?: class=\"refused\")?>\s*<td><time", page))
        assert rows == sql(released, f"count(*) FROM mw_predictions WHERE {condition}"), query


def test_figures_outlive_the_rows_they_were_counted_from(released, browser):
    """Once old rows are pruned, counts are as before, and the list is what is left of the log."""
    now = datetime.now(UTC)
    released.predictions.add(
        [prediction(f"p{place:03}", version=2, time=now - timedelta(minutes=place)) for place in range(40)]
    )
    assert "Answered in all 40 " in shown(browser, "")
    heard = []
    assert released.predictions.prune("iris", keep=10, told=heard.append) == 30
    assert heard[-1] == 30
    told = shown(browser, "")
    assert "Answered in all 40 " in told
    assert "1 40 0 0" in told or "2 40 0 0" in told
    page = browser.get("/dashboard/iris/predictions").text
    assert page.count("data-ago") == 10 == sql(released, "count(*) FROM mw_predictions")
    assert "40 since the beginning" in words(page)
    assert browser.get("/dashboard/iris/predictions/p039").status_code == 404


def test_jobs_are_those_of_the_store(released, browser):
    """Each with its state, and as many as there are."""
    for place, state in enumerate((JobState.FAILED, JobState.CANCELLED)):
        job = released.jobs.add("iris", trigger="manual", reason=f"reason {place}")
        released.jobs.move(job.id, state, error="it broke")
    released.jobs.add("iris", trigger="manual", reason="reason 2")
    told = shown(browser, "/jobs")
    for number in range(3):
        assert f"reason {number}" in told
    for state in ("failed", "cancelled", "queued"):
        count = sql(released, f"count(*) FROM mw_jobs WHERE state = '{state}'")
        assert told.split().count(state) == count == 1
