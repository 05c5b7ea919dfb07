"""What opening a store loads, in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import modelwright
from modelwright.store.engine import open_store


def loaded(code: str, *arguments: str) -> set[str]:
    """The names of the top-level modules that ``code`` loads."""
    program = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    here = {**os.environ, "PYTHONPATH": str(Path(modelwright.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True, env=here
    )
    return set(done.stdout.split())


def test_words_of_the_store_need_no_database_library():
    """Whoever only speaks of records, ports and errors does not load SQLAlchemy."""
    code = "import modelwright.store.records, modelwright.store.ports, modelwright.store.errors"
    assert not loaded(code) & {"sqlalchemy", "alembic", "psycopg"}


def test_the_double_needs_no_database_library():
    """The store in memory is light."""
    assert not loaded("import modelwright.testing.memory") & {"sqlalchemy", "alembic", "psycopg"}


def test_opening_a_store_that_is_up_to_date_loads_no_alembic(tmp_path):
    """Nor the driver of the other database."""
    open_store(path=tmp_path / "store.db").close()
    code = "from modelwright.store.engine import open_store; open_store(sys.argv[1]).close()"
    assert not loaded(code, f"sqlite:///{tmp_path / 'store.db'}") & {"alembic", "mako", "psycopg"}
