"""Every question about the log is answered from an index, however long the log."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import func, literal, select, text, tuple_

from modelwright.store.engine import open_store
from modelwright.store.repositories.predictions import following_query, history_query
from modelwright.store.tables import predictions
from modelwright.testing.factories import NOON, prediction

from .conftest import DATABASES, database_of

ROWS = 20_000
FILTERS = [
    ({}, "by_time"),
    ({"version": 2}, "by_version"),
    ({"labelled": True}, "by_labelled"),
    ({"since": NOON, "until": NOON + timedelta(hours=1)}, "by_time"),
    ({"version": 2, "since": NOON}, "by_version"),
    ({"labelled": True, "until": NOON + timedelta(hours=1)}, "by_labelled"),
    ({"answer": "rare"}, "by_answer"),
    ({"answer": "rare", "since": NOON}, "by_answer"),
    ({"refused": True}, "refused"),
    ({"warned": True, "until": NOON + timedelta(hours=1)}, "warned"),
]


@pytest.fixture(scope="module", params=DATABASES)
def full(request, tmp_path_factory):
    """A database with a log long enough that reading it all would be chosen only for want of an index.

    It is only read, and so it is made once for all of these tests.
    """
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        url = server.create_database()
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'store.db'}"
    with closing(open_store(url)) as store:
        store.predictions.add(
            [
                prediction(
                    f"{place:08d}",
                    version=1 + place % 50,
                    time=NOON + timedelta(seconds=place),
                    status=400 if place % 500 == 0 else 200,
                    outputs={"prediction": "rare" if place % 300 == 7 else "frequent"},
                    warnings=({"msg": "odd"},) if place % 400 == 3 else (),
                )
                for place in range(ROWS)
            ]
        )
        for place in range(0, ROWS, 400):
            store.labels.add("iris", f"{place:08d}", 1)
    database = database_of(url)
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("ANALYZE"))
    yield database
    database.engine.dispose()
    if request.param == "postgres":
        server.drop_database(url)


def plan(database, statement):
    """What the database would do."""
    with database.read() as connection:
        asked = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
        how = "EXPLAIN QUERY PLAN " if database.engine.dialect.name == "sqlite" else "EXPLAIN "
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(how + asked.replace("%", "%%")))


@pytest.mark.parametrize("paged", [False, True])
def test_history_uses_an_index_for_every_filter(full, paged):
    """Neither the first page nor a later one reads the whole log or sorts it."""
    for filters, index in FILTERS:
        statement = history_query("iris", **filters).limit(100)
        if paged:
            place = tuple_(literal(1_767_355_210_000_000), literal("00000010"))
            statement = statement.where(tuple_(predictions.c.time, predictions.c.id) < place)
        told = plan(full, statement)
        assert f"mw_predictions_{index}" in told, (filters, told)
        assert "TEMP B-TREE" not in told and "Sort" not in told and "Seq Scan" not in told, (filters, told)


def test_following_the_log_uses_the_index_of_time(full):
    """Reading on from a place neither sorts nor reads what lies before."""
    told = plan(full, following_query("iris", after=(NOON, "00000010")).limit(100))
    assert "mw_predictions_by_time" in told
    assert "TEMP B-TREE" not in told and "Sort" not in told and "Seq Scan" not in told


def test_several_filters_together_never_read_the_whole_log(full):
    """Version, label and time at once go through one of the indices."""
    told = plan(full, history_query("iris", version=2, labelled=True, since=NOON).limit(100))
    assert "mw_predictions_by_" in told
    assert "TEMP B-TREE" not in told
    assert "Seq Scan" not in told


def test_counting_stays_in_the_index(full):
    """A count of a version does not touch the rows themselves where the engine can tell."""
    statement = select(func.count()).where(predictions.c.project == "iris", predictions.c.version == 2)
    assert "mw_predictions_by_version" in plan(full, statement.select_from(predictions))
