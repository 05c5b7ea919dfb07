"""Write synthetic purchase card transactions shaped as the real ones, for when those are not at hand.

Nobody made these purchases. Card holders get a rhythm (days between purchases), a size of purchase, a
set of merchants and a way of pausing; weekends, Christmas and August are quiet. Which columns there are,
how they are filled and how hard it is to tell who buys within a week are as in the real file.

    python examples/cardholders/make_data.py                    # 12,000 transactions
    python examples/cardholders/make_data.py --rows 442458 --layout oklahoma --out all.csv.gz
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
from pathlib import Path
from typing import IO

import numpy as np

BIRMINGHAM = [
    "TRANS DATE", "TRANS VAT DESC", "ORIGINAL GROSS AMT", "ORIGINAL CUR", "BILLING GROSS AMT",
    "BILLING CUR CODE", "MERCHANT NAME", "CARD NUMBER", "TRANS CAC CODE 1", "TRANS CAC DESC 1",
    "TRANS CAC CODE 2", "TRANS CAC DESC 2", "TRANS CAC CODE 3", "Directorate",
]  # fmt: skip
OKLAHOMA = [
    "Year-Month", "Agency Number", "Agency Name", "Cardholder Last Name", "Cardholder First Initial",
    "Description", "Amount", "Vendor", "Transaction Date", "Posted Date", "Merchant Category Code (MCC)",
]  # fmt: skip
FIRST, DAYS = np.datetime64("2014-04-01"), 1005  # to the end of 2016
OKLAHOMA_FIRST, OKLAHOMA_DAYS = np.datetime64("2013-07-01"), 365  # fiscal year 2014
PURPOSES = [
    ("L100", "Equip Operational"), ("L220", "Purchases Food"), ("L420", "Stationery"),
    ("L680", "Prof Fees other"), ("K020", "Vehicle Fuel"), ("MC70", "Conference Fees"),
]  # fmt: skip
UNITS = ["CYP&F SCHOOLS", "CYP&F", "Corporate Resources", "Local Services", "ADULTS & COMMUNITIES"]
SHOPS = ["stationery", "books", "travel", "hardware", "catering", "supplies", "software", "fuel"]


def calendar(first: np.datetime64, days: int) -> np.ndarray:
    """How busy each day is: weekends, the end of December and August are quiet."""
    dates = first + np.arange(days)
    weekday = (dates.astype(int) + 3) % 7
    month = dates.astype("datetime64[M]").astype(int) % 12 + 1
    day = (dates - dates.astype("datetime64[M]")).astype(int) + 1
    busy = np.where(weekday >= 5, 0.12, 1.0)
    busy[(month == 12) & (day >= 23)] *= 0.15
    busy[month == 8] *= 0.55
    return busy


def visits(rng: np.random.Generator, busy: np.ndarray) -> tuple[np.ndarray, float]:
    """Days on which one card holder buys, one entry a purchase, and the usual size of purchase."""
    days = len(busy)
    start = int(rng.integers(0, max(2, days * 3 // 4))) if rng.random() < 0.6 else 0
    stop = days if rng.random() < 0.55 else int(rng.integers(start, days))
    rate = np.exp(rng.normal(-2.6, 1.1))  # purchases a day
    pace = np.repeat(np.exp(rng.normal(0, 1.0, days // 28 + 1)), 28)[:days]  # months differ
    chance = np.clip(rate * pace * busy / busy.mean(), 0, 6)
    chance[:start] = chance[stop:] = 0
    return np.repeat(np.arange(days), rng.poisson(chance)), float(np.exp(rng.normal(3.7, 0.8)))


def purchases(rng: np.random.Generator, rows: int, busy: np.ndarray) -> dict[str, np.ndarray]:
    """At least ``rows`` transactions by day, card holder, amount and merchant, cut to ``rows``."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    made = holder = 0
    while made < rows or holder < 8:
        days, size = visits(rng, busy)
        count = len(days)
        amounts = np.round(np.exp(rng.normal(np.log(size), 1.1, count)), 2).clip(0.01)
        amounts[rng.random(count) < 0.023] *= -1  # refunds
        outlying = rng.random(count) < 0.002
        amounts[outlying] = np.round(amounts[outlying] * 150, 2)
        known = rng.integers(0, 4000, 1 + int(rng.integers(2, 40)))
        parts.append((days, np.full(count, holder), amounts, rng.choice(known, count)))
        made += count
        holder += 1
    day, who, amount, merchant = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.sort(rng.permutation(len(day))[:rows])
    return {"day": day[order], "who": who[order], "amount": amount[order], "merchant": merchant[order]}


