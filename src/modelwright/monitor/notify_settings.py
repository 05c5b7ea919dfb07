"""Where alarms go, from ``MODELWRIGHT_ALARM_*``. They may hold secrets, so nothing here prints a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.monitor.channels import Channel, Command, Email, Slack, Webhook, valid_address
from modelwright.monitor.notices import KINDS
from modelwright.project.durations import seconds

WEBHOOK = "MODELWRIGHT_ALARM_WEBHOOK"
SECRET = "MODELWRIGHT_ALARM_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
SLACK = "MODELWRIGHT_ALARM_SLACK"
SMTP = "MODELWRIGHT_ALARM_SMTP"
EMAIL_TO = "MODELWRIGHT_ALARM_EMAIL_TO"
EMAIL_FROM = "MODELWRIGHT_ALARM_EMAIL_FROM"
COMMAND = "MODELWRIGHT_ALARM_COMMAND"
TOLD_KINDS = "MODELWRIGHT_ALARM_KINDS"
REPEAT = "MODELWRIGHT_ALARM_REPEAT"

_FROM = "modelwright@localhost"


class AlarmSettingsInvalid(ModelwrightError):
    """A setting of where alarms go cannot be used."""

    code = ExitCode.PROJECT


@dataclass(frozen=True)
class NotifySettings:
    """Where alarms go.

    Attributes:
        channels: The ways out; none is configured by default.
        kinds: Kinds of events that are told.
        repeat: Seconds within which the same alarm is told once.
    """

    channels: tuple[Channel, ...]
    kinds: tuple[str, ...]
    repeat: float


def notify_settings(environ: Mapping[str, str]) -> NotifySettings:
    """The settings of the environment.

    Raises:
        AlarmSettingsInvalid: Values cannot be used; every one of them is named.
    """
    wrong: list[str] = []
    channels = tuple(_channels(environ, wrong))
    repeat = environ.get(REPEAT, "").strip() or "1h"
    length = 0.0
    try:
        length = seconds(repeat)
    except ValueError as error:
        wrong.append(f"{REPEAT}: {error}.")
    if wrong:
        raise AlarmSettingsInvalid(
            "Some settings of where alarms go cannot be used.", "Correct them and try again.", details=wrong
        )
    kinds = _listed(environ.get(TOLD_KINDS, ""))
    return NotifySettings(channels, kinds or KINDS, length)


def _channels(environ: Mapping[str, str], wrong: list[str]) -> Iterator[Channel]:
    webhook, slack = environ.get(WEBHOOK, "").strip(), environ.get(SLACK, "").strip()
    for name, url in ((WEBHOOK, webhook), (SLACK, slack)):
        if url and not _is_address(url, ("http", "https")):
            wrong.append(f"{name} is no http:// or https:// address.")
    if webhook:
        yield Webhook(webhook, environ.get(SECRET, ""))
    if slack:
        yield Slack(slack)
    command = environ.get(COMMAND, "").strip()
    if command:
        yield Command(command)
    receivers = _listed(environ.get(EMAIL_TO, ""))
    if not receivers:
        return
    server = environ.get(SMTP, "").strip() or "smtp://localhost"
    sender = environ.get(EMAIL_FROM, "").strip() or _FROM
    if not _is_address(server, ("smtp", "smtps")):
        wrong.append(f"{SMTP} is no smtp:// or smtps:// address.")
    for name, address in ((EMAIL_FROM, sender), *((EMAIL_TO, each) for each in receivers)):
        if not valid_address(address):
            wrong.append(f"{name}: {address!r} is no mail address.")
    yield Email(server, sender, receivers)


def _is_address(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
