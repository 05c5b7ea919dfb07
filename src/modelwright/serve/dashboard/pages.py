"""What each page is made of: which template, which view, and what of it lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modelwright.serve.dashboard.house import Room

if TYPE_CHECKING:
    from modelwright.store.ports import Store


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one page.

    Attributes:
        room: At whose.
        store: Its store.
        query: What the address asks for.
        path: The parts of the address.
        now: The present.
    """

    room: Room
    store: Store
    query: Mapping[str, str]
    path: Mapping[str, Any]
    now: datetime


View = Callable[[Look], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a project.

    Attributes:
        name: Of its template, and in the navigation.
        path: After the project's own.
        title: What it is called.
        view: What the template is given; runs in a thread.
        parts: Templates of what is shown anew while somebody looks.
        symbol: In the navigation; "" for a page that is reached from another.
    """

    name: str
    path: str
    title: str
    view: View
    parts: tuple[str, ...] = ()
    symbol: str = ""
