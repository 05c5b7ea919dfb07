"""How a process runs: each setting from a flag, the environment, the project file or its default.

Every value knows where it came from, so that ``modelwright config`` can say it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.load import Project
from modelwright.project.mistakes import suggest
from modelwright.schema.urls import mask_url

PREFIX = "MODELWRIGHT_"
READ_ELSEWHERE = (
    *("API_KEY", "BUNDLE", "DELIVER", "AUTH_RATE", "AUTH_BURST"),
    *("OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_JWKS_URL", "OIDC_ALGORITHMS", "OIDC_LEEWAY"),
    *("OIDC_TOKEN_USE", "OIDC_RESOURCE", "OIDC_GROUPS", "OIDC_GROUPS_CLAIM"),
    *("ALARM_WEBHOOK", "ALARM_WEBHOOK_SECRET", "ALARM_SLACK", "ALARM_SMTP", "ALARM_EMAIL_TO"),
    *("ALARM_EMAIL_FROM", "ALARM_COMMAND", "ALARM_KINDS", "ALARM_REPEAT"),
)
"""Variables, without their prefix, that are described and checked where they are read."""
PLACE = "{project}"
"""Stands for the project's name in the address of a store. Names are letters, digits, - and _."""
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")


class SettingsInvalid(ModelwrightError):
    """A flag or an environment variable has a value that cannot be used."""

    code = ExitCode.PROJECT


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting with its value and where it came from.

    Attributes:
        name: Its name; the flag is ``--name`` with dashes.
        value: The value in use.
        source: "flag --port", "environment MODELWRIGHT_PORT", "project.yaml:14" or "default".
        variable: The environment variable that sets it.
        description: What it is for.
    """

    name: str
    value: str | int
    source: str
    variable: str
    description: str

    @property
    def shown(self) -> str:
        """The value as it may be printed: passwords masked."""
        return mask_url(str(self.value))


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in use.

    Attributes:
        work_dir: Where Modelwright keeps what it makes.
        store_url: SQLAlchemy URL of the store; may contain a password, so print the entry's ``shown``.
        tracking_uri: Where MLflow keeps runs and registered models; the same holds.
        host: Address the server listens on.
        port: Port the server listens on.
        workers: Server processes.
        log_level: Least severity that is logged.
        log_format: "text" or "json".
        bundles_url: Object storage that bundles are kept in, too; empty for none.
        auth: Who may ask a server: "off", "keys", "oidc" or "keys,oidc"; checked where it is used.
        traces: Whether OpenTelemetry traces are sent, as it was written; checked where it is used.
        entries: All of them with their sources.
        warnings: What is odd about the environment, sentences.
    """

    work_dir: Path
    store_url: str
    tracking_uri: str
    host: str
    port: int
    workers: int
    log_level: str
    log_format: str
    bundles_url: str
    auth: str
    traces: str
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()

    def entry(self, name: str) -> Entry:
        """The entry of the setting ``name``."""
        return next(entry for entry in self.entries if entry.name == name)


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value.strip()


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError("is not a whole number") from None
        if not least <= number <= most:
            raise ValueError(f"is not between {least} and {most}")
        return number

    return parse


def _one_of(words: Sequence[str]) -> Callable[[str], str]:
    def parse(value: str) -> str:
        word = value.strip().lower()
        if word not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return word

    return parse


def _word(value: str) -> str:
    return value.strip().lower() or "off"


def _url(value: str) -> str:
    text = _text(value)
    if "://" not in text:
        raise ValueError("is not a URL such as postgresql://user@host/database or sqlite:////path/store.db")
    return text


