"""What can go wrong between a client and a server."""

from __future__ import annotations

from typing import Any

from modelwright.errors import ExitCode, ModelwrightError


class ClientError(ModelwrightError):
    """What this client raises, apart from a missing extra."""

    code = ExitCode.UNAVAILABLE


class Unreachable(ClientError):
    """No answer came, however often it was tried."""

    def __init__(self, url: str, why: str, attempts: int) -> None:
        super().__init__(
            f"No answer came from {url} in {attempts} attempts: {why}.",
            "Check the address, and that the server runs: GET /health/ready says whether it may be asked.",
        )


class Refused(ClientError):
    """The server refused.

    Attributes:
        status: The HTTP status.
        problems: What is wrong where, as the server says it: ``{loc, msg, type, input}`` each.
    """

    def __init__(self, status: int, reason: str, instruction: str, problems: list[dict[str, Any]]) -> None:
        told = [f"{'.'.join(map(str, one.get('loc', ())))}: {one.get('msg', '')}" for one in problems]
        super().__init__(f"The server refused ({status}): {reason}", instruction, details=told)
        self.status = status
        self.problems = problems


class InvalidInput(Refused):
    """400: the rows do not fit the model."""

    code = ExitCode.DATA


class NotAllowed(Refused):
    """401 or 403: no credentials, or none that allow this."""


class UnexpectedAnswer(ClientError):
    """What came is no answer of a Modelwright server."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"What {url} answered is not what a Modelwright server says.", "Check that the address is one's."
        )


class UnsendableRow(ClientError):
    """A row holds something that cannot be sent."""

    code = ExitCode.DATA