def shop(number: int) -> str:
    """A merchant's name."""
    return f"{SHOPS[number % len(SHOPS)]} {number // len(SHOPS) + 1}"


def birmingham(rng: np.random.Generator, found: dict[str, np.ndarray]) -> list[list[object]]:
    """Rows in the layout of Birmingham City Council."""
    dates = np.datetime_as_string(FIRST + found["day"])
    purpose = rng.integers(0, len(PURPOSES), len(dates))
    vat = rng.choice(["VR", "VZ", "VE", ""], len(dates), p=[0.49, 0.32, 0.15, 0.04])
    billing = rng.choice(["GBP", ""], len(dates), p=[0.235, 0.765])
    return [
        [
            date, vat[row], amount, "", "", billing[row], shop(merchant), f"************{who:04d}",
            *PURPOSES[purpose[row]], f"R{who % 97:04d}", f"Centre {who % 97}", "A00", UNITS[who % len(UNITS)],
        ]
        for row, (date, who, amount, merchant) in enumerate(_columns(dates, found))
    ]  # fmt: skip


def oklahoma(rng: np.random.Generator, found: dict[str, np.ndarray]) -> list[list[object]]:
    """Rows in the layout of the State of Oklahoma."""
    dates = OKLAHOMA_FIRST + found["day"]
    posted = dates + rng.integers(1, 4, len(dates))
    codes = rng.integers(0, len(PURPOSES), len(dates))
    return [
        [
            str(date)[:7].replace("-", ""), 1000 + who % 40 * 100, f"AGENCY {who % 40}", f"Holder{who // 20}",
            chr(65 + who % 20), "GENERAL PURCHASE", amount, shop(merchant).upper(), _american(date),
            _american(posted[row]), PURPOSES[codes[row]][1].upper(),
        ]
        for row, (date, who, amount, merchant) in enumerate(_columns(dates, found))
    ]  # fmt: skip


def _columns(dates: np.ndarray, found: dict[str, np.ndarray]) -> zip:
    return zip(
        dates, found["who"].tolist(), found["amount"].tolist(), found["merchant"].tolist(), strict=True
    )


def _american(date: np.datetime64) -> str:
    year, month, day = str(date).split("-")
    return f"{month}/{day}/{year} 12:00:00 AM"


def write(out: Path, rows: int, seed: int, layout: str = "birmingham") -> None:
    """Write ``rows`` transactions to ``out``; gzipped where the name says so."""
    rng = np.random.default_rng(seed)
    first, days = (FIRST, DAYS) if layout == "birmingham" else (OKLAHOMA_FIRST, OKLAHOMA_DAYS)
    found = purchases(rng, rows, calendar(first, days))
    header, lines = (
        (BIRMINGHAM, birmingham(rng, found)) if layout == "birmingham" else (OKLAHOMA, oklahoma(rng, found))
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with _opened(out) as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(lines)


def _opened(out: Path) -> IO[str]:
    if out.suffix == ".gz":
        packed = gzip.GzipFile(out, "wb", mtime=0)  # no time in it: the same rows are the same file
        return io.TextIOWrapper(packed, encoding="utf-8", newline="")
    return out.open("w", newline="", encoding="utf-8")


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Write synthetic purchase card transactions.")
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layout", choices=["birmingham", "oklahoma"], default="birmingham")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "synthetic.csv")
    options = parser.parse_args()
    write(options.out, options.rows, options.seed, options.layout)
    print(f"{options.rows} synthetic transactions written to {options.out}")


if __name__ == "__main__":
    main()
