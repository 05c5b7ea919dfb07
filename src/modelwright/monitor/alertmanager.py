"""Alertmanager's webhook: which retraining its alerts ask for.

The payload is version 4, as Prometheus's documentation of ``webhook_config`` has it. Alertmanager
tells a group of alerts again and again while it fires, and again when it is over; so an alert is known
by its fingerprint and start, and asks once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.monitor.due import Wish
from modelwright.store.ports import Store

HEARD = "alert_heard"
"""Event of an alert that asked for a retraining; its ``key`` is the alert's."""
VERSION = "4"
_LOOK = 1_000
_LONGEST = 300


class NotAnAlert(ModelwrightError):
    """The body is not what Alertmanager sends."""

    code = ExitCode.DATA


class Alert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One alert of the payload."""

    status: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    starts_at: datetime | None = None
    fingerprint: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.labels.get("alertname", "an alert without a name")

    @property
    def key(self) -> str:
        """Tells this firing of it from others."""
        labels = ",".join(f"{name}={value}" for name, value in sorted(self.labels.items()))
        start = "" if self.starts_at is None else self.starts_at.isoformat()
        return f"{self.fingerprint or labels} {start}"[:_LONGEST]

    @property
    def said(self) -> str:
        """Its own words, if it has any."""
        return (self.annotations.get("summary") or self.annotations.get("description") or "")[:_LONGEST]


class Payload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What Alertmanager POSTs; what is of no use here is passed over."""

    version: str
    status: str = ""
    alerts: tuple[Alert, ...] = ()


def read_payload(body: bytes) -> Payload:
    """The payload.

    Raises:
        NotAnAlert: It is none of version 4.
    """
    try:
        payload = msgspec.json.decode(body, type=Payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotAnAlert(
            f"The body is not a webhook of Alertmanager's: {error}.",
            "Send what Alertmanager's webhook_config sends, version 4.",
        ) from error
    if payload.version != VERSION:
        raise NotAnAlert(
            f"The webhook's version is '{payload.version[:20]}'; {VERSION} is understood.",
            "Point a webhook_config of Alertmanager at this address.",
        )
    return payload


def new_alerts(store: Store, project: str, payload: Payload) -> list[Alert]:
    """Those that fire and did not ask before."""
    heard = {event.data.get("key") for event in store.events.list(project, kind=HEARD, limit=_LOOK)}
    firing = [alert for alert in payload.alerts if alert.status == "firing"]
    return [alert for alert in firing if alert.key not in heard]


def wish_of(alerts: Sequence[Alert]) -> Wish:
    """The retraining that they ask for together."""
    names = ", ".join(dict.fromkeys(alert.name for alert in alerts))
    said = next((alert.said for alert in alerts if alert.said), "")
    return Wish("alertmanager", f"{names}: {said}" if said else f"{names} fires.")


def note(store: Store, project: str, alerts: Sequence[Alert], job: str, outcome: str) -> None:
    """Remember that these asked, and what came of it."""
    for alert in alerts:
        store.events.add(
            project,
            HEARD,
            f"Alertmanager says {alert.name}{': ' + alert.said if alert.said else ''} ({outcome}).",
            {"key": alert.key, "alert": alert.name, "labels": alert.labels, "job": job, "outcome": outcome},
        )
