"""``modelwright data show``: what was understood of each column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb

if TYPE_CHECKING:
    from rich.table import Table

    from modelwright.data.show import ColumnDescription, Description

BLOCKS = " ▁▂▃▄▅▆▇█"
MOST_COLUMNS = 60
_LONGEST = 60


@verb(
    "show",
    examples=[
        ("modelwright data show", "the data of the project here"),
        ("modelwright data show examples/titanic", ""),
        ("modelwright data show rows.csv", "a file that has no project yet"),
        ("modelwright data show --json | jq '.columns[].name'", ""),
    ],
)
@click.argument("path", required=False, metavar="[PATH]", type=click.Path())
@click.option(
    "--all", "every", is_flag=True, help=f"Show every column, also beyond the first {MOST_COLUMNS}."
)
def show(terminal: Terminal, path: str | None, every: bool) -> None:
    """Show what was understood of each column.

    Kind, missing values, range or most frequent values, and how they are distributed. PATH is a
    project or a data file. What is wrong is corrected under 'features:' in the project file.
    """
    import msgspec

    with working(terminal, "Reading the data"):
        origin, description = _described(path)
    data = {"source": origin, **msgspec.to_builtins(description)}
    terminal.result(data, lambda: _print(terminal, origin, description, every=every))


def _described(path: str | None) -> tuple[str, Description]:
    """Where the data came from, and what it holds."""
    from pathlib import Path

    from modelwright.cli.adopt import is_data
    from modelwright.data.infer import infer_schema
    from modelwright.data.load import read_table
    from modelwright.data.show import describe
    from modelwright.project.load import load
    from modelwright.project.model import Data
    from modelwright.schema.metrics import Task

    if path is not None and is_data(path):
        data, features, base, task, code = Data(source=path), {}, Path.cwd(), Task.CLUSTERING, None
    else:
        project = load(path)
        data, features, base = project.file.data, project.file.features, project.directory
        task, code = project.file.task, project.features_path
    loaded = read_table(data.source, base=base, missing=data.missing)
    table = loaded.table
    if code is not None and not data.built:
        from modelwright.train.raw import built

        table = built(table, code)
    inferred = infer_schema(table, data, features, task)
    return loaded.origin, describe(table, inferred, loaded.missing)


def _print(terminal: Terminal, origin: str, description: Description, *, every: bool) -> None:
    columns = sorted(description.columns, key=lambda column: _ORDER.index(column.role))
    shown = columns if every else columns[:MOST_COLUMNS]
    terminal.print(f"{origin}: {description.rows:,} rows, {len(columns)} columns")
    terminal.print()
    console = terminal.console()
    terminal.table(_table(shown, console.width) or _records(shown, console.width))
    if len(shown) < len(columns):
        terminal.print(f"… and {len(columns) - len(shown)} more columns: --all shows them.")
    for line in _remarks(description):
        terminal.print()
        terminal.print(line)


_ORDER = ("target", "feature", "ignored")
_STYLES = {"target": "bold green", "ignored": "dim"}
_WIDE = 110
"""From this width on the distribution has a column of its own."""
_NAME = 24
_VALUES, _DRAWN_VALUES = 26, 36
"""A table is worth its while with this much of names, and of values, perhaps behind a histogram."""


def _table(columns: Sequence[ColumnDescription], width: int) -> Table | None:
    """A line a column; ``None`` where ``width`` leaves no room for names and values."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    wide = width >= _WIDE
    titles = ["column", "kind", "missing", "distinct", *(["distribution"] if wide else []), "values"]
    rows = [_cells(column, wide=wide) for column in columns]
    needed = [
        max(len(title), *(cell_len(row[place]) for row in rows), 0) for place, title in enumerate(titles)
    ]
    left = width - sum(needed[1:-1]) - 2 * (len(titles) - 1)
    name = min(needed[0], left - min(needed[-1], _VALUES if wide else _DRAWN_VALUES))
    if name < min(needed[0], _NAME):
        return None
    widths = [name, *needed[1:-1], min(needed[-1], left - name)]
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 2, 0, 0))
    for title, given in zip(titles, widths, strict=True):
        justify: Any = "right" if title in ("missing", "distinct") else "left"
        table.add_column(title, width=given, justify=justify, overflow="ellipsis", no_wrap=True)
    for column, cells in zip(columns, rows, strict=True):
        table.add_row(*map(Text, cells), style=_STYLES.get(column.role, ""))
    return table


