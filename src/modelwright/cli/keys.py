"""``modelwright keys``: API keys for a server's clients. The key itself is shown once, when it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_option, verb
from modelwright.errors import ExitCode, ModelwrightError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelwright.store.engine import SqlStore
    from modelwright.store.records import KeyRecord

_SCOPES = ("predict", "feedback", "read", "retrain", "admin")
_LONGEST_NAME = 100


class UnknownKey(ModelwrightError):
    """No key, or more than one, begins with what was given."""

    code = ExitCode.USAGE


@click.group("keys")
def command() -> None:
    """Make, list and revoke API keys."""


@verb(
    "create",
    examples=[
        (
            "modelwright keys create checkout --scope predict --expires 90d",
            "may ask for predictions, for 90 days",
        ),
        ("modelwright keys create labels --scope feedback --scope read", "may send labels and read the log"),
        ("KEY=$(modelwright keys create ci --json | jq -r .key)", "for a program"),
    ],
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(_SCOPES),
    default=("predict",),
    show_default=True,
    help="What the key may do; may be repeated. 'admin' includes all.",
)
@click.option("--expires", metavar="TIME", help="How long it holds: 12h, 90d. Default: until it is revoked.")
@project_option
def create(
    terminal: Terminal, name: str, scopes: tuple[str, ...], expires: str | None, project: str | None
) -> None:
    """Make an API key called NAME.

    The key is shown now and never again: the store keeps a hash of it. A running server that takes API
    keys (serve --auth keys) knows it within a second.
    """
    from modelwright.serve.auth.api_keys import create_key

    until = _until(expires)
    _check_name(name)
    with _store(terminal, project, create=True) as store:
        assert store is not None  # noqa: S101 - it was to be made
        key, record = create_key(store.keys, name, dict.fromkeys(scopes), expires=until)

    def show() -> None:
        terminal.say(
            f"Key '{name}' may {_spoken(record.scopes)} {_until_spoken(record)}. It is shown only now:\n"
        )
        terminal.print(key)

    terminal.result({**_as_json(record), "key": key}, show)


@verb("list", examples=[("modelwright keys list", "those that hold, then those that do not any more")])
@project_option
def list_keys(terminal: Terminal, project: str | None) -> None:
    """List the API keys: names, scopes, and until when they hold; never the keys themselves."""
    with _store(terminal, project, create=False) as store:
        records = [] if store is None else list(store.keys.list())

    def show() -> None:
        if records:
            _print(terminal, records)
        else:
            terminal.say("There is no API key yet. Make one with: modelwright keys create NAME")

    terminal.result([_as_json(record) for record in records], show)


@verb(
    "revoke",
    examples=[("modelwright keys revoke k3v9x0aa", "or the beginning of its id, or its name")],
)
@click.argument("id")
@project_option
def revoke(terminal: Terminal, id: str, project: str | None) -> None:
    """Refuse a key from now on.

    ID is its id, the beginning of it, or its name. A running server refuses it within two seconds.
    """
    with _store(terminal, project, create=False) as store:
        record = _one([] if store is None else store.keys.list(), id)
        assert store is not None  # noqa: S101 - a key was found in it
        revoked = store.keys.revoke(record.id)
    said = f"Key '{record.name}' ({record.id}) is refused from now on."
    before = f"Key '{record.name}' ({record.id}) was revoked before."
    terminal.result(
        {"id": record.id, "name": record.name, "revoked": True, "was_revoked": not revoked},
        lambda: terminal.print(said if revoked else before),
    )


for _verb in (create, list_keys, revoke):
    command.add_command(_verb)


@contextmanager
def _store(terminal: Terminal, path: str | None, *, create: bool) -> Iterator[SqlStore | None]:
    """The store of the project that is meant; without any project, of the settings alone."""
    from modelwright.cli.context import open_project, opened_store
    from modelwright.project.mistakes import ProjectNotFound
    from modelwright.project.settings import resolve

    try:
        _, settings = open_project(terminal, path)
    except ProjectNotFound:
        settings = resolve()
        if path is not None or settings.entry("store_url").source == "default":
            raise
    with opened_store(settings, create=create) as store:
        yield store


def _until(expires: str | None) -> datetime | None:
    from modelwright.project.durations import seconds

    if expires is None:
        return None
    try:
        return datetime.now(UTC) + timedelta(seconds=seconds(expires))
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"'{expires}' is no length of time such as 12h or 90d.", param_hint="--expires"
        ) from None


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise click.BadParameter(f"A name is 1 to {_LONGEST_NAME} printable characters.", param_hint="NAME")


def _one(records: Sequence[KeyRecord], given: str) -> KeyRecord:
    """The one key that is meant: by its id, its name, or the beginning of its id.

    Raises:
        UnknownKey: There is none, or more than one.
    """
    ways = (
        [record for record in records if record.id == given],
        [record for record in records if record.name == given and record.revoked is None],
        [record for record in records if given and record.id.startswith(given)],
    )
    found = next((way for way in ways if way), [])
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownKey(f"There is no API key '{given[:_LONGEST_NAME]}'.", "See: modelwright keys list")
    raise UnknownKey(
        f"'{given}' means {len(found)} keys.",
        "Give more of the id.",
        details=[f"{record.id}  {record.name}" for record in found[:20]],
    )


def _print(terminal: Terminal, records: Sequence[KeyRecord]) -> None:
    now = datetime.now(UTC)
    ordered = sorted(records, key=lambda record: (_state(record, now) != "holds", record.created))
    rows = [
        (
            record.id,
            record.name,
            ", ".join(record.scopes),
            f"{record.created:%Y-%m-%d %H:%M}",
            f"{record.expires:%Y-%m-%d %H:%M}" if record.expires else "never",
            _state(record, now),
        )
        for record in ordered
    ]
    terminal.table(plain_table(("id", "name", "may", "made", "expires", "state"), rows))


def _state(record: KeyRecord, now: datetime) -> str:
    if record.revoked is not None:
        return "revoked"
    return "expired" if record.expires is not None and record.expires <= now else "holds"


def _spoken(scopes: Sequence[str]) -> str:
    return " and ".join(scopes)


def _until_spoken(record: KeyRecord) -> str:
    return f"until {record.expires:%Y-%m-%d %H:%M} UTC" if record.expires else "until it is revoked"


def _as_json(record: KeyRecord) -> dict[str, Any]:
    def moment(value: datetime | None) -> str | None:
        return None if value is None else value.isoformat()

    return {
        "id": record.id,
        "name": record.name,
        "scopes": list(record.scopes),
        "created": moment(record.created),
        "expires": moment(record.expires),
        "revoked": moment(record.revoked),
        "state": _state(record, datetime.now(UTC)),
    }
