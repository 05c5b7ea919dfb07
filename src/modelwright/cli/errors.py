"""The one place where a verb's failure becomes words and an exit status.

An error ends here as::

    Error: what is wrong
      each detail
    What to do about it.

on standard error, with ``--json`` followed by the same as one line of JSON. Standard output stays
empty. Tracebacks are shown with ``--debug`` only.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence

import click

from modelwright import __version__
from modelwright.cli.terminal import Terminal, colour
from modelwright.errors import ExitCode, MissingExtra, ModelwrightError, StorageFailure

MOST_DETAILS = 40
BROKEN_PIPE = 141  # what a shell reports of a program that SIGPIPE ended

EXTRAS = {
    "dvc": "train",
    "jinja2": "train",
    "lightgbm": "train",
    "matplotlib": "train",
    "mlflow": "train",
    "onnx": "train",
    "optuna": "train",
    "opentelemetry": "otel",
    "pandas": "train",
    "pyarrow": "train",
    "psycopg": "postgres",
    "scipy": "train",
    "sklearn": "train",
    "skl2onnx": "train",
    "xgboost": "train",
    "dvc_s3": "s3",
    "s3fs": "s3",
}
"""Import name → extra that brings it, for what a core install lacks."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class OutputClosed(Exception):
    """Whoever read our output has enough. Not an ``OSError``: click would end the program itself."""


def run(command: Callable[[], object], terminal: Terminal, arguments: Sequence[str] = ()) -> int:
    """Run ``command`` and give the exit status, having printed whatever went wrong.

    Args:
        command: What to do.
        terminal: How this run speaks.
        arguments: The command line, to tell what is wrong with it.
    """
    try:
        command()
        sys.stdout.flush()
    except click.exceptions.Exit as finished:
        return finished.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return ExitCode.INTERRUPTED
    except click.UsageError as error:
        return _usage(error, terminal, arguments)
    except (BrokenPipeError, OutputClosed):
        _abandon_output()
        return BROKEN_PIPE
    except Exception as error:  # the outermost place: nothing may end in a traceback
        return _failed(_worded(error), terminal, error)
    return ExitCode.OK


def _abandon_output() -> None:
    """Whoever read our output has enough: keep the interpreter from complaining about it at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)


def _worded(error: Exception) -> ModelwrightError:
    """The error as one of ours."""
    if isinstance(error, ModelwrightError):
        return error
    if isinstance(error, ModuleNotFoundError):
        module = (error.name or "").partition(".")[0]
        if module in EXTRAS:
            return MissingExtra(module, EXTRAS[module])
    if isinstance(error, OSError) and error.errno in _FULL:
        return StorageFailure.from_os_error(error, "writing")
    return _Fault(error)


class _Fault(ModelwrightError):
    """Something we did not foresee."""

    code = ExitCode.UNEXPECTED

    def __init__(self, error: Exception) -> None:
        from modelwright.schema.urls import mask_url

        said = mask_url(" ".join(f"{type(error).__name__}: {error}".split()))
        python = ".".join(map(str, sys.version_info[:3]))
        super().__init__(
            "This is a fault of Modelwright, not of yours.",
            "Please report it with the lines above and what you did; the same command with --debug shows "
            "where it happened.",
            details=[said[:300], f"modelwright {__version__}, Python {python}, {sys.platform}"],
        )


def _usage(error: click.UsageError, terminal: Terminal, arguments: Sequence[str]) -> int:
    if error.ctx is not None and type(error).__name__ == "NoArgsIsHelpError":  # absent from click 8.1
        click.echo(error.ctx.get_help(), err=True)
        return ExitCode.USAGE
    from modelwright.cli.usage import plain

    wrapped = ModelwrightError(*plain(error, arguments))
    wrapped.code = ExitCode.USAGE
    return _failed(wrapped, terminal, error)


def _failed(error: ModelwrightError, terminal: Terminal, cause: Exception) -> int:
    if terminal.debug:
        traceback.print_exception(cause, file=sys.stderr)
    lines = [f"{click.style('Error:', fg='red', bold=True)} {error.reason}"]
    lines += [f"  {detail}" for detail in error.details[:MOST_DETAILS]]
    more = len(error.details) - MOST_DETAILS
    if more > 0:
        lines.append(f"  … and {more} more")
    if error.instruction:
        lines.append(error.instruction)
    click.echo("\n".join(lines), err=True, color=colour(sys.stderr))
    if terminal.json:
        click.echo(json.dumps({"error": as_json(error)}, ensure_ascii=False), err=True)
    return error.code


def as_json(error: ModelwrightError) -> dict[str, object]:
    """The error for programs: one line of JSON holds this under "error"."""
    return {
        "kind": error.code.name.lower(),
        "exit_code": int(error.code),
        "reason": error.reason,
        "instruction": error.instruction,
        "details": list(error.details),
    }
