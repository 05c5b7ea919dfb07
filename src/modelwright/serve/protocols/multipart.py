"""A row sent as a form with files (``curl -F photo=@cat.png``): files become data URLs, as in JSON."""

from __future__ import annotations

import base64
import logging
from email.message import Message
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from modelwright.serve.errors import BadBody

_SILENT = logging.Logger("form", logging.CRITICAL + 1)
_MOST_PARTS = 2_000
_MOST_HEADER = 8_192
_MOST_BOUNDARY = 70  # RFC 2046, 5.1.1


class _Part:
    def __init__(self) -> None:
        self.name = bytearray()
        self.value = bytearray()
        self.headers: dict[str, str] = {}
        self.data = bytearray()
        self.length = 0


class _Collector:
    """The callbacks of the parser; they only collect."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.ended = False

    def on_part_begin(self) -> None:
        if len(self.parts) >= _MOST_PARTS:
            raise BadBody(f"The form has more than {_MOST_PARTS} parts.", kind="too_long")
        self.parts.append(_Part())

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header(self.parts[-1].name, data[start:end])

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header(self.parts[-1].value, data[start:end])

    def _header(self, into: bytearray, piece: bytes) -> None:
        into += piece
        self.parts[-1].length += len(piece)
        if self.parts[-1].length > _MOST_HEADER:
            raise BadBody("A part of the form has too long headers.", kind="too_long")

    def on_header_end(self) -> None:
        part = self.parts[-1]
        name = part.name.decode("latin-1").strip().lower()
        part.headers[name] = part.value.decode("utf-8", "replace").strip()
        part.name.clear()
        part.value.clear()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += data[start:end]

    def on_end(self) -> None:
        self.ended = True


def read_row(body: bytes, boundary: str) -> dict[str, Any]:
    """The fields of a ``multipart/form-data`` body (RFC 7578) as a row.

    A field is text, empty for a missing value; a file becomes ``data:<type>;base64,…``.

    Raises:
        BadBody: The form is broken, or a name stands twice in it.
    """
    row: dict[str, Any] = {}
    for part in _parts(body, boundary):
        name, filename = _disposition(part.headers.get("content-disposition", ""))
        if not name:
            raise BadBody("A part of the form has no name.", kind="multipart_invalid")
        if name in row:
            raise BadBody(f"The name {name[:100]!r} stands twice in the form.", kind="duplicate_key")
        if filename is None:
            row[name] = _text(part.data, name) or None
        else:
            kind = part.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
            row[name] = f"data:{kind[:100]};base64,{base64.b64encode(part.data).decode('ascii')}"
    if not row:
        raise BadBody("There is no field in the form.", kind="too_short")
    return row


def _parts(body: bytes, boundary: str) -> list[_Part]:
    marker = boundary.encode("utf-8", "replace")
    if not 1 <= len(marker) <= _MOST_BOUNDARY:
        raise BadBody("The content type of a form must name its boundary.", kind="multipart_invalid")
    collector = _Collector()
    callbacks: Any = {
        name: getattr(collector, name)
        for name in (
            "on_part_begin",
            "on_header_field",
            "on_header_value",
            "on_header_end",
            "on_part_data",
            "on_end",
        )
    }
    try:
        parser = MultipartParser(marker, callbacks)
        parser.logger = _SILENT  # the refusal says it; a stranger is not to fill the log
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise BadBody(f"The form is broken: {error}.", kind="multipart_invalid") from None
    if not collector.ended:
        raise BadBody("The form ends before its last boundary.", kind="multipart_invalid")
    return collector.parts


def _disposition(header: str) -> tuple[str, str | None]:
    message = Message()
    message["content-disposition"] = header.replace("\r", " ").replace("\n", " ")
    name = message.get_param("name", header="content-disposition")
    filename = message.get_param("filename", header="content-disposition")
    return _unescaped(_plain(name) or ""), _plain(filename)


def _unescaped(name: str) -> str:
    """A name without what the HTML standard's form encoding escapes in it."""
    for escape, character in (("%22", '"'), ("%0D", "\r"), ("%0A", "\n")):
        name = name.replace(escape, character)
    return name


def _plain(value: object) -> str | None:
    if isinstance(value, tuple):  # RFC 2231: charset, language, text
        return str(value[2])
    return value if isinstance(value, str) else None


def _text(data: bytes | bytearray, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadBody(f"The field {name[:100]!r} is not UTF-8 text.", kind="multipart_invalid") from None
