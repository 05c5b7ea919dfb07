"""What the verbs that ask a running server have in common: where it is by default, and the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

SERVER = "http://127.0.0.1:5000"
"""Where ``modelwright serve`` listens unless it is told otherwise."""

KEY_VARIABLE = "MODELWRIGHT_API_KEY"


def api_key_option(function: Function) -> Function:
    """``--api-key``: with which right."""
    return click.option(
        "--api-key",
        envvar=KEY_VARIABLE,
        metavar="KEY",
        help=f"API key or token; better in {KEY_VARIABLE}, which no process list shows.",
    )(function)
