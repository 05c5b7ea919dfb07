"""The server's own log: one line for people or for machines, with the request it is about, no password."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from modelwright.serve.asks import Ask
from modelwright.serve.logs import configure_logging
from modelwright.serve.wires import PREDICT


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The root logger is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def asked(id: str) -> Ask:
    """A request that came with an id."""
    made = Ask(PREDICT, b"", lambda _: None)
    made.headers = {"x-request-id": id}
    return made


def test_json_lines_carry_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, message with its password masked, the request's id, and the traceback, in one line."""
    configure_logging("info", "json")
    try:
        raise ValueError("a\nb")
    except ValueError:
        logging.getLogger("x").exception("at %s", "postgresql://ann:s3cret@h/d", extra=asked("order-7").told)
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert (found["level"], found["request_id"], found["protocol"]) == ("error", "order-7", "predict")
    assert "ValueError: a\nb" in found["exception"]
    assert "s3cret" not in line
    assert found["time"].endswith("+00:00")


def test_people_see_the_request_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Its id follows the message, and nothing does where there is none."""
    configure_logging("info", "text")
    logging.getLogger("x").warning("It failed", extra=asked("order-7").told)
    logging.getLogger("x").warning("It did not")
    logging.getLogger("x").debug("Unheard")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("It failed (request order-7)")
    assert second.endswith("It did not")
