"""``modelwright alarms``: where alarms go, whether they get there, and for how long they do not."""

from __future__ import annotations

import click

from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_option, verb
from modelwright.errors import ExitCode, ModelwrightError

_SHOWN = 20


class NoWayOut(ModelwrightError):
    """No way out is configured."""

    code = ExitCode.PROJECT


class NotTold(ModelwrightError):
    """A way out did not take a trial."""

    code = ExitCode.UNAVAILABLE


@click.group("alarms")
def command() -> None:
    """See where alarms go, try it, and silence them."""


@verb(
    "test",
    examples=[
        ("MODELWRIGHT_ALARM_SLACK=https://chat.example/hook modelwright alarms test", "tells a trial, once"),
        ("modelwright alarms test --json", "for scripts"),
    ],
)
@project_option
def test(terminal: Terminal, project: str | None) -> None:
    """Tell a trial by every way out that is configured.

    Each is tried once. Exit status 7 if one of them does not take it.
    """
    import os

    from modelwright.cli.context import open_project
    from modelwright.monitor.channels import Undelivered
    from modelwright.monitor.notices import notice_of
    from modelwright.monitor.notify_settings import notify_settings
    from modelwright.store import clock
    from modelwright.store.records import EventRecord

    opened, _ = open_project(terminal, project)
    channels = notify_settings(os.environ).channels
    if not channels:
        raise NoWayOut(
            "No way out is configured, so alarms are told to nobody.",
            "Set one of MODELWRIGHT_ALARM_WEBHOOK, MODELWRIGHT_ALARM_SLACK, MODELWRIGHT_ALARM_EMAIL_TO "
            "(with MODELWRIGHT_ALARM_SMTP) or MODELWRIGHT_ALARM_COMMAND.",
        )
    trial = EventRecord(
        sequence=0,
        project=opened.name,
        time=clock.now(),
        kind="test",
        message="This is a trial: nothing happened.",
    )
    results: dict[str, str] = {}
    for channel in channels:
        try:
            channel.send(notice_of(trial))
            results[channel.name] = ""
        except Undelivered as error:
            results[channel.name] = error.why

    def show() -> None:
        for name, why in results.items():
            terminal.print(f"{name:<10} {why or 'told'}")

    terminal.result([{"channel": name, "told": not why, "why": why} for name, why in results.items()], show)
    if any(results.values()):
        raise NotTold("Not every way out took the trial.", "Correct its settings and try again.")


@verb(
    "list",
    examples=[("modelwright alarms list", "what was told lately, how, and what was not")],
)
@project_option
@click.option(
    "--limit",
    default=_SHOWN,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="How many to list.",
)
def list_(terminal: Terminal, project: str | None, limit: int) -> None:
    """List what was told lately, the newest last."""
    from modelwright.cli.context import open_project, opened_store
    from modelwright.monitor.notify import NOTIFICATION

    opened, settings = open_project(terminal, project)
    with opened_store(settings, create=False) as store:
        found = [] if store is None else list(store.events.list(opened.name, kind=NOTIFICATION, limit=limit))
    found.reverse()

    def show() -> None:
        if not found:
            terminal.say(f"No alarm of project '{opened.name}' was told yet.")
            return
        rows = [
            (
                each.time.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
                str(each.data["channel"]),
                str(each.data["state"]),
                each.message,
            )
            for each in found
        ]
        terminal.table(plain_table(("time", "by", "state", ""), rows))

    terminal.result([{"time": each.time.isoformat(), **each.data} for each in found], show)


@verb(
    "silence",
    examples=[
        ("modelwright alarms silence 2h", "tell nothing for two hours"),
        ('modelwright alarms silence 7d --kind drift --reason "season change"', "no drift for a week"),
        ("modelwright alarms silence off", "tell again"),
    ],
)
@click.argument("time", metavar="TIME")
@project_option
@click.option("--kind", "kinds", multiple=True, help="Only this kind of event. May be repeated.")
@click.option("--reason", default="", help="Why; kept with the silence.")
def silence_(
    terminal: Terminal, *, time: str, project: str | None, kinds: tuple[str, ...], reason: str
) -> None:
    """Tell no alarms for a time, such as 30m, 2h or 7d; 'off' ends it.

    What happens meanwhile is noted all the same, and is not told afterwards.
    """
    from modelwright.cli.context import nothing_trained, open_project, opened_store
    from modelwright.monitor.notify import end_silence, silence
    from modelwright.project.durations import seconds

    opened, settings = open_project(terminal, project)
    try:
        length = 0.0 if time == "off" else seconds(time)
    except ValueError as error:
        raise click.BadParameter(
            f"{error}; write it as 30m, 2h or 7d, or 'off'.", param_hint="TIME"
        ) from None
    with opened_store(settings, create=False) as store:
        if store is None:
            raise nothing_trained(opened)
        if not length:
            end_silence(store, opened.name)
            terminal.result({"silent_until": None}, lambda: terminal.print("Alarms are told again."))
            return
        until = silence(store, opened.name, seconds=length, kinds=kinds, reason=reason)
    terminal.result(
        {"silent_until": until.isoformat(), "kinds": list(kinds)},
        lambda: terminal.print(
            f"Alarms{' of the kind ' + ', '.join(kinds) if kinds else ''} are silent until "
            f"{until.astimezone().strftime('%Y-%m-%d %H:%M:%S %Z')}."
        ),
    )


for each in (test, list_, silence_):
    command.add_command(each)
