"""What a verb writes, and where: results on standard output, everything else on standard error.

With ``--json`` standard output holds exactly one JSON document; with an error it stays empty.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


@dataclass(slots=True)
class Terminal:
    """How this run speaks.

    Attributes:
        json: Results as JSON, for programs.
        quiet: No notices, only results and errors.
        debug: Tracebacks with errors.
    """

    json: bool = False
    quiet: bool = False
    debug: bool = False

    def result(self, data: Any, show: Callable[[], None]) -> None:
        """Give the verb's result: ``data`` as JSON where asked for, else whatever ``show`` prints."""
        if self.json:
            click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))
        else:
            show()

    def say(self, text: str = "") -> None:
        """A notice to the person at the terminal."""
        if not self.quiet:
            notice(text)

    def warn(self, text: str) -> None:
        """Something odd that doesn't stop the verb."""
        if not self.quiet:
            notice(f"{click.style('Warning:', fg='yellow')} {text}")

    def print(self, text: str = "") -> None:
        """A line of the result."""
        click.echo(text, color=colour(sys.stdout))

    def console(self) -> Console:
        """A rich console on standard output; on a pipe as wide as its content needs."""
        from rich.console import Console

        if sys.stdout.isatty() or "COLUMNS" in os.environ:
            return Console(highlight=False, emoji=False, markup=False)
        return Console(highlight=False, emoji=False, markup=False, width=1000)

    def table(self, table: Table) -> None:
        """Print a table without trailing blanks on a pipe; as records where the terminal is too narrow."""
        console = self.console()
        # A table that cuts its own cells to the terminal's width is made for it, however narrow.
        folds = bool(table.columns) and all(column.overflow == "fold" for column in table.columns)
        shown = _records(table) if folds and _needed(table) > console.width else table
        with console.capture() as captured:
            console.print(shown)
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), color=True)


def notice(text: str, *, end: bool = True) -> None:
    """Write to standard error, above whatever bar is drawn there.

    Args:
        text: With escape codes for colours, which only a terminal gets.
        end: End the line.
    """
    # Named as it stands now: asked for "standard error", click would find the terminal below the bar's
    # stand-in, and the bar would be drawn over what it wrote.
    click.echo(text, file=sys.stderr, nl=end, color=colour(sys.stderr))


def colour(stream: Any) -> bool:
    """Whether ``stream`` should get colours: a terminal, unless NO_COLOR is set (no-color.org)."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR")


_UNBROKEN = 24
"""So many characters of a column of single words are not broken where a table is narrow."""


def plain_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> Table:
    """A table without frame: titles in bold, long cells folded, but no short words broken.

    Args:
        titles: Column titles.
        rows: Cells as text; nothing in them is taken for markup.
        right: Titles of the columns that stand flush right.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for place, title in enumerate(titles):
        cells = [row[place] for row in rows]
        table.add_column(
            title,
            justify="right" if title in right else "left",
            overflow="fold",
            no_wrap=title in right or not any(" " in cell or len(cell) > _UNBROKEN for cell in cells),
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


_PROSE = 48
"""A cell longer than this is text to be read."""

_READABLE = 28
"""So many characters a line such a text is given at least."""


def _needed(table: Table) -> int:
    """The width from which a table of text is read with ease: no word broken, and room for prose."""
    from rich.cells import cell_len

    def wide(text: str, *, whole: bool) -> int:
        if whole:
            return cell_len(text)
        longest = max(map(cell_len, text.split()), default=0)
        return max(min(longest, _UNBROKEN), _READABLE if cell_len(text) > _PROSE else 0)

    columns = [
        max(wide(str(cell), whole=column.no_wrap) for cell in (column.header, *column.cells))
        for column in table.columns
    ]
    return sum(columns) + sum(table.padding[1::2]) * (len(columns) - 1)


def _records(table: Table) -> Table:
    """The same a row at a time, a line a column: what a narrow terminal can show."""
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid(padding=(0, 2, 0, 0))
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    columns = [(str(column.header), list(column.cells)) for column in table.columns]
    for row in range(table.row_count):
        if row:
            shown.add_row("", "")
        for title, cells in columns:
            if str(cells[row]):
                shown.add_row(Text(title), cells[row])
    return shown
