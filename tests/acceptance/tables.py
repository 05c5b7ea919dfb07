"""Tables of the kinds people have, made from a seed and written in every form the program reads."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import random
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]
_WORDS = "the a box parcel came to my house and café naïve it was on monday with blue tape".split()  # noqa: SIM905
_CITIES = ("Zürich", "São Paulo", "東京", "Saint-Étienne", 'O"Neil', "New, York", "it's")
_MOODS = {True: ("great", "lovely", "fine", "swift"), False: ("broken", "late", "awful", "slow")}


class Source(NamedTuple):
    """Data as a project names it, and the file that has its rows.

    Attributes:
        said: ``data.source`` of the project file.
        rows: A file that ``predict`` can read the same rows from.
    """

    said: str | dict[str, str]
    rows: Path


def mixed(count: int, *, seed: int = 1, dates: str = "%Y-%m-%d") -> list[Row]:
    """Rows of every kind: numbers, whole numbers with gaps, categories, yes and no, dates, text."""
    draw = random.Random(seed)
    return [_mixed_row(draw, dates) for _ in range(count)]


def _mixed_row(draw: random.Random, dates: str) -> Row:
    good = draw.random() < 0.5
    age = None if draw.random() < 0.15 else draw.randint(18, 90)
    day = datetime.date(2015, 1, 1) + datetime.timedelta(days=draw.randint(0, 3000))
    words = [
        draw.choice(_MOODS[good]) if draw.random() < 0.4 else draw.choice(_WORDS)
        for _ in range(draw.randint(4, 12))
    ]
    score = (1.5 if good else -1.5) + ((age or 50) - 50) / 40 + draw.gauss(0, 0.6)
    return {
        "customer id": f"{draw.getrandbits(128):032x}",
        "Age (years)": age,
        "net.income": None if draw.random() < 0.1 else round(draw.gauss(3000, 900), 2),
        'the "city"': draw.choice(_CITIES),
        "mitglied?": draw.choice(["yes", "no", "yes", "no", None]),
        "été": day.strftime(dates),
        "review, in words": " ".join(words),
        "sku": f"S{draw.randint(0, 3000):04d}",
        "größe\tcm": round(draw.random() * 100, 3),
        "const": "x",
        "Résultat": "très bon" if score > 0 else "pas bon",
    }


def wide(count: int, columns: int, *, seed: int = 2) -> list[Row]:
    """Rows of many numbers, of which a few say the target."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        values = [round(draw.gauss(0, 1), 4) for _ in range(columns)]
        total = sum(values[: max(1, columns // 20)])
        made.append({f"v.{place}": value for place, value in enumerate(values)} | {"class": int(total > 0)})
    return made


def priced(count: int, *, seed: int = 3) -> list[Row]:
    """Rows with a price to predict."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        rooms, quarter = draw.randint(1, 9), draw.choice(["north", "south", "?"])
        price = 35.5 * rooms + (80 if quarter == "north" else 0) + draw.gauss(0, 4)
        made.append({"rooms": rooms, "quarter": quarter, "price": round(price, 2)})
    return made


def clouds(count: int, *, seed: int = 4) -> list[Row]:
    """Rows about three places."""
    draw = random.Random(seed)
    places = [(0.0, 0.0), (10.0, 0.0), (0.0, 10.0)]
    made = []
    for _ in range(count):
        east, north = draw.choice(places)
        made.append({"east": east + draw.gauss(0, 0.7), "north": north + draw.gauss(0, 0.7)})
    return made


def delimited(rows: Sequence[Row], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """Rows as CSV; what is missing is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def _file(name: str, content: Callable[[Sequence[Row]], bytes]) -> Callable[[Path, Sequence[Row]], Source]:
    def write(folder: Path, rows: Sequence[Row]) -> Source:
        (folder / name).write_bytes(content(rows))
        return Source(name, folder / name)

    return write


def _json_lines(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _parquet(rows: Sequence[Row]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return bytes(sink.getvalue())


def _folder(folder: Path, rows: Sequence[Row]) -> Source:
    place = folder / "parts of it"
    place.mkdir()
    half = len(rows) // 2
    for number, part in enumerate((rows[:half], rows[half:])):
        (place / f"part-{number}.parquet").write_bytes(_parquet(part))
    return Source(place.name, place)


def _sqlite(folder: Path, rows: Sequence[Row]) -> Source:
    names = ", ".join(quoted(name) for name in rows[0])
    with sqlite3.connect(folder / "shop.db") as connection:
        connection.execute(f"create table sales ({names})")
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"insert into sales values ({marks})", [tuple(row.values()) for row in rows])
    connection.close()
    (folder / "sales.csv").write_bytes(delimited(rows))
    return Source({"url": "sqlite:///shop.db", "query": "select * from sales"}, folder / "sales.csv")


def quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


FORMS: dict[str, Callable[[Path, Sequence[Row]], Source]] = {
    "csv": _file("a table.csv", delimited),
    "csv, byte order mark": _file("bom.csv", lambda rows: delimited(rows, encoding="utf-8-sig")),
    "csv with semicolons": _file("table.csv", lambda rows: delimited(rows, ";")),
    "csv.gz": _file("table.csv.gz", lambda rows: gzip.compress(delimited(rows))),
    "tsv": _file("täble.tsv", lambda rows: delimited(rows, "\t")),
    "json lines": _file("table.jsonl", _json_lines),
    "json lines, gz": _file("table.jsonl.gz", lambda rows: gzip.compress(_json_lines(rows))),
    "parquet": _file("table.parquet", _parquet),
    "folder of parquet": _folder,
    "sqlite": _sqlite,
}
"""How rows are written, by the name of the form."""
