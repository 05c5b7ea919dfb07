"""A year in minutes: the service is left alone with a world that changes, and must make the best of it."""

from __future__ import annotations

import pytest

from acceptance.program import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PATIENCE = "180"


def by_season(told):
    """What became of each season, by its name."""
    return {account["season"]: account for account in told}


def states(account):
    """How its retrainings ended."""
    return [job["state"] for job in account["jobs"]]


def test_a_year_of_flowers(tmp_path):
    """Calm is calm; each shift is named, retrained on and judged; what can be learned is, and answers."""
    place = tmp_path / "year"
    done = run(
        "demo", "loop", "--into", place, "--calm", "700", "--patience", PATIENCE, "--json", timeout=800
    )
    assert done.code == 0, f"{done.out}\n{done.err}"
    year = by_season(done.json)
    assert list(year) == ["spring", "summer", "autumn", "winter"]
    assert (year["spring"]["noticed"], year["spring"]["jobs"]) == ([], [])
    assert {"petal_length", "petal_width"} <= {alarm["name"] for alarm in year["summer"]["noticed"]}
    assert {"promoted", "rejected"} >= set(states(year["summer"])) != set()
    for season in ("autumn", "winter"):
        assert "promoted" in states(year[season])
        assert any(alarm["kind"] == "quality" for alarm in year[season]["noticed"])
    assert "Look at it while the year goes by: http://127.0.0.1:" in done.err
    again = run("demo", "loop", "--into", place)
    assert (again.code, "is not empty" in again.err) == (2, True)


def test_a_year_of_real_payments(tmp_path, shared_data):
    """The sample, the later payments, two features on another scale, fraud reported as legitimate."""
    files = shared_data / "fraud"
    done = run(
        *("demo", "loop", "fraud", "--into", tmp_path / "year", "--json"),
        *("--sample", files / "creditcard_2023_sample.csv", "--later", files / "creditcard_2023_later.csv"),
        *("--calm", "700", "--patience", PATIENCE),
        timeout=800,
    )
    assert done.code == 0, f"{done.out}\n{done.err}"
    year = by_season(done.json)
    assert (year["spring"]["noticed"], year["spring"]["jobs"]) == ([], [])
    for season in ("summer", "autumn", "winter"):
        assert states(year[season]), season
    assert "promoted" in states(year["summer"])
