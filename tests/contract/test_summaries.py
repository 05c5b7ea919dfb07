"""Counts by minute and hour say what the log holds, in every store."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from modelwright.store.engine import open_store
from modelwright.store.migrate import alembic_config
from modelwright.store.records import Numbers
from modelwright.store.summaries import BOUNDS, HOUR, MINUTE, quantile, summarise, together
from modelwright.testing.factories import NOON, prediction

from .conftest import database_of

NAMES = ("setosa", "versicolor", "virginica")


def log(count: int = 300):
    """Rows of two hours: three classes, two versions, a canary, refusals and warnings."""
    rows = []
    for place in range(count):
        name = NAMES[place % 3]
        status = 400 if place % 17 == 0 else 500 if place % 101 == 100 else 200
        rows.append(
            prediction(
                f"p{place:04d}",
                version=1 + (place > 200),
                time=NOON + timedelta(seconds=24 * place),
                status=status,
                outputs={"prediction": place % 3, "prediction_name": name}
                if status == 200
                else {"error": "no"},
                warnings=({"msg": "odd"},) if place % 5 == 0 else (),
                latency=1e-4 * (1 + place % 40),
                role="canary" if place % 29 == 0 else "champion",
            )
        )
    return rows


@pytest.mark.parametrize("span", [MINUTE, HOUR])
def test_summaries_equal_a_count_of_the_log(store, span):
    """Every figure of every span is what counting the rows gives."""
    rows = log()
    for start in range(0, len(rows), 70):
        store.predictions.add(rows[start : start + 70])
    found = store.summaries.list("iris", span=span)
    whole = together(found)
    good = [row for row in rows if row.status == 200]
    assert whole.answered == len(good)
    assert whole.refused == len(rows) - len(good)
    assert whole.failed == sum(row.status == 500 for row in rows)
    assert whole.warned == sum(bool(row.warnings) for row in rows)
    assert whole.seconds == pytest.approx(sum(row.latency for row in good))
    assert whole.answers[""].classes == Counter(row.outputs["prediction_name"] for row in good)
    assert sum(whole.latency.values()) == len(good)
    for record in found:
        inside = [
            row
            for row in rows
            if record.start <= row.time < record.start + timedelta(seconds=span)
            and (row.version, row.role) == (record.version, record.role)
        ]
        assert record.answered + record.refused == len(inside) > 0


def test_what_is_delivered_twice_is_counted_once(store):
    """Counts follow the rows that are new, also where half of a delivery was there before."""
    rows = log(60)
    store.predictions.add(rows[:40])
    store.predictions.add(rows[20:])
    store.predictions.add(rows)
    store.predictions.add([rows[0], rows[0]])
    whole = together(store.summaries.list("iris", span=MINUTE))
    assert whole.answered + whole.refused == 60 == store.predictions.count("iris")


def test_totals_are_the_hours_together(store):
    """By version and role, with the first hour."""
    store.predictions.add(log())
    totals = store.summaries.totals("iris")
    hours = store.summaries.list("iris", span=HOUR)
    assert {(each.version, each.role) for each in totals} == {(each.version, each.role) for each in hours}
    for each in totals:
        mine = [hour for hour in hours if (hour.version, hour.role) == (each.version, each.role)]
        assert each.answered == sum(hour.answered for hour in mine)
        assert each.start == mine[0].start
    assert store.summaries.totals("nobody") == []


def test_a_range_holds_the_spans_that_begin_in_it(store):
    """The beginning is included, the end is not."""
    store.predictions.add(log())
    starts = sorted({record.start for record in store.summaries.list("iris", span=MINUTE)})
    found = store.summaries.list("iris", span=MINUTE, since=starts[3], until=starts[6])
    assert {record.start for record in found} == set(starts[3:6])


def test_pruning_lets_go_of_minutes_and_keeps_hours(store):
    """Old minutes go; what the hours say, and what the log held, stays known."""
    store.predictions.add(log())
    before = store.summaries.totals("iris")
    gone = store.summaries.prune("iris", older_than=NOON + timedelta(hours=1))
    assert gone > 0
    left = store.summaries.list("iris", span=MINUTE)
    assert left and all(record.start >= NOON + timedelta(hours=1) - timedelta(minutes=1) for record in left)
    store.predictions.prune("iris", keep=1)
    assert store.summaries.totals("iris") == before


def test_regressions_and_several_models_are_counted(store):
    """Values by their moments, each model under its name, also where the answer comes as JSON."""
    several = {
        "outputs": {"kind": {"prediction": "a"}, "price": {"prediction": 2.5}},
        "kind": "a",
        "price": 2.5,
    }
    store.predictions.add(
        [
            prediction("a", outputs={"prediction": 1.5}),
            prediction("b", outputs=msgspec.Raw(b'{"prediction":2.5}')),
            prediction("c", outputs=several),
            prediction("d", outputs=msgspec.Raw(msgspec.json.encode(several))),
            prediction("e", outputs=msgspec.Raw(b'{"prediction":4,"prediction_name":null,"outputs":7}')),
        ]
    )
    answers = together(store.summaries.list("iris", span=HOUR)).answers
    assert answers[""].numbers == Numbers(2, 4.0, 8.5, 1.5, 2.5)
    assert answers[""].classes == {"4": 1}
    assert answers["kind"].classes == {"a": 2}
    assert answers["price"].numbers == Numbers(2, 5.0, 12.5, 2.5, 2.5)


def test_the_log_is_searched_by_answer_refusal_and_warning(store):
    """Each filter alone, together, and from page to page."""
    rows = log()
    store.predictions.add(rows)
    newest = sorted(rows, key=lambda row: (row.time, row.id), reverse=True)
    kinds = [
        ({"answer": "setosa"}, lambda row: row.status == 200 and row.outputs["prediction_name"] == "setosa"),
        ({"refused": True}, lambda row: row.status >= 400),
        ({"warned": True}, lambda row: bool(row.warnings)),
        ({"warned": True, "version": 2}, lambda row: bool(row.warnings) and row.version == 2),
        ({"answer": "no such"}, lambda row: False),
    ]
    for filters, wanted in kinds:
        expected = [row.id for row in newest if wanted(row)]
        found: list[str] = []
        while len(found) < len(expected):
            page = store.predictions.history("iris", limit=7, before=found[-1] if found else None, **filters)
            assert page, (filters, len(found))
            found += [row.id for row in page]
        assert found == expected


def test_an_older_log_is_counted_when_its_tables_are_brought_up(url):
    """A store of the release before keeps its rows, and gets the counts and the answers to search by."""
    from alembic import command

    with closing(open_store(url)) as store:
        store.predictions.add(log())
        expected = store.summaries.list("iris", span=MINUTE), store.summaries.list("iris", span=HOUR)
    database = database_of(url)
    with database.write() as connection:
        command.downgrade(alembic_config(connection), "0002")
    database.engine.dispose()
    with closing(open_store(url)) as store:
        found = store.summaries.list("iris", span=MINUTE), store.summaries.list("iris", span=HOUR)
        assert [[(r.start, r.version, r.role, r.answered, r.latency) for r in each] for each in found] == [
            [(r.start, r.version, r.role, r.answered, r.latency) for r in each] for each in expected
        ]
        assert len(store.predictions.history("iris", answer="setosa", limit=500)) > 50
    database = database_of(url)
    with database.read() as connection:
        wrong = connection.execute(
            text("SELECT count(*) FROM mw_predictions WHERE (answer IS NULL) <> (status >= 400)")
        ).scalar()
    database.engine.dispose()
    assert wrong == 0


@given(st.lists(st.floats(1e-6, 80.0), min_size=1, max_size=80), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_a_tight_bound(latencies, share):
    """Never below the true quantile, and at most one step of the series above it."""
    rows = [prediction(str(place), latency=value) for place, value in enumerate(latencies)]
    [whole] = [counted for key, counted in summarise(rows).items() if key[1] == HOUR]
    bound = quantile(whole.latency, share)
    ordered = sorted(latencies)
    true = ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]
    assert bound is not None
    assert bound >= true
    assert bound <= max(1.3 * true, BOUNDS[0])
