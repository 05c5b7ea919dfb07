"""What is wrong with a command line, in words for whoever typed it.

The parser tells of its own world (``'x' is not a valid integer range``); here its errors are worded anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

import click

_RANGE = re.compile(r"(.*) is not in the range (.*)\.")
_NUMBER = re.compile(r"(.*) is not a valid (integer|float)( range)?\.")
_EXTRA = re.compile(r"Got unexpected extra arguments? \((.*)\)")


def plain(error: click.UsageError, arguments: Sequence[str]) -> tuple[str, str]:
    """What is wrong, and what to do.

    Args:
        error: What the parser, or a verb, says.
        arguments: The command line, without the program's name.
    """
    path = error.ctx.command_path if error.ctx is not None else "modelwright"
    see = f"See: {path} --help"
    if isinstance(error, click.NoSuchOption):
        return _option(error, arguments), see
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return _missing(error, error.param), see
    message = error.format_message()
    if error.ctx is not None and message.startswith("No such command"):
        return _command(error.ctx, message), see
    extra = _EXTRA.match(message)
    if extra is not None:
        return f"'{extra[1]}' is more than '{path}' takes. Quote names with spaces in them.", see
    return _number(message), see


def _option(error: click.NoSuchOption, arguments: Sequence[str]) -> str:
    """An option that is not there: the one that was meant, or the verb that has it."""
    name, context = error.option_name, error.ctx
    known = [] if context is None else _options(context.command)
    if not name.startswith("--"):  # "-target" is read as "-t"
        for word in arguments:
            whole = word.partition("=")[0]
            if whole.startswith(name) and not whole.startswith("--") and f"-{whole}" in known:
                return f"There is no option '{whole}'. Did you mean '-{whole}'?"
    verb = "this verb" if context is None or context.info_name is None else f"'{context.info_name}'"
    said = f"There is no option '{name}' of {verb}."
    if name in ("-p", "--project") and context is not None and _takes_path(context.command):
        return f"{said} The project's folder stands alone: {context.command_path} FOLDER"
    elsewhere = [] if context is None else _verbs_with(name, context)
    if elsewhere:
        listed = " and ".join(f"'{each}'" for each in elsewhere)
        return f"{said} {listed} {'has' if len(elsewhere) == 1 else 'have'} one."
    near = get_close_matches(name, known, n=1)
    return f"{said} Did you mean '{near[0]}'?" if near else said


def _options(command: click.Command) -> list[str]:
    """The options that its help shows."""
    return [
        name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]


def _takes_path(command: click.Command) -> bool:
    return any(
        isinstance(parameter, click.Argument) and parameter.name in ("path", "paths", "where")
        for parameter in command.params
    )


def _verbs_with(name: str, context: click.Context) -> list[str]:
    """The verbs that people run a project with and that have the option."""
    group = context.find_root().command
    if not isinstance(group, click.Group):
        return []
    found = []
    for verb in ("up", "train", "serve", "predict", "evaluate", "drift"):
        command = group.get_command(context, verb)
        if command is not None and command is not context.command and name in _options(command):
            found.append(verb)
    return found


def _missing(error: click.MissingParameter, parameter: click.Parameter) -> str:
    """What has to be said, with an example where the verb has one."""
    context = error.ctx
    if not isinstance(parameter, click.Argument):
        return error.format_message()
    examples = getattr(context.command, "examples", ()) if context is not None else ()
    shown = f" For example: {examples[0][0]}" if examples else ""
    return f"{parameter.human_readable_name} is missing.{shown}"


def _command(context: click.Context, message: str) -> str:
    group = context.command
    assert isinstance(group, click.Group)  # noqa: S101 - nothing else has commands
    names = group.list_commands(context)
    word = message.split("'")[1] if message.count("'") >= 2 else ""
    near = get_close_matches(word, names, n=1)
    if near:
        return (
            f"There is no '{context.command_path} {word}'. Did you mean '{context.command_path} {near[0]}'?"
        )
    there = ", ".join(f"'{context.command_path} {name}'" for name in names)
    return f"There is no '{context.command_path} {word}'. There is {there}."


def _number(message: str) -> str:
    """Numbers as people speak of them."""
    wrong = _NUMBER.fullmatch(message)
    if wrong is not None:
        return f"{wrong[1]} is not a {'whole number' if wrong[2] == 'integer' else 'number'}."
    outside = _RANGE.fullmatch(message)
    if outside is None:
        return message
    limits = outside[2]
    words = [
        (r"(.+)<=x<=(.+)", r"from \1 to \2"),
        (r"(.+)<x<=(.+)", r"above \1 and at most \2"),
        (r"(.+)<x<(.+)", r"between \1 and \2"),
        (r"(.+)<=x<(.+)", r"from \1 to below \2"),
        (r"x>=(.+)", r"at least \1"),
        (r"x>(.+)", r"above \1"),
        (r"x<=(.+)", r"at most \1"),
        (r"x<(.+)", r"below \1"),
    ]
    for pattern, worded in words:
        if re.fullmatch(pattern, limits):
            return f"{outside[1]} is not {re.sub(pattern, worded, limits)}."
    return message
