"""The reference of the command line, written from the verbs themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click

from modelwright.cli.main import SECTIONS, VERBS, program
from modelwright.cli.verb import Verb, shared_options
from modelwright.errors import ExitCode
from modelwright.project.settings import SETTINGS

MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.UNEXPECTED: "a fault of Modelwright: please report it; or `doctor` found a problem",
    ExitCode.USAGE: "the command line was wrong",
    ExitCode.PROJECT: "the project file or a setting is wrong",
    ExitCode.DATA: "the data or the rows cannot be read or do not fit",
    ExitCode.REJECTED: "the gate refused the version; what was live stays live",
    ExitCode.BUNDLE: "a bundle is damaged, unknown or of another format",
    ExitCode.UNAVAILABLE: "a database, a tracking server or a port cannot be used",
    ExitCode.MISSING_EXTRA: "an optional part is not installed",
    ExitCode.BUSY: "another command is at work in the same project",
    ExitCode.STORAGE: "the disk is full or the place is not writable",
    ExitCode.TRAINING: "no candidate could be trained",
    ExitCode.DRIFT: "`drift` found that the rows are distributed otherwise than the training data",
    ExitCode.QUALITY: "`evaluate` found that a running service answers worse than it has to",
    ExitCode.INTERRUPTED: "interrupted by Ctrl+C",
}


def page() -> str:
    """The whole page, Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The command line"
    yield ""
    yield "Results go to standard output, everything else to standard error. Every verb has:"
    yield ""
    for option in shared_options():
        yield f"- `{option.opts[0]}`: {option.help}"
    yield "- `--help`: what is written here, and more examples"
    context = click.Context(program, info_name="modelwright")
    for section in SECTIONS:
        yield ""
        yield f"## {section}"
        for name, entry in VERBS.items():
            if entry.section == section:
                command = program.get_command(context, name)
                if command is not None:
                    yield from _command(f"modelwright {name}", command)
    yield from _exit_codes()
    yield from _settings()


def _command(name: str, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner, found in command.commands.items():
            yield from _command(f"{name} {inner}", found)
        return
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    usage = " ".join([name, *(argument.make_metavar(click.Context(command)) for argument in arguments)])
    yield ""
    yield f"### {name}"
    yield ""
    yield f"`{usage}`"
    yield ""
    yield "\n\n".join(_paragraph(part) for part in (command.help or "").strip().split("\n\n"))
    shared = {"help", *(option.name for option in shared_options())}
    options = [
        option
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden and option.name not in shared
    ]
    if options:
        yield ""
        for option in options:
            yield f"- `{_spelling(option)}`: {option.help}"
    if isinstance(command, Verb) and command.examples:
        yield ""
        yield "```sh"
        for line, meaning in command.examples:
            yield f"{line}    # {meaning}" if meaning else line
        yield "```"


def _paragraph(text: str) -> str:
    """A paragraph of help; one that click must not wrap (it begins with backspace) is shown as code."""
    lines = text.strip().splitlines()
    if lines[0].strip() == "\b":
        return "\n".join(["```yaml", *(line.strip() for line in lines[1:]), "```"])
    return "\n".join(line.strip() for line in lines)


def _spelling(option: click.Option) -> str:
    spelt = ", ".join(option.opts)
    if option.is_flag:
        return "/".join([spelt, *option.secondary_opts])
    if isinstance(option.type, click.Choice) and option.metavar is None:
        return f"{spelt} {'|'.join(map(str, option.type.choices))}"
    return f"{spelt} {option.metavar or option.type.name.upper().replace(' RANGE', '')}"


def _exit_codes() -> Iterator[str]:
    yield ""
    yield "## Exit status"
    yield ""
    yield "| status | meaning |"
    yield "| --- | --- |"
    for code, meaning in MEANINGS.items():
        yield f"| {int(code)} | {meaning} |"


def _settings() -> Iterator[str]:
    yield ""
    yield "## Settings"
    yield ""
    yield (
        "A setting is found as a flag, in the environment, in the project file, or has its default. "
        "`modelwright config` prints each with its source."
    )
    yield ""
    yield "| environment variable | project file | meaning |"
    yield "| --- | --- | --- |"
    for setting in SETTINGS:
        key = f"`{'.'.join(setting.key)}`" if setting.key else ""
        yield f"| `{setting.variable}` | {key} | {setting.description} |"