def _records(columns: Sequence[ColumnDescription], width: int) -> Table:
    """A few lines a column, with nothing cut: what a narrow terminal can show."""
    from rich.cells import cell_len
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid()
    for column in columns:
        style = _STYLES.get(column.role, "")
        name, kind, missing, distinct, drawn, values = _cells(column, wide=True)
        facts = [kind, missing and f"{missing} missing", distinct and f"{distinct} distinct"]
        told = ", ".join(filter(None, facts))
        title = Text(name, style=f"bold {style}")
        if cell_len(name) + 2 + cell_len(told) <= width:
            lines = [drawn, values]
            title.append(f"  {told}", style="not bold")
        else:
            lines = [told, drawn, values]
        if drawn and cell_len(drawn) + 2 + cell_len(values) <= width - 2:
            lines[-2:] = [f"{drawn}  {values}"]
        shown.add_row(title)
        for line in filter(None, lines):
            whole = bool(drawn) and line.startswith(drawn)
            for piece in [line] if whole else _folded(line, width - 2):
                shown.add_row(Padding(Text(piece, style=style, no_wrap=whole), (0, 0, 0, 2)))
    return shown


def _folded(listed: str, width: int) -> list[str]:
    """Lines that end between the things that are listed."""
    from rich.cells import cell_len

    lines = [""]
    for piece in listed.split(", "):
        longer = f"{lines[-1]}, {piece}" if lines[-1] else piece
        if lines[-1] and cell_len(longer) >= width:
            lines[-1] += ","
            lines.append(piece)
        else:
            lines[-1] = longer
    return lines


def _cells(column: ColumnDescription, *, wide: bool) -> list[str]:
    drawn = histogram(column.histogram)
    values = _values(column)
    return [
        _printable(column.name),
        column.kind + (" (target)" if column.role == "target" else ""),
        share(column.missing_share, column.missing),
        "" if column.distinct is None else f"{column.distinct:,}",
        *([drawn] if wide else []),
        f"{drawn}  {values}" if drawn and not wide else values,
    ]


def share(value: float, count: int) -> str:
    """A share as a percentage: empty for none, and never 0 % where there is something."""
    if not count:
        return ""
    if value < 0.001:
        return "<0.1 %"
    return f"{value:.1%}".replace("%", " %") if value < 0.9995 or value == 1 else ">99.9 %"


def number(value: float) -> str:
    """A number with as many digits as say something."""
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 1e9:
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.3g}"


def histogram(counts: Iterable[int]) -> str:
    """Counts as blocks of eight heights; what is not zero shows at least the lowest."""
    counts = list(counts)
    top = max(counts, default=0)
    if len(counts) < 2 or not top:
        return ""
    return "".join(BLOCKS[max(1, round(8 * count / top)) if count else 0] for count in counts)


def _values(column: ColumnDescription) -> str:
    if column.role == "ignored":
        return column.why
    if column.low is not None:
        if isinstance(column.low, str):
            return f"{column.low[:10]} to {str(column.high)[:10]}"
        high = number(float(column.high if column.high is not None else column.low))
        mean = "" if column.mean is None else f", mean {number(column.mean)}"
        return f"{number(column.low)} to {high}{mean}"
    if column.categories:
        known = max(1, column.rows - column.missing)
        return ", ".join(
            f"{_printable(name)} {share(count / known, count)}" for name, count in column.categories
        )
    return "" if column.example is None else f"for example: {_printable(str(column.example))}"


def _printable(text: str) -> str:
    """Text on one line, whatever is in it, and not without end."""
    line = "".join(letter if letter.isprintable() else "·" for letter in " ".join(text.split()) or text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _remarks(description: Description) -> Iterable[str]:
    if description.identifier is not None:
        yield f"Rows are told apart by: {_printable(description.identifier)}"
    spelt: dict[str, list[str]] = {}
    for column in description.columns:
        for spelling in column.spellings:
            if spelling.strip():
                spelt.setdefault(spelling, []).append(column.name)
    for spelling, names in spelt.items():
        listed = ", ".join(map(_printable, names[:8])) + (
            f" and {len(names) - 8} more" if len(names) > 8 else ""
        )
        yield f"'{_printable(spelling)}' is taken for a missing value in: {listed}"
