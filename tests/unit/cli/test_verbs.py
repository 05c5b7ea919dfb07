"""What each small verb gives, for people and as JSON."""

import json
import socket
import subprocess

import pytest

from modelwright.cli.data_show import histogram, number, share
from modelwright.cli.findings import _by_extra
from modelwright.store.engine import open_store


def test_init_makes_a_project_that_checks(mw, tmp_path, monkeypatch):
    """The folder's name, made plain, is the project's; a second init refuses."""
    monkeypatch.chdir(tmp_path)
    result = mw("init", "Mein Laden")
    assert result.code == 0
    assert "Made the project 'mein-laden'" in result.out
    assert mw("check", "Mein Laden").code == 0
    assert mw("init", "Mein Laden").code == 2


def test_check_tells_every_mistake(mw, tmp_path):
    """Exit status 3, each mistake on its line; in JSON too."""
    (tmp_path / "project.yaml").write_text("name: x y\ntask: regresion\ndata: {source: a, target: t}\n")
    result = mw("check", tmp_path, "--json")
    assert (result.code, result.out) == (3, "")
    details = json.loads(result.err.splitlines()[-1])["error"]["details"]
    assert [detail[:7] for detail in details] == ["line 1:", "line 2:"]


def test_check_warns_of_data_that_is_not_there(mw, project):
    """A project without its data is in order, with a warning."""
    result = mw("check", project)
    assert result.code == 0
    assert "data.source: there is no file" in result.err
    assert "is in order" in result.out


def test_schema_is_the_published_one(mw):
    """What is printed is a JSON document."""
    assert mw("schema").json["$id"] == "urn:modelwright:project:1"


def test_config_names_every_source(mw, project, monkeypatch):
    """Values with their source; passwords masked; unknown variables told."""
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", "postgresql://ann:secret@db/x")
    monkeypatch.setenv("MODELWRIGHT_PROT", "1")
    result = mw("config", project)
    assert "environment MODELWRIGHT_STORE_URL" in result.out
    assert "postgresql://ann:***@db/x" in result.out
    assert "secret" not in result.out + result.err
    assert "Did you mean MODELWRIGHT_PORT?" in result.err
    data = mw("config", project, "--json").json
    assert data["settings"]["port"] | {"description": ""} == {
        "value": 5000, "source": "default", "variable": "MODELWRIGHT_PORT", "description": "",
    }  # fmt: skip


