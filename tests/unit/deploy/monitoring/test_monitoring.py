"""The rendered monitoring set-up: valid for the programs that read it, and a test for every rule."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from modelwright.deploy.monitoring.render import render
from modelwright.deploy.monitoring.settings import MonitoringInvalid, MonitoringSettings, floors_of
from modelwright.deploy.writing import write_files
from modelwright.project.model import ProjectFile

KINDS = {"timeseries", "stat", "bargauge", "table"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set-up with a metric of either direction, keys and two servers."""
    settings = MonitoringSettings(
        project="fraud",
        targets=("127.0.0.1:5000", "[::1]:5001"),
        https=True,
        key_file="/etc/prometheus/key",
        retrain_key_file="/etc/alertmanager/key",
        docs="https://docs.example",
        floors={"f1": 0.9, "log_loss": 0.4},
        higher={"f1": True, "log_loss": False},
    )
    made = tmp_path_factory.mktemp("monitoring")
    write_files(render(settings), made)
    return made


def run(*command: str | Path) -> str:
    """Run a program of Prometheus's; its words."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed (scripts/system-packages installs it)")
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_prometheus_and_alertmanager_take_their_files(folder: Path) -> None:
    """Their own programs check them, and every rule's test passes."""
    key = 'credentials_file: "?/?[^\n]+'
    text = (folder / "prometheus/prometheus.yml").read_text()
    plain = folder / "prometheus/without-key.yml"
    plain.write_text(re.sub(r"    authorization:\n      credentials_file.*\n", "", text))
    run("promtool", "check", "config", plain)
    run("promtool", "test", "rules", folder / "prometheus/tests/modelwright_test.yml")
    run("amtool", "check-config", folder / "alertmanager/alertmanager.yml")
    assert re.search(key, text) or "credentials_file: '/etc/prometheus/key'" in text


def test_every_rule_has_a_test(folder: Path) -> None:
    """No alert is in the rules that the tests do not name."""
    rules = yaml.safe_load((folder / "prometheus/rules/modelwright.yml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    tests = (folder / "prometheus/tests/modelwright_test.yml").read_text()
    assert len(alerts) == 9
    assert {alert for alert in alerts if alert not in tests} == set()


def test_every_alert_links_to_what_is_to_be_done(folder: Path) -> None:
    """Each has a section of its own in the documentation; without its address there is no link at all."""
    page = (Path(__file__).parents[4] / "docs/howto/alerts.md").read_text()
    known = {line.removeprefix("## ").lower() for line in page.splitlines() if line.startswith("## ")}
    rules = yaml.safe_load((folder / "prometheus/rules/modelwright.yml").read_text())
    for rule in [rule for group in rules["groups"] for rule in group["rules"]]:
        address, _, section = rule["annotations"]["runbook_url"].partition("#")
        assert address == "https://docs.example/howto/alerts.html"
        assert section in known
        assert rule["alert"].lower().startswith(section)
    plain = render(MonitoringSettings(project="p", floors={"f1": 0.9}))
    assert "runbook_url" not in "".join(plain.values())


VARIABLE = re.compile(r"\$(?:\{(\w+)|(\w+))")
OWN = {"__rate_interval", "__interval", "__range", "__all"}
UNITS = {"short", "reqps", "percentunit", "s", "bytes"}


def test_dashboards_stand_on_what_is_there(folder: Path) -> None:
    """Variables are declared and data sources provisioned; every line has a name and every panel a unit."""
    sources = yaml.safe_load((folder / "grafana/provisioning/datasources/modelwright.yml").read_text())
    uids = {source["uid"] for source in sources["datasources"]}
    for file in (folder / "grafana/dashboards").iterdir():
        board = json.loads(file.read_text())
        declared = {each["name"] for each in board["templating"]["list"]}
        text = json.dumps([board["panels"], board["templating"]])
        used = {one or other for one, other in VARIABLE.findall(text)} - OWN
        assert used == declared, file.name  # none is missing, and none is there for nothing
        assert {each["datasource"]["uid"] for each in board["templating"]["list"]} <= uids
        for panel in board["panels"]:
            assert panel["datasource"]["uid"] in uids
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
            names = [target["legendFormat"] for target in panel["targets"]]
            assert all(names) and "__auto" not in names, panel["title"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_dashboards_are_whole(folder: Path) -> None:
    """Ids are unique, no panel lies over another or out of the grid, each has queries of the data source."""
    for file in (folder / "grafana/dashboards").iterdir():
        board = json.loads(file.read_text())
        taken: set[tuple[int, int]] = set()
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
            taken |= cells
            assert panel["type"] in KINDS and panel["targets"], panel["title"]
            for target in panel["targets"]:
                assert target["expr"] and target["datasource"]["uid"] == "modelwright-prometheus"


@pytest.mark.parametrize(
    "wrong",
    [{"targets": ("http://a:1",)}, {"interval": "soon"}, {"key_file": "a'b"}, {"alertmanager": "a b:1"}],
)
def test_what_would_break_a_file_is_refused(wrong: dict[str, object]) -> None:
    """Before anything is written."""
    with pytest.raises(MonitoringInvalid):
        MonitoringSettings(project="p", **wrong)  # type: ignore[arg-type]


def test_limits_come_from_the_project_file() -> None:
    """What starts a retraining, else what a version must reach; each with its direction."""
    data = {"source": "a.csv", "target": "y"}
    gate = ProjectFile.model_validate({"name": "p", "data": data, "gate": {"floors": {"rmse": 3}}})
    assert floors_of(gate) == ({"rmse": 3.0}, {"rmse": False})
    both = gate.model_copy(
        update={"retrain": gate.retrain.model_copy(update={"quality": {"f1": 0.9, "window": 9}})}
    )
    assert floors_of(both) == ({"f1": 0.9}, {"f1": True})
