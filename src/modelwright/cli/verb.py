"""The shape every verb has: a docstring as help, examples, and the options all verbs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from modelwright.cli.terminal import Terminal

Function = TypeVar("Function", bound=Callable[..., Any])
ROWS_FORMS = ("csv", "tsv", "json", "jsonl", "parquet")
"""What ``rows_in`` reads."""


class Verb(click.Command):
    """A command whose help ends with examples.

    Attributes:
        examples: Pairs of a command line (without the leading ``$``) and what it does.
    """

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples under the options."""
        del ctx
        if not self.examples:
            return
        with formatter.section("Examples"):
            for line, meaning in self.examples:
                formatter.write(f"  {line}\n")
                if meaning:
                    formatter.write(f"      {meaning}\n")


def _remember(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        del parameter
        terminal = ctx.find_object(Terminal)
        if terminal is not None and value:
            setattr(terminal, name, True)

    return callback


def shared_options(*, as_json: bool = True) -> list[click.Option]:
    """The flags every verb has; they end up in the ``Terminal``, wherever on the line they stand."""
    told = {
        "json": "Print the result as JSON on standard output.",
        "quiet": "Print results and errors only.",
        "debug": "Show Python tracebacks with errors.",
    }
    return [
        click.Option(
            [f"--{name}"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_remember(name),
            help=text,
        )
        for name, text in told.items()
        if as_json or name != "json"
    ]


def verb(
    name: str, *, examples: Sequence[tuple[str, str]], as_json: bool = True
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function a verb; it gets the ``Terminal`` as its first argument.

    Args:
        name: What people type.
        examples: Command lines with their meaning, shown at the end of ``--help``.
        as_json: Whether it has a ``--json`` form.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        command = click.command(name, cls=Verb, examples=examples)(click.pass_obj(function))
        command.params += shared_options(as_json=as_json)
        return command

    return decorate


def project_option(function: Function) -> Function:
    """``--project``: which project is meant."""
    return click.option(
        "--project",
        "-p",
        metavar="PATH",
        type=click.Path(),
        help="Folder of the project, or its file. Default: here or in a folder above.",
    )(function)


def rows_form_option(function: Function) -> Function:
    """``--from``: how a file of rows is written, where its name does not tell."""
    return click.option(
        "--from",
        "source_form",
        type=click.Choice(ROWS_FORMS),
        metavar="FORM",
        help=f"Form of the rows: {', '.join(ROWS_FORMS)}.",
    )(function)


def project_argument(function: Function) -> Function:
    """``[PATH]``: which project is meant."""
    return click.argument("path", required=False, metavar="[PATH]", type=click.Path())(function)
