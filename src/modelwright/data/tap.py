"""The stream between a text file and its parser: unpacks, checks the encoding, counts.

A parser that meets a byte it cannot decode, or a gzip file that ends too early, words it badly or
goes on. This stream knows the byte and the line, and says what to do.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from pathlib import Path
from typing import IO, cast

from modelwright.data.faults import DataUnreadable

_BOMS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def open_bytes(path: Path) -> IO[bytes]:
    """Open ``path`` for reading, unpacking it if its name ends in ``.gz``.

    Raises:
        DataUnreadable: It is absent or may not be read.
    """
    packed = path.suffix.lower() == ".gz"
    try:
        return cast("IO[bytes]", gzip.GzipFile(path, "rb")) if packed else path.open("rb")
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> DataUnreadable:
    return DataUnreadable(
        f"The file {path} cannot be read: {error.strerror or error}.",
        f"Check that it exists and that you may read it: ls -l '{path}'",
    )


class Tap(io.RawIOBase):
    """A readable stream of a text file's bytes, unpacked, checked to be UTF-8.

    Attributes:
        quotes: Double quotes seen so far: an odd number at the end hints at one left open.
        lines: Line ends seen so far.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._source = open_bytes(path)
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._offset = 0
        self.quotes = 0
        self.lines = 0

    def readable(self) -> bool:
        """Whether this can be read: yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes at most, checked.

        Raises:
            DataUnreadable: Damaged or truncated gzip, bytes that are no UTF-8 text, a read error.
        """
        try:
            block = self._source.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataUnreadable(
                f"The file {self._path} is no complete gzip file: {error}.",
                "It was probably cut off while it was copied or downloaded: fetch it again "
                f"(gzip --test '{self._path}' checks it).",
            ) from error
        except OSError as error:
            raise _refused(self._path, error) from error
        self._check(block)
        self.quotes += block.count(b'"')
        self.lines += block.count(b"\n")
        self._offset += len(block)
        return block

    def _check(self, block: bytes) -> None:
        if self._offset == 0:
            self._check_start(block)
        zero = block.find(b"\0")
        if zero >= 0:
            line = self.lines + block.count(b"\n", 0, zero) + 1
            raise DataUnreadable(
                f"The file {self._path} is no text: there is a zero byte at offset "
                f"{self._offset + zero:,}, line {line:,}.",
                "Export the table as CSV in UTF-8, or as Parquet, and name that file.",
            )
        pending = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise self._undecodable(block, error.start - pending, error.object[error.start]) from error

    def _check_start(self, block: bytes) -> None:
        for bom, name in _BOMS.items():
            if block.startswith(bom):
                raise DataUnreadable(
                    f"The file {self._path} is {name} text; UTF-8 is needed.",
                    f"Convert it: iconv -f {name} -t UTF-8 '{self._path}' > converted.csv",
                )
        for magic, name in ((b"PAR1", "a Parquet file"), (b"PK\x03\x04", "a ZIP archive or spreadsheet")):
            if block.startswith(magic):
                raise DataUnreadable(
                    f"The file {self._path} is {name}, but its name says that it is text.",
                    "Rename a Parquet file to end in .parquet; unpack an archive; "
                    "save a spreadsheet as CSV in UTF-8.",
                )

    def _undecodable(self, block: bytes, position: int, byte: int) -> DataUnreadable:
        line = self.lines + block.count(b"\n", 0, max(position, 0)) + 1
        share_of_text = sum(32 <= b < 127 or b in b"\t\r\n" for b in block[:4096]) / max(1, len(block[:4096]))
        what = (
            f"The file {self._path} is not UTF-8: byte 0x{byte:02x} at offset {self._offset + position:,}, "
            f"line {line:,}."
        )
        if share_of_text < 0.7:
            return DataUnreadable(
                what, "It does not look like text at all: name a CSV, JSON lines or Parquet file."
            )
        return DataUnreadable(
            what,
            "It is probably in a Western European encoding. Convert it: "
            f"iconv -f WINDOWS-1252 -t UTF-8 '{self._path}' > converted.csv",
        )

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._source.close()
            super().close()
