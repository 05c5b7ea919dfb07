"""The program ``modelwright``: a table of verbs, each loaded only when it is called."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from modelwright import __version__
from modelwright.cli.errors import OutputClosed, run
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import shared_options


class Entry(NamedTuple):
    """A verb in the table: the module that has it, the section of --help, the line there."""

    module: str
    section: str
    help: str


SECTIONS = START, MAKE, USE, SEE = "Begin", "Make and release", "Serve and predict", "See and repair"

VERBS: dict[str, Entry] = {
    "up": Entry("up", START, "Do it all: read, train, check, register, serve."),
    "init": Entry("init", START, "Start a project in a new folder."),
    "new": Entry("new", START, "Begin a project of your own from an example."),
    "check": Entry("check", START, "Tell every mistake in a project file."),
    "data": Entry("data", MAKE, "Look at a project's data."),
    "train": Entry("train", MAKE, "Train the candidates and register the winner."),
    "versions": Entry("versions", MAKE, "List the registered versions."),
    "features": Entry("features", MAKE, "Bring what is looked up for requests into the store."),
    "promote": Entry("promote", MAKE, "Make a version the one that answers."),
    "rollback": Entry("rollback", MAKE, "Let a former champion answer again."),
    "approve": Entry("approve", MAKE, "Let a waiting version answer, or refuse it."),
    "jobs": Entry("jobs", MAKE, "List a project's retrainings, or cancel one."),
    "worker": Entry("worker", MAKE, "Do a project's retrainings."),
    "bundle": Entry("bundle", MAKE, "Examine a bundle."),
    "package": Entry("package", MAKE, "Make a Python package of a version."),
    "serve": Entry("serve", USE, "Serve released versions over HTTP."),
    "predict": Entry("predict", USE, "Answer rows from a file or the command line."),
    "evaluate": Entry("evaluate", USE, "Measure a running service with labelled rows."),
    "log": Entry("log", USE, "Export the prediction log, or cut off its old end."),
    "drift": Entry("drift", USE, "Tell whether rows are distributed as the training data was."),
    "feedback": Entry("feedback", USE, "Tell what was true of predictions."),
    "keys": Entry("keys", USE, "Make, list and revoke API keys."),
    "deploy": Entry("deploy", USE, "Write the files that other programs run a project by."),
    "top": Entry("top", SEE, "Show what a running server does now."),
    "dashboard": Entry("dashboard", SEE, "Show all projects of this machine in a browser."),
    "why": Entry("why", SEE, "Say where an answer came from."),
    "history": Entry("history", SEE, "Tell what happened, the newest last."),
    "alarms": Entry("alarms", SEE, "See where alarms go, try it, and silence them."),
    "thresholds": Entry("thresholds", SEE, "Show or set the thresholds of alarms and retraining."),
    "report": Entry("report", SEE, "Write a version's report: one HTML file, or its model card."),
    "reproduce": Entry("reproduce", SEE, "Make a version again from what was recorded, and compare."),
    "store": Entry("store", SEE, "Show where the record is kept, or copy it to another database."),
    "config": Entry("config", SEE, "Show every setting, its value and its source."),
    "doctor": Entry("doctor", SEE, "Find what is missing, and say what to do."),
    "demo": Entry("demo", SEE, "Show the product at work, with everything real but the world."),
    "schema": Entry("schema", SEE, "Print the JSON Schema of the project file."),
    "completion": Entry("completion", SEE, "Print the completion script of a shell."),
}


class Program(click.Group):
    """The outermost group: knows its verbs by name, imports a verb's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the verbs, in the order of --help."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb."""
        del ctx
        entry = VERBS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = importlib.import_module(f"modelwright.cli.{entry.module}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise OutputClosed from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; suggest one where the name is not known."""
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(name, VERBS, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            ctx.fail(f"There is no verb '{name}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by section, from the table alone."""
        del ctx
        widest = max(map(len, VERBS))
        for section in SECTIONS:
            with formatter.section(section):
                formatter.write_dl(
                    [
                        (name.ljust(widest), entry.help)
                        for name, entry in VERBS.items()
                        if entry.section == section
                    ]
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what a newcomer types first."""
        del ctx
        with formatter.section("Examples"):
            formatter.write("  modelwright up some.csv --target label\n")
            formatter.write("  modelwright up examples/iris\n")
            formatter.write("  modelwright VERB --help\n")


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="modelwright", message="%(prog)s %(version)s")
def program() -> None:
    """From a data file to a prediction service that can say where every answer came from."""


program.params += shared_options()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its status.

    Args:
        arguments: The command line without the program's name; by default this process's.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that cannot show a character gets a "?" instead of a traceback
            with contextlib.suppress(ValueError):
                stream.reconfigure(errors="replace")
    terminal = Terminal()
    args = list(arguments) if arguments is not None else None

    def call() -> None:
        status = program.main(args, prog_name="modelwright", standalone_mode=False, obj=terminal)
        if isinstance(status, int):  # click turns an Exit into its status
            raise click.exceptions.Exit(status)

    sys.exit(int(run(call, terminal)))
