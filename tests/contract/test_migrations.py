"""Tables come to be by migration, and are then exactly what the code says they are."""

from __future__ import annotations

from contextlib import closing

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from modelwright.store.engine import open_store
from modelwright.store.errors import StoreTooNew, StoreTooOld, StoreUnavailable
from modelwright.store.migrate import alembic_config
from modelwright.store.migrations import HEAD, REVISIONS, VERSION_TABLE
from modelwright.store.postgres import PostgresDatabase
from modelwright.store.sqlite import SqliteDatabase
from modelwright.store.tables import metadata
from modelwright.testing.factories import version

from .conftest import database_of


def condition(index):
    """Which rows a partial index holds."""
    return [str(value) for name, value in sorted(index["dialect_options"].items()) if name.endswith("_where")]


def description(connection):
    """Everything a database says about our tables, in an order of its own."""
    inspector = inspect(connection)
    return {
        name: {
            "columns": [
                {**column, "type": str(column["type"])}
                for column in sorted(inspector.get_columns(name), key=lambda column: column["name"])
            ],
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": inspector.get_foreign_keys(name),
            "unique": sorted(map(str, inspector.get_unique_constraints(name))),
            "checks": sorted(map(str, inspector.get_check_constraints(name))),
            "indices": sorted(
                (index["name"], index["column_names"], index["unique"], condition(index))
                for index in inspector.get_indexes(name)
            ),
        }
        for name in inspector.get_table_names()
        if name != VERSION_TABLE
    }


def test_migrated_tables_equal_made_ones(url):
    """Migrating from nothing gives the very tables that the metadata describes."""
    open_store(url).close()
    database = database_of(url)
    with database.write() as connection:
        migrated = description(connection)
        metadata.drop_all(connection)
        metadata.create_all(connection)
        made = description(connection)
    database.engine.dispose()
    assert set(migrated) == set(metadata.tables)
    assert migrated == made


def test_no_migration_is_missing(url):
    """Alembic finds nothing that the metadata has and the migrations do not."""
    open_store(url).close()
    database = database_of(url)
    with database.write() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        command.check(alembic_config(connection))
    database.engine.dispose()


def test_the_list_of_revisions_is_the_scripts_own(url):
    """What is told without Alembic is what Alembic would tell."""
    database = database_of(url)
    with database.read() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
    database.engine.dispose()
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS
    assert scripts.get_current_head() == HEAD


def test_labels_of_before_are_told_apart(url):
    """A database of the first revision learns what became of each label it has."""
    database = database_of(url)
    with database.write() as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.execute(
            text(
                "INSERT INTO mw_predictions (project, id, version, time, status, labelled, inputs, outputs,"
                " warnings, latency, client, protocol, role)"
                " VALUES ('iris', 'a', 1, 1, 200, true, '{}', '{}', '[]', 0, '', '', '')"
            )
        )
        for place, (id, client) in enumerate(
            [("a", "ann"), ("a", "bob"), ("a", "ann"), ("a", "operator:eve"), ("b", "ann")]
        ):
            connection.execute(
                text(
                    "INSERT INTO mw_labels (project, prediction_id, target, received, client)"
                    " VALUES ('iris', :id, :target, 5, :client)"
                ),
                {"id": id, "target": str(place), "client": client},
            )
    database.engine.dispose()
    with closing(open_store(url)) as store:
        assert (store.labels.count("iris"), store.labels.orphans("iris")) == (1, 1)
        assert [label.target for label in store.labels.get("iris", "a")] == [0, 1, 2, 3]
    database = database_of(url)
    with database.read() as connection:
        told = connection.execute(text("SELECT outcome, joined FROM mw_labels ORDER BY sequence")).all()
    database.engine.dispose()
    assert [row.outcome for row in told] == ["joined", "contradicting", "corrected", "corrected", "orphan"]
    assert [row.joined for row in told] == [5, None, None, None, None]


def test_going_down_leaves_no_table_behind(url):
    """The first revision can be undone."""
    open_store(url).close()
    database = database_of(url)
    with database.write() as connection:
        command.downgrade(alembic_config(connection), "base")
        assert set(inspect(connection).get_table_names()) <= {VERSION_TABLE}
    database.engine.dispose()
    open_store(url).close()


def test_opening_again_keeps_what_is_there(url):
    """A second opening finds the rows of the first."""
    with closing(open_store(url)) as store:
        store.versions.add(version(1))
    with closing(open_store(url)) as store:
        assert store.versions.latest("iris") == version(1)


def test_a_newer_release_was_here(url):
    """A revision that this release does not know is refused with the advice to upgrade."""
    open_store(url).close()
    database = database_of(url)
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    database.engine.dispose()
    for migrate in (True, False):
        with pytest.raises(StoreTooNew, match="newer release") as refused:
            open_store(url, migrate=migrate)
        assert "pip install --upgrade modelwright" in refused.value.instruction
        assert isinstance(refused.value, StoreUnavailable)


def test_tables_are_not_made_unasked(url):
    """With migrate=False an empty database is an error, and stays empty."""
    database = database_of(url)
    with pytest.raises(StoreTooOld, match="no tables"):
        open_store(url, migrate=False)
    with database.read() as connection:
        assert inspect(connection).get_table_names() == []
    database.engine.dispose()


def test_other_peoples_tables_are_left_alone(url):
    """The database may be shared, with MLflow for one, whose tables have plain names."""
    database = database_of(url)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("CREATE TABLE jobs (id TEXT)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('c48cb773bb87')"))
    with closing(open_store(url)) as store:
        store.jobs.add("iris", trigger="manual", reason="")
    with database.write() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "c48cb773bb87"
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar() == 0
        command.check(alembic_config(connection))
    database.engine.dispose()


def test_both_kinds_are_tested(url):
    """The address decides the kind."""
    database = database_of(url)
    assert isinstance(database, SqliteDatabase if url.startswith("sqlite") else PostgresDatabase)
    database.engine.dispose()