def test_config_tells_who_may_ask_and_what_else_is_set(mw, project, monkeypatch):
    """Authentication with its source; what may hold a secret by its name only."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("MODELWRIGHT_AUTH", "keys")
    monkeypatch.setenv("MODELWRIGHT_ALARM_WEBHOOK_SECRET", "hush")
    result = mw("config", project)
    assert ["auth", "keys", "environment", "MODELWRIGHT_AUTH", "MODELWRIGHT_AUTH"] in [
        line.split() for line in result.out.splitlines()
    ]
    assert "MODELWRIGHT_ALARM_WEBHOOK_SECRET" in result.out
    assert "hush" not in result.out + result.err


def test_config_fits_a_narrow_terminal(mw, project, monkeypatch):
    """With 60 columns a path is folded into few lines, and how variables are called is told below."""
    monkeypatch.setenv("COLUMNS", "60")
    lines = mw("config", project).out.splitlines()
    assert max(map(len, lines)) <= 60
    assert "Variables: MODELWRIGHT_ and the name in capitals." in lines
    assert len(lines) < 60


def test_config_works_without_a_project(mw, tmp_path, monkeypatch):
    """Outside of a project the settings are those without one; a bad one is told."""
    monkeypatch.chdir(tmp_path)
    assert mw("config").code == 0
    monkeypatch.setenv("MODELWRIGHT_WORKERS", "many")
    result = mw("config")
    assert result.code == 3
    assert "environment MODELWRIGHT_WORKERS: 'many' is not a whole number." in result.err


def test_versions_are_listed_newest_first(mw, project):
    """Number, model, quality with interval, verdict, and which one is live."""
    lines = mw("versions", project).out.splitlines()
    assert [line.split()[0] for line in lines] == ["version", "3", "2", "1"]
    assert "accuracy 0.93 (0.85 to 0.99)" in lines[1]
    assert lines[1].endswith("rejected")
    assert "live" in lines[3]
    assert "below its floor of 0.95" in mw("versions", project, "--reasons").out
    data = mw("versions", project, "--json").json
    assert [(version["number"], version["live"]) for version in data] == [(3, False), (2, False), (1, True)]


def test_versions_of_nothing(mw, tmp_path):
    """A project without versions is no error, and looking makes no store."""
    (tmp_path / "project.yaml").write_text("name: new\ndata: {source: a, target: t}\n")
    result = mw("versions", tmp_path)
    assert (result.code, result.out) == (0, "")
    assert "has no version yet" in result.err
    assert mw("versions", tmp_path, "--json").json == []
    assert not (tmp_path / ".modelwright").exists()


def test_promote_changes_what_is_live(mw, project):
    """The release is kept with its reason, and an event says so."""
    result = mw("promote", 2, "-p", project, "--reason", "smaller")
    assert result.code == 0
    assert "Version 2 answers now; version 1 did before." in result.out
    with open_store(path=project / ".modelwright" / "store.db") as store:
        assert [(r.version, r.reason) for r in store.releases.list("sizes")] == [(2, "smaller"), (1, "first")]
        assert store.events.list("sizes")[0].kind == "promoted"
    assert "was live already" in mw("promote", 2, "-p", project).out


@pytest.mark.parametrize(
    ("version", "code", "says"), [(3, 5, "was rejected by the gate"), (9, 2, "has no version 9")]
)
def test_promote_refuses_what_may_not_be_served(mw, project, version, code, says):
    """Rejected and unknown versions are refused, and what was live stays live."""
    result = mw("promote", version, "-p", project)
    assert result.code == code
    assert says in result.err
    assert [v["number"] for v in mw("versions", project, "--json").json if v["live"]] == [1]


def test_promote_refuses_a_damaged_bundle(mw, project):
    """One changed byte keeps a version from being served."""
    path = project / ".modelwright" / "bundles" / "v2" / "encoding.json"
    path.write_bytes(path.read_bytes() + b" ")
    assert mw("promote", 2, "-p", project).code == 6
    assert [v["number"] for v in mw("versions", project, "--json").json if v["live"]] == [1]


def test_promote_refuses_another_bundle_in_its_place(mw, project, bundle_maker):
    """A whole bundle that is not the one registered is refused too."""
    import shutil

    place = project / ".modelwright" / "bundles" / "v2"
    shutil.rmtree(place)
    bundle_maker(place, models=("other",))
    result = mw("promote", 2, "-p", project)
    assert result.code == 6
    assert "is not the one that was registered" in result.err


def test_bundle_verify_says_what_it_is(mw, bundle):
    """A whole bundle is summed up; JSON holds its manifest."""
    result = mw("bundle", "verify", bundle)
    assert result.code == 0
    assert "every checksum right" in result.out
    assert "project  sizes, version 1" in result.out
    assert mw("bundle", "verify", bundle, "--json").json["models"][0]["estimator"] == "logistic_regression"


def test_bundle_verify_finds_a_changed_byte(mw, tmp_path, bundle_maker):
    """Damage and absence have exit status 6 and name the file."""
    place = bundle_maker(tmp_path / "v1")
    (place / "schema.json").write_bytes(b" " + (place / "schema.json").read_bytes())
    result = mw("bundle", "verify", place)
    assert (result.code, result.out) == (6, "")
    assert "schema.json" in result.err
    assert mw("bundle", "verify", tmp_path / "none").code == 6


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_with_its_place(mw, shell):
    """The script says how to keep it."""
    result = mw("completion", shell)
    assert result.code == 0
    assert "_MODELWRIGHT_COMPLETE" in result.out
    assert f"# To keep it: modelwright completion {shell} > " in result.out
    if shell == "zsh":
        assert result.out.startswith("#compdef modelwright")


def test_the_bash_script_parses(mw, tmp_path):
    """Bash accepts what is printed."""
    (tmp_path / "script").write_text(mw("completion", "bash").out)
    subprocess.run(["bash", "-n", tmp_path / "script"], check=True)


def test_data_show_names_each_column(mw, tmp_path):
    """Kind, missing share and range of a file without a project."""
    (tmp_path / "rows.csv").write_text(
        "amount,colour,id\n" + "".join(f"{n / 2},{'red' if n % 3 else '?'},r{n}\n" for n in range(60))
    )
    result = mw("data", "show", tmp_path / "rows.csv")
    assert result.code == 0, result.err
    assert "60 rows, 3 columns" in result.out
    lines = {line.split()[0]: line for line in result.out.splitlines() if line}
    assert "0 to 29.5, mean 14.75" in lines["amount"]
    assert "33.3 %" in lines["colour"]
    assert "'?' is taken for a missing value in: colour" in result.out
    data = mw("data", "show", tmp_path / "rows.csv", "--json").json
    assert [column["name"] for column in data["columns"]] == ["amount", "colour", "id"]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_data_show_fits_the_terminal(mw, tmp_path, monkeypatch, width):
    """No line is wider than the terminal, whatever the columns are called."""
    names = ["a very long name of a column, with a comma " * 2, "日本語の列" * 5, "x\ny"]
    header = ",".join(f'"{name}"' for name in names)
    (tmp_path / "rows.csv").write_text(
        header + "\n" + "".join(f"{n},word {n} of many,z{n % 2}\n" for n in range(50)), encoding="utf-8"
    )
    monkeypatch.setenv("COLUMNS", str(width))
    from rich.cells import cell_len

    result = mw("data", "show", tmp_path / "rows.csv")
    table = result.out.split("\n\n")[1].splitlines()
    assert max(map(cell_len, table)) <= width


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("columns", [3, 200])
def test_data_show_cuts_nothing_on_a_narrow_terminal(mw, tmp_path, monkeypatch, width, columns):
    """It shows a column in a few lines, also of two hundred: names, kinds, shares and values are whole."""
    kinds = ["the amount of 'order' {}, in €", "colour.{}", "V{}"]
    names = [kinds[n % 3].format(n) for n in range(columns)]
    cells = ["{}.5", "a rather long name of a colour {}", "{}"]
    lines = [
        ",".join("" if (row + n) % 4 == 0 else cells[n % 3].format(row % 7) for n in range(columns))
        for row in range(40)
    ]
    (tmp_path / "rows.csv").write_text(
        "\n".join([",".join(f'"{name}"' for name in names), *lines]), encoding="utf-8"
    )
    monkeypatch.setenv("COLUMNS", str(width))
    shown = mw("data", "show", tmp_path / "rows.csv", "--all").out
    told = " ".join(shown.split())
    for name in names:
        assert name in told
    assert "…" not in shown
    assert told.count("25.0 % missing") == columns
    assert "0.5 to 6.5, mean 3.4" in told
    assert "a rather long name of a colour 1 1" in told


def test_data_show_bounds_wide_tables(mw, tmp_path):
    """Two hundred columns are shown in part, and all of them with --all."""
    (tmp_path / "rows.csv").write_text(
        ",".join(f"c{n}" for n in range(200)) + "\n" + (",".join("12" for _ in range(200)) + "\n") * 3
        + ",".join("13" for _ in range(200)) + "\n"
    )  # fmt: skip
    assert "… and 140 more columns: --all shows them." in mw("data", "show", tmp_path / "rows.csv").out
    assert "c199" in mw("data", "show", tmp_path / "rows.csv", "--all").out


def test_numbers_read_well():
    """Shares and numbers keep the digits that say something."""
    assert [share(0, 0), share(0.0001, 3), share(0.9999, 5), share(1, 9)] == [
        "",
        "<0.1 %",
        ">99.9 %",
        "100.0 %",
    ]
    assert [number(3), number(-1.23456), number(123456.7), number(1e12), number(1e-9)] == [
        "3", "-1.235", "123,457", "1e+12", "1e-09",
    ]  # fmt: skip
    assert histogram([0, 1, 100]) == " ▁█"
    assert histogram([5]) == ""


def test_doctor_finds_nothing_wrong_with_a_sound_project(mw, project):
    """Data, folders, store, live bundle, tracking and port are looked at."""
    (project / "rows.csv").write_text("a,kind\n1,big\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (project / "project.yaml").write_text(
        (project / "project.yaml").read_text() + f"serve: {{port: {port}}}\n"
    )
    result = mw("doctor", project)
    assert result.code == 0, result.out
    assert "version 1 is live and its bundle is whole" in result.out
    assert "No problem was found." in result.out


def test_doctor_says_what_to_do(mw, project, monkeypatch):
    """Missing data, a damaged bundle, a port in use, a silent tracking server: each with its remedy."""
    path = project / ".modelwright" / "bundles" / "v1" / "encoding.json"
    path.write_bytes(path.read_bytes() + b" ")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("MODELWRIGHT_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("MODELWRIGHT_TRACKING_URI", "http://127.0.0.1:9/")
        monkeypatch.setattr("modelwright.cli.findings.PATIENCE", 0.2)
        result = mw("doctor", project, "--json")
    assert result.code == 1
    problems = {f["area"]: f for f in result.json["findings"] if f["status"] == "problem"}
    assert set(problems) == {"data", "store", "tracking", "port"}
    assert result.json["problems"] == 4
    assert all(finding["remedy"] for finding in problems.values())


def test_doctor_tells_a_mistaken_project_file(mw, tmp_path):
    """A file with mistakes is a problem of its own, with all of them."""
    (tmp_path / "project.yaml").write_text("name: x\ntsk: y\n")
    result = mw("doctor", tmp_path)
    assert result.code == 1
    assert "line 2: tsk: There is no such key. Did you mean 'task'?" in result.out


def test_doctor_looks_at_the_machine_without_a_project(mw, tmp_path, monkeypatch):
    """Outside of a project it is a note, not a problem."""
    monkeypatch.chdir(tmp_path)
    result = mw("doctor")
    assert result.code == 0
    assert "Python 3." in result.out


def test_requirements_are_read_by_extra():
    """The package's own metadata says which extra brings what."""
    needs = [
        "click<9,>=8.1",
        "uvicorn[standard]>=1",
        "uvloop>=0.21; sys_platform != 'win32'",
        "dvc<4,>=3.60 ; extra == 'train'",
        'psycopg[binary]>=3.2; extra == "postgres"',
    ]
    assert _by_extra(needs) == {
        "": ["click", "uvicorn", "uvloop"], "train": ["dvc"], "postgres": ["psycopg"],
    }  # fmt: skip
