"""The program as a whole: help without imports, one place for errors, clean standard output."""

import errno
import json
import os
import re
import signal
import subprocess
import sys

import click
import pytest

from modelwright.cli import errors
from modelwright.cli.main import VERBS, Entry, program
from modelwright.cli.terminal import Terminal
from modelwright.errors import ExitCode, ModelwrightError

HEAVY = (
    "alembic", "dvc", "fastapi", "lightgbm", "mlflow", "msgspec", "numpy", "onnx", "onnxruntime", "pandas",
    "pyarrow", "pydantic", "rich", "scipy", "sklearn", "sqlalchemy", "uvicorn", "xgboost", "yaml",
)  # fmt: skip


def process(*arguments, **extra):
    """Run the program as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **extra}
    return subprocess.run(
        [sys.executable, "-m", "modelwright", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_help_imports_nothing_heavy():
    """In a fresh interpreter, --help loads click and the standard library only."""
    code = (
        "import sys; from modelwright.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit: pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stderr.strip() == "[]"
    assert all(f"  {name} " in done.stdout for name in VERBS)


def _commands():
    """Every command of the program, groups' own ones too, by its whole name."""
    context = click.Context(program, info_name="modelwright")
    for name in VERBS:
        command = program.get_command(context, name)
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", found) for inner, found in command.commands.items())


@pytest.mark.parametrize("name", VERBS)
def test_the_table_says_what_the_verb_says(name):
    """The line in --help is the verb's own, though the verb isn't loaded for it."""
    command = program.get_command(click.Context(program), name)
    assert command.name == name
    assert command.help.splitlines()[0] == VERBS[name].help


def test_every_verb_has_help_with_an_example():
    """Help describes every option and ends with command lines that work for this verb."""
    for name, command in _commands():
        if isinstance(command, click.Group):
            continue
        text = command.get_help(click.Context(command, info_name=f"modelwright {name}"))
        assert f"modelwright {name}" in text.partition("Examples:")[2], name
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, (name, parameter.name)


def test_examples_parse():
    """The options that an example shows are the verb's."""
    for name, command in _commands():
        for line, _ in getattr(command, "examples", ()):
            for option in re.findall(r"modelwright \S.*?(--[a-z-]+)", line):
                known = {opt for parameter in command.params for opt in parameter.opts}
                assert option in known, (name, line)


def test_version_is_printed(mw):
    """--version says the name and the number."""
    result = mw("--version")
    assert (result.code, result.out[:12]) == (0, "modelwright ")


def test_a_mistyped_verb_is_suggested(mw):
    """A usage error has status 2 and a suggestion, on standard error."""
    result = mw("chekc")
    assert (result.code, result.out) == (2, "")
    assert "There is no verb 'chekc'. Did you mean 'check'?" in result.err


def test_a_mistyped_option_is_told(mw):
    """An unknown option names the help to look at."""
    result = mw("check", "--jsn")
    assert result.code == 2
    assert "Did you mean '--json'?" in result.err
    assert "modelwright check --help" in result.err


def test_nothing_asked_gives_the_help(mw):
    """The bare program shows what there is."""
    result = mw()
    assert "Examples:" in result.out + result.err
    assert "Error" not in result.err


@pytest.fixture
def failing(monkeypatch, mw):
    """A verb that raises what it is given."""

    def fail(error, *flags):
        import types

        module = types.ModuleType("modelwright.cli.failing")

        @click.command("failing")
        def command():
            raise error

        module.command = command
        monkeypatch.setitem(sys.modules, "modelwright.cli.failing", module)
        monkeypatch.setitem(VERBS, "failing", Entry("failing", "Begin", ""))
        return mw(*flags, "failing")

    return fail


def test_an_error_of_ours_is_printed_with_its_remedy(failing):
    """Reason, details (bounded) and instruction on standard error; its own exit status."""
    error = ModelwrightError("The cup is empty.", "Fill it.", details=[f"sip {n}" for n in range(50)])
    error.code = ExitCode.DATA
    result = failing(error)
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("Error: The cup is empty.\n  sip 0\n")
    assert result.err.endswith("  sip 39\n  … and 10 more\nFill it.\n")


def test_with_json_the_error_is_also_json(failing):
    """The last line of standard error holds all of it for programs."""
    result = failing(ModelwrightError("No.", "Yes.", details=["a"]), "--json")
    assert result.out == ""
    assert json.loads(result.err.splitlines()[-1])["error"] == {
        "kind": "unexpected",
        "exit_code": 1,
        "reason": "No.",
        "instruction": "Yes.",
        "details": ["a"],
    }


