"""Every page is sensible for every project, and its figures are those of the store."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dashboards import Browser, InProcess, markup_faults, words
from modelwright.schema.metrics import Metric
from modelwright.serve.dashboard.house import Room
from modelwright.serve.dashboard.routes import PAGES
from modelwright.store.records import JobState, Verdict, WindowRecord
from modelwright.testing.factories import decision, prediction, version

LISTS = ["", "/try", "/predictions", "/quality", "/drift", "/versions", "/jobs", "/settings"]
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}\u202e"


def now():
    return datetime.now(UTC)


def released(store, number=1, **changes):
    while store.versions.reserve("iris") < number:
        pass
    store.versions.add(version(number, created=now() - timedelta(hours=1), **changes))
    return store.releases.append("iris", number, reason="it is good", actor="ann")


def shown(browser, path):
    response = browser.get(f"/dashboard/iris{path}")
    assert response.status_code == 200, (path, words(response.text))
    assert markup_faults(response.text) == [], path
    return words(response.text)


def answered(count, **changes):
    return [
        prediction(
            f"p{place:04d}",
            time=now() - timedelta(seconds=place),
            outputs={
                "prediction": place % 2,
                "prediction_name": ("no", "yes")[place % 2],
                "confidence": 0.75,
            },
            **changes,
        )
        for place in range(count)
    ]


@pytest.mark.parametrize("path", LISTS)
def test_an_empty_project_says_what_to_do(browser, path):
    """Nothing trained, nothing asked: no page fails, or shows a figure that nobody measured."""
    told = shown(browser, path)
    assert "nan" not in told.lower().split()
    assert "None" not in told.split()


@pytest.mark.parametrize("path", LISTS)
def test_one_prediction_is_enough_for_every_page(store, browser, path):
    """One version, one answer, no label."""
    released(store)
    store.predictions.add([prediction("only", time=now())])
    told = shown(browser, path)
    if path == "":
        assert "Version 1 answers, and nothing is wrong." in told
    if path == "/quality":
        assert "No prediction has its label yet" in told
    if path == "/predictions":
        assert "1 since the beginning" in told


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        (
            "one class",
            {"prediction": 1, "prediction_name": "yes", "confidence": 1.0, "probabilities": {"yes": 1.0}},
        ),
        ("regression", {"prediction": 12.5}),
        ("clustering", {"prediction": 3, "prediction_name": None}),
        (
            "several models",
            {
                "outputs": {
                    "segment": {"prediction": 2},
                    "will_spend": {"prediction": "yes", "prediction_name": "yes"},
                },
                "segment": 2,
                "will_spend": "yes",
            },
        ),
    ],
)
def test_projects_of_every_kind_have_sensible_pages(store, browser, name, outputs):
    """All of one class, values, clusters, and several models in one answer."""
    released(store)
    store.predictions.add(
        [
            prediction(f"p{place}", time=now() - timedelta(seconds=place), outputs=outputs)
            for place in range(12)
        ]
    )
    for path in LISTS:
        shown(browser, path)
    told = shown(browser, "/predictions/p3")
    assert {"one class": "yes", "regression": "12.5", "clustering": "3", "several models": "will_spend"}[
        name
    ] in told
    overview = browser.get("/dashboard/iris").text
    assert "12" in words(overview)


def test_a_version_without_a_known_metric_is_shown(store, browser):
    """A clustering has no metric with an interval, or a version may have none at all."""
    released(store, metrics={}, metric="silhouette", leaderboard=(), parity={})
    for path in ["", "/versions", "/versions/1", "/quality"]:
        shown(browser, path)


def test_overview_figures_are_what_sql_counts(store, browser, tmp_path):
    """Answered, refused, failed, warned, by version and by minute: the page and a query of the log agree."""
    released(store)
    rows = answered(150, version=1)
    rows += [prediction(f"r{place}", time=now() - timedelta(seconds=place), status=400) for place in range(9)]
    rows += [prediction(f"f{place}", time=now() - timedelta(seconds=place), status=500) for place in range(4)]
    rows += [prediction(f"s{place}", time=now(), role="challenger", version=2) for place in range(5)]
    store.predictions.add(rows)
    ours = "role IN ('champion', 'canary')"

    def sql(question):
        with store._database.read() as connection:
            return connection.execute(text(f"SELECT {question}")).scalar()

    told = shown(browser, "")
    total = sql(f"count(*) FROM mw_predictions WHERE {ours}")
    failed = sql(f"count(*) FROM mw_predictions WHERE status >= 500 AND {ours}")
    refused = sql(f"count(*) FROM mw_predictions WHERE status BETWEEN 400 AND 499 AND {ours}")
    assert f"Answered in all {total} " in told
    assert f"{failed} failed, {refused} refused in the last hour" in told
    assert f"{100 * failed / total:.2f} %" in told
    good = sql(f"count(*) FROM mw_predictions WHERE status < 400 AND {ours}")
    assert f"answered refused warned 1 {good} {failed + refused} 0 " in told
    # each minute's bar, by class, as the table below the chart says it
    for line in re.findall(r"(\d+ \w+ \d\d:\d\d) UTC (\d+) (\d+) (\d+)", told):
        moment = datetime.strptime(f"{now().year} {line[0]}", "%Y %d %b %H:%M").replace(tzinfo=UTC)
        start = int(moment.timestamp()) * 1_000_000
        inside = f"FROM mw_predictions WHERE {ours} AND time >= {start} AND time < {start + 60_000_000}"
        counts = [
            sql(f"count(*) {inside} AND outputs LIKE '%\"no\"%'"),
            sql(f"count(*) {inside} AND outputs LIKE '%\"yes\"%'"),
            sql(f"count(*) {inside} AND status >= 400"),
        ]
        assert [int(number) for number in line[1:]] == counts, line


def test_the_list_shows_what_the_log_says(store, browser):
    """Filters narrow the list to the rows that fit, and paging reaches every one of them once."""
    released(store)
    rows = answered(130)
    store.predictions.add(
        [*rows, prediction("r1", time=now(), status=422, inputs="odd", outputs={"error": "no"})]
    )
    store.labels.add("iris", "p0007", 1)
    seen = []
    path = "/dashboard/iris/predictions?answer=yes"
    while path:
        page = browser.get(path).text
        seen += re.findall(r'predictions/(p\d+)"', page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert sorted(seen) == sorted(row.id for row in rows if row.outputs["prediction_name"] == "yes")
    assert re.findall(
        r'predictions/(\w+)"', browser.get("/dashboard/iris/predictions?show=refused").text
    ) == ["r1"]
    assert re.findall(
        r'predictions/(\w+)"', browser.get("/dashboard/iris/predictions?show=labelled").text
    ) == ["p0007"]
    assert "Found: p0007" in shown(browser, "/predictions?id=p0007")
    assert "Did you mean" in shown(browser, "/predictions?id=p00121")


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "version=two", "version=99999999999999", "before=gone", "until=2026-13-45T00:00"],
)
def test_an_address_typed_wrong_is_told(store, browser, query):
    """What cannot be understood is said, and nothing fails."""
    released(store)
    store.predictions.add(answered(3))
    response = browser.get(f"/dashboard/iris/predictions?{query}")
    assert response.status_code == 200
    assert 'role="alert"' in response.text


def test_what_is_not_there_is_said(browser):
    """A wrong project, prediction, version, job or file is a page that says so, with 404."""
    for path in [
        "/nobody",
        "/iris/predictions/none",
        "/iris/versions/9",
        "/iris/versions/x",
        "/iris/jobs/none",
        "/iris/versions/1/files/..%2f..%2fstore.db",
        "/-/static/app.py",
    ]:
        response = browser.get(f"/dashboard{path}")
        assert response.status_code == 404, path
        assert "Not here" in response.text


def test_files_of_reports_are_plots_and_reports_only(store, browser, tmp_path):
    """Nothing else of the working folder can be had, and a report runs nothing."""
    folder = tmp_path / "work" / "reports" / "v1"
    folder.mkdir(parents=True)
    (folder / "roc.png").write_bytes(b"\x89PNG")
    (folder / "report.html").write_text("<h1>Report</h1><script>alert(1)</script>")
    (folder / "learned.npy").write_bytes(b"x")
    (tmp_path / "work" / "secret.png").write_bytes(b"x")
    base = "/dashboard/iris/versions/1/files"
    assert browser.get(f"{base}/roc.png").headers["content-type"] == "image/png"
    report = browser.get(f"{base}/report.html")
    assert "sandbox" in report.headers["content-security-policy"]
    assert "script-src" not in report.headers["content-security-policy"]
    for name in ["learned.npy", "../../secret.png", "..%2f..%2fsecret.png", "%2fetc%2fpasswd"]:
        assert browser.get(f"{base}/{name}").status_code == 404, name


def test_every_page_carries_the_strict_policy(store, browser):
    """No inline script or style is allowed, nor any other host, nor a frame around the page."""
    released(store)
    store.predictions.add(answered(2))
    paths = [
        *(f"/dashboard/iris{path}" for path in LISTS),
        "/dashboard/-/static/app.js",
        "/dashboard/iris/versions/9",
    ]
    for path in paths:
        policy = browser.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy


def hostile_project(store):
    """Everything a user can name, type or send holds markup."""
    released(
        store,
        estimator=HOSTILE,
        metrics={HOSTILE: Metric(0.5, 0.4, 0.6)},
        metric=HOSTILE,
        decision=decision(Verdict.ACCEPTED, HOSTILE),
        environment={HOSTILE: HOSTILE},
        run_id=HOSTILE,
        git_commit=HOSTILE,
        leaderboard=({"model": HOSTILE, "candidate": HOSTILE, "reason": HOSTILE, "estimator": HOSTILE},),
    )
    store.releases.append("iris", 1, reason=HOSTILE, actor=HOSTILE)
    names = {
        "prediction": HOSTILE,
        "prediction_name": HOSTILE,
        "probabilities": {HOSTILE: 0.5},
        "confidence": 0.5,
    }
    warned = ({"loc": ["features", HOSTILE], "msg": HOSTILE, "type": "x", "input": HOSTILE},)
    store.predictions.add(
        [
            prediction(
                "good", time=now(), inputs={HOSTILE: HOSTILE}, outputs=names, warnings=warned, client=HOSTILE
            ),
            prediction(
                "several", time=now(), inputs=[HOSTILE], outputs={"outputs": {HOSTILE: names}, HOSTILE: 1}
            ),
            prediction(
                "bad", time=now(), inputs=HOSTILE, outputs={"error": HOSTILE}, status=400, protocol=HOSTILE
            ),
        ]
    )
    store.labels.add("iris", "good", HOSTILE, client=HOSTILE)
    job = store.jobs.add("iris", trigger=HOSTILE, reason=HOSTILE)
    store.jobs.move(job.id, JobState.FAILED, error=HOSTILE)
    store.events.add(
        "iris",
        "duel",
        HOSTILE,
        {
            "version": 1,
            "champion": 1,
            "reasons": [HOSTILE],
            "job": job.id,
            "models": {HOSTILE: {HOSTILE: HOSTILE}},
        },
    )
    finding = {
        "name": HOSTILE,
        "topic": "values",
        "measure": "psi",
        "size": 0.5,
        "threshold": 0.2,
        "drifted": True,
        "p_value": 0.0,
        "about": HOSTILE,
        "rows": 9,
        "rows_before": 9,
    }
    shares = {"names": [HOSTILE], "before": [0.5], "now": [0.9]}
    store.events.add("iris", "drift", HOSTILE, {"name": HOSTILE, "topic": HOSTILE, "shares": shares})
    moment = {"since": now() - timedelta(hours=1), "until": now(), "project": "iris", "version": 1, "rows": 9}
    store.windows.add(
        WindowRecord(
            kind="drift", data={"message": HOSTILE, "findings": [finding], "untested": [HOSTILE]}, **moment
        )
    )
    metric = {"value": 0.5, "low": 0.4, "high": 0.6}
    data = {
        "metrics": {HOSTILE: metric},
        "confusion": {"labels": [HOSTILE, "b"], "table": [[1, 2], [0, 3]]},
        "classes": [{"label": HOSTILE, "rows": 1, "answered": 1, "recall": metric, "precision": metric}],
        "segments": [{"column": HOSTILE, "value": HOSTILE, "rows": 3, "metrics": {HOSTILE: metric}}],
        "calibration": [{"confidence": 0.5, "right": 0.5, "rows": 2}],
        "coverage": {"predictions": 3, "labelled": 1, "median_delay": None},
    }
    store.windows.add(WindowRecord(kind="quality", model=HOSTILE, data=data, **moment))
    return job.id


def test_nothing_that_was_sent_becomes_markup(store, tmp_path):
    """An XSS test a page: names, categories, text, reasons and file names are only ever text."""
    job = hostile_project(store)
    folder = tmp_path / "work" / "reports" / "v1"
    folder.mkdir(parents=True)
    (folder / "a\"'><img src=x onerror=alert(1)>.png").write_bytes(b"x")
    (folder / "model-card.md").write_text(HOSTILE)
    log = tmp_path / "work" / "retrain" / f"{job}.log"
    log.parent.mkdir(parents=True)
    log.write_text(HOSTILE)
    browser = Browser(
        InProcess(store, tmp_path / "work", [Room("iris", "iris", tmp_path / "work", "", None)])
    )
    paths = [
        *LISTS,
        "/predictions/good",
        "/predictions/several",
        "/predictions/bad",
        "/versions/1",
        f"/jobs/{job}",
        "/predictions?answer=%3Cscript%3Ealert(1)%3C/script%3E&since=%22%3E%3Cimg%20src=x%3E&id=",
        "/predictions?id=%3Cscript%3Ealert(1)%3C/script%3E",
        "?said=%3Cscript%3Ealert(1)%3C/script%3E",
        "?range=%22%3E%3Cscript%3E",
    ]
    for path in paths:
        response = browser.get(f"/dashboard/iris{path}")
        assert response.status_code == 200, (path, words(response.text)[:400])
        assert markup_faults(response.text) == [], path
        assert "<script>alert" not in response.text, path
        assert "<img src=x" not in response.text, path
    for path in ["", "/quality", "/drift", "/versions", "/predictions/good", f"/jobs/{job}"]:
        assert "<script>alert(1)</script>" in words(browser.get(f"/dashboard/iris{path}").text), path
    assert browser.get("/dashboard/%3Cscript%3Ealert(1)%3C%2Fscript%3E").status_code == 404
    assert markup_faults(browser.get("/dashboard/%3Cscript%3Ealert(1)%3C%2Fscript%3E").text) == []


def test_each_page_of_the_navigation_is_there(store, browser):
    """All eight pages are reached from the overview."""
    released(store)
    html = browser.get("/dashboard/iris").text
    for page in PAGES:
        if page.symbol:
            assert f'href="/dashboard/iris{page.path}"' in html
    assert sum(bool(page.symbol) for page in PAGES) == len(LISTS)


def test_several_projects_are_listed(store, tmp_path):
    """With more than one, the first page is the list of all; with one, its overview."""
    released(store)
    rooms = [Room(name, name, tmp_path / "work", "", None) for name in ("iris", "fraud")]
    browser = Browser(InProcess(store, tmp_path / "work", rooms))
    told = words(browser.get("/dashboard").text)
    assert "iris Version 1 is ready." in told
    assert "fraud Nothing answers yet." in told
    assert "Nothing answers yet." in words(browser.get("/dashboard/fraud").text)