def _bucket(value: str) -> str:
    text = value.strip().rstrip("/")
    scheme, _, place = text.partition("://")
    if text and (scheme != "s3" or not place.strip("/")):
        raise ValueError("is not an address such as s3://bucket/models")
    return text


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting there is.

    Attributes:
        name: Its name.
        parse: Text to value; raises ``ValueError`` with what is wrong ("is empty").
        default: Value or, given the working folder, how it is made.
        description: What it is for.
        key: Where the project file says it, if it may.
    """

    name: str
    parse: Callable[[str], str | int]
    default: str | int | Callable[[Path], str | int]
    description: str
    key: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()


def _sqlite(file: str) -> Callable[[Path], str]:
    return lambda working: f"sqlite:///{working / file}"


def _workers(working: Path) -> int:
    """One for each core this process may use, four at most."""
    del working
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, cores)


SETTINGS: tuple[Setting, ...] = (
    Setting("work_dir", _text, str, "Folder for what Modelwright makes: store, runs, bundles, reports."),
    Setting(
        "store_url",
        _url,
        _sqlite("store.db"),
        "Database of versions, releases and predictions: SQLite or PostgreSQL; {project} in it stands for "
        "the project's name.",
    ),
    Setting("tracking_uri", _text, _sqlite("mlflow.db"), "Where MLflow keeps runs and registered models."),
    Setting("host", _text, "127.0.0.1", "Address the server listens on."),
    Setting(
        "port", _whole(0, 65535), 5000, "Port the server listens on; 0 takes a free one.", ("serve", "port")
    ),
    Setting(
        "workers",
        _whole(1, 256),
        _workers,
        "Server processes on the port; by default one a core, up to four.",
    ),
    Setting("log_level", _one_of(LOG_LEVELS), "info", "Least severity that is logged."),
    Setting("log_format", _one_of(LOG_FORMATS), "text", "How the server logs: for people or as JSON lines."),
    Setting("bundles_url", _bucket, "", "Object storage (s3://…) for bundles, where servers fetch them."),
    Setting("auth", _word, "off", "Who may ask a server: off, keys, oidc, or keys,oidc."),
    Setting("traces", _word, "off", "Whether the server sends OpenTelemetry traces: on or off."),
)


def resolve(
    project: Project | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Find every setting: first the flag, then the environment, the project file, the default.

    Args:
        project: The project, if there is one; without it the working folder is ``.modelwright`` here.
        flags: Values from the command line by setting name; ``None`` means not given.
        environ: The environment; by default this process's.

    Raises:
        SettingsInvalid: Values cannot be used; ``details`` names every one of them.
    """
    environ = os.environ if environ is None else environ
    home = project.directory if project else Path.cwd()
    working = project.working if project else home / ".modelwright"
    values: dict[str, Any] = {}
    entries: list[Entry] = []
    wrong: list[str] = []
    for setting in SETTINGS:
        try:
            value, source = _one(setting, project, flags or {}, environ, working)
            if setting.name == "store_url" and source != "default":
                value = own_url(str(value), project, source)
        except ValueError as error:
            wrong.append(str(error))
            continue
        if setting.name == "work_dir":
            working = value = (home / Path(str(value)).expanduser()).resolve()
        values[setting.name] = value
        shown = str(value) if isinstance(value, Path) else value
        entries.append(Entry(setting.name, shown, source, setting.variable, setting.description))
    if wrong:
        raise SettingsInvalid("Some settings cannot be used.", "Correct them and try again.", details=wrong)
    return Settings(**values, entries=tuple(entries), warnings=tuple(_odd_variables(environ)))


def own_url(url: str, project: Project | None, source: str) -> str:
    """``url`` with the project's name in the place of ``{project}``, so that one value does for several.

    Raises:
        ValueError: There is no project; ``source`` says where the address was given.
    """
    if PLACE not in url:
        return url
    if project is None:
        raise ValueError(f"{source}: '{mask_url(url)}' has {PLACE} in it, and there is no project here.")
    return url.replace(PLACE, project.name)


def _one(
    setting: Setting,
    project: Project | None,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    working: Path,
) -> tuple[Any, str]:
    flag = flags.get(setting.name)
    if flag is not None:
        source = "flag --" + setting.name.replace("_", "-")
        return _parsed(setting, str(flag), source), source
    if setting.variable in environ:
        source = f"environment {setting.variable}"
        return _parsed(setting, environ[setting.variable], source), source
    key = ".".join(setting.key)
    if project is not None and key in project.lines:
        value: Any = project.file
        for part in setting.key:
            value = getattr(value, part)
        return value, f"{project.path.name}:{project.lines[key]}"
    default = setting.default
    return (default(working) if callable(default) else default), "default"


def _parsed(setting: Setting, text: str, source: str) -> str | int:
    try:
        return setting.parse(text)
    except ValueError as error:
        raise ValueError(f"{source}: '{mask_url(text)}' {error}.") from None


def further_variables(environ: Mapping[str, str]) -> list[str]:
    """The variables that are set and read elsewhere, by name: some of them hold secrets."""
    return sorted(PREFIX + name for name in READ_ELSEWHERE if PREFIX + name in environ)


def _odd_variables(environ: Mapping[str, str]) -> Sequence[str]:
    known = [setting.variable for setting in SETTINGS]
    others = [PREFIX + name for name in READ_ELSEWHERE]
    odd = sorted(name for name in environ if name.startswith(PREFIX) and name not in (*known, *others))
    return [_odd(name, known, others) for name in odd]


def _odd(name: str, known: Sequence[str], others: Sequence[str]) -> str:
    meant = suggest(name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in (*known, *others)])
    remedy = f"Did you mean {PREFIX}{meant}?" if meant else f"Known: {', '.join(known)}."
    return f"The environment variable {name} is not known and does nothing. {remedy}"