def test_an_unforeseen_error_is_our_fault(failing):
    """No traceback; what to report; passwords masked."""
    result = failing(ValueError("odd postgresql://ann:secret@db/x"))
    assert result.code == 1
    assert "This is a fault of Modelwright" in result.err
    assert "ValueError: odd postgresql://ann:***@db/x" in result.err
    assert "Traceback" not in result.err
    assert "--debug" in result.err


def test_debug_shows_the_traceback(failing):
    """--debug works for every error."""
    result = failing(ModelwrightError("No."), "--debug")
    assert "Traceback (most recent call last)" in result.err
    assert result.err.rstrip().endswith("Error: No.")


def test_a_missing_part_names_its_extra(failing):
    """Only modules of optional parts do; another missing module is a fault."""
    result = failing(ModuleNotFoundError("No module named 'sklearn.x'", name="sklearn.x"))
    assert result.code == ExitCode.MISSING_EXTRA
    assert "pip install 'modelwright[train]'" in result.err
    assert failing(ModuleNotFoundError("no", name="click_x")).code == ExitCode.UNEXPECTED


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_disk_is_a_storage_failure(failing, number):
    """Wherever it strikes."""
    result = failing(OSError(number, os.strerror(number), "/x/y"))
    assert result.code == ExitCode.STORAGE
    assert "/x/y" in result.err


def test_an_interruption_has_its_status(failing):
    """Ctrl-C ends with 130 and no traceback."""
    result = failing(KeyboardInterrupt())
    assert result.code == 130
    assert "Traceback" not in result.err


def test_a_reader_that_has_enough_is_no_error(bundle, tmp_path):
    """`modelwright predict … | head -1` ends quietly, with the status of a program that SIGPIPE ended."""
    rows = tmp_path / "rows.csv"
    rows.write_text("width (cm)\n" + "1\n" * 20_000)
    command = f"{sys.executable} -m modelwright predict {rows} --bundle {bundle}"
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[0].startswith("row,prediction")
    assert done.stdout.splitlines()[1] == "141"


def test_a_full_disk_behind_standard_output_is_told(bundle):
    """Writing to a full device is a storage failure."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "modelwright", "predict", "width (cm)=1", "--bundle", str(bundle)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert done.returncode == 10
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_results_and_notices_keep_apart(tmp_path):
    """As a process: JSON alone on standard output, exit status and words as documented."""
    done = process("init", tmp_path / "shop", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["project"] == "shop"
    done = process("check", tmp_path / "nowhere", "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert json.loads(done.stderr.splitlines()[-1])["error"]["kind"] == "project"


def test_a_terminal_that_cannot_show_a_letter_gets_a_substitute(tmp_path):
    """Latin-1 terminals see a question mark instead of a traceback."""
    (tmp_path / "project.yaml").write_text("name: 日本\n", encoding="utf-8")
    done = process("check", tmp_path, PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert done.returncode == 3
    assert "??" in done.stderr


def test_colours_stay_away_from_pipes():
    """No escape sequence reaches a pipe."""
    assert "\x1b" not in process("chekc").stderr


def test_an_interrupted_process_ends_with_130(tmp_path):
    """SIGINT reaches the one place that words it."""
    code = (
        "import os, signal\nfrom modelwright.cli import errors\n"
        "from modelwright.cli.terminal import Terminal\n"
        "raise SystemExit(errors.run(lambda: os.kill(os.getpid(), signal.SIGINT), Terminal()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 130
    assert signal.SIGINT == 2


def test_every_optional_module_names_an_extra_that_exists(repository):
    """A remedy that names an extra nobody published would be no remedy."""
    import tomllib

    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(errors.EXTRAS.values()) <= set(project["optional-dependencies"])


def test_quiet_silences_notices_only(capsys):
    """Results are printed all the same."""
    terminal = Terminal(quiet=True)
    terminal.say("notice")
    terminal.warn("warning")
    terminal.result({"a": 1}, lambda: terminal.print("result"))
    assert capsys.readouterr() == ("result\n", "")


@pytest.mark.parametrize("name", ["cli", "errors", "metrics", "project-file"])
def test_the_reference_is_up_to_date(repository, name):
    """A page of docs/reference is what the code says: python -m modelwright.cli.reference NAME writes it."""
    from modelwright.cli.reference.pages import PAGES

    page = repository / "docs" / "reference" / f"{name}.md"
    assert page.read_text(encoding="utf-8") == PAGES[name]()


def test_every_exit_status_is_explained():
    """The reference leaves no status out."""
    from modelwright.cli.reference.commands import MEANINGS

    assert set(MEANINGS) == set(ExitCode)
