"""From card transactions to what two models learn: who is alike, and who buys again within k days.

``build(raw, model)`` makes the training rows of each model, ``online(raw, at)`` what is known of each
card holder at one moment. Both call ``known_at``, which looks at rows up to the moment it is asked
about and never at later ones: training sees of a day what serving would have seen on it.

Two layouts are read: purchase cards of Birmingham City Council, and of the State of Oklahoma.
Everything is vectorised over NumPy arrays: days are whole numbers since 1970, card holders are codes,
transactions are sorted by card holder and day.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

YEAR = 365
LIVELY = 180  # days without a purchase after which nobody is asked about a card holder any more
STEP = 5  # days between the moments that training looks from: coprime to 7, so every weekday occurs
WARM_UP = 150  # days of history before the first of these moments
HORIZONS = (1, 3, 7, 14, 30)  # the k that training asks about
WINDOWS = (7, 14, 28, 56, 91, 182)
LONGEST_GAP = 90  # longer gaps count as this long where gaps are counted by length
SAME_TIME = 364  # days back to the same weekday of last year
OUTLYING = 3.0  # robust deviations from the median, on a log scale
PEOPLE = ("usage_freq", "amount_spend", "uniq_merchant")

LAYOUTS = {
    "Birmingham": {"date": "TRANS DATE", "amount": "ORIGINAL GROSS AMT", "merchant": "MERCHANT NAME"},
    "Oklahoma": {"date": "Transaction Date", "amount": "Amount", "merchant": "Vendor"},
}


def build(raw: pd.DataFrame, model: str) -> pd.DataFrame:
    """The training rows of one model."""
    past = Past(transactions(raw))
    if model == "predicted_cluster":
        return people(past)
    return questions(past)


def online(raw: pd.DataFrame, at: pd.Timestamp | None = None) -> tuple[pd.DataFrame, pd.Timestamp]:
    """What is known of each card holder on the last day of the data, or at the end of day ``at``."""
    past = Past(transactions(raw))
    day = past.last_day if at is None else int(pd.Timestamp(at).timestamp() // 86_400)
    holders = np.flatnonzero(past.first_day <= day)
    known = known_at(past, holders, np.full(len(holders), day))
    table = pd.DataFrame({"name": past.names[holders], **known}).drop(columns=list(PEOPLE))
    return table, pd.Timestamp(day, unit="D", tz="UTC")


# --- reading ---------------------------------------------------------------------------------------


def transactions(raw: pd.DataFrame) -> pd.DataFrame:
    """Either layout as columns day (whole number), name, amount (refunds negative) and merchant."""
    layout = next((each for each in LAYOUTS.values() if set(each.values()) <= set(raw.columns)), None)
    if layout is None:
        wanted = " or ".join(f"{name} ({', '.join(each.values())})" for name, each in LAYOUTS.items())
        raise ValueError(f"the columns are of neither layout: {wanted}")
    dates = raw[layout["date"]]
    if not pd.api.types.is_datetime64_any_dtype(dates):
        dates = pd.to_datetime(dates.astype("string"), format="mixed", dayfirst=False, errors="coerce")
    amounts = raw[layout["amount"]]
    if not pd.api.types.is_numeric_dtype(amounts):
        plain = amounts.astype("string").str.replace(r"[£$,\s]", "", regex=True)
        plain = plain.str.replace(r"^\((.*)\)$", r"-\1", regex=True)
        amounts = pd.to_numeric(plain, errors="coerce")
    table = pd.DataFrame(
        {
            "day": dates.to_numpy().astype("datetime64[D]"),
            "name": _names(raw),
            "amount": amounts.to_numpy(dtype=float),
            "merchant": raw[layout["merchant"]].astype("string").str.strip().str.lower().fillna(""),
        }
    )
    good = table["day"].notna() & np.isfinite(table["amount"]) & (table["name"] != "")
    table = table[good]
    table["day"] = table["day"].to_numpy().astype("datetime64[D]").astype(np.int64)
    return table


def _names(raw: pd.DataFrame) -> pd.Series:
    """Who paid: the masked card number, or last name and initial, with the agency where two share them."""
    if "CARD NUMBER" in raw.columns:
        return raw["CARD NUMBER"].astype("string").str.strip().fillna("")
    names = (
        raw["Cardholder Last Name"].astype("string").fillna("").str.strip()
        + " "
        + raw["Cardholder First Initial"].astype("string").fillna("").str.strip()
    ).str.strip()
    agency = raw["Agency Number"].astype("string").fillna("")
    shared = agency.groupby(names).transform("nunique") > 1
    return names.mask(shared & (names != ""), names + " (" + agency + ")")


class Past:
    """Transactions in arrays, sorted by card holder and day.

    Attributes:
        names: Card holders; their positions are the codes.
        last_day: Of the data.
        first_day: Of each card holder's first purchase; far in the future where there is none.
        all, bought: The transactions, and those that are purchases (amounts above zero).
        visits: One entry a card holder and day with a purchase.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        codes, names = pd.factorize(table["name"], sort=True)
        self.names = np.asarray(names, dtype=object)
        self.last_day = int(table["day"].max())
        merchants = pd.factorize(table["merchant"])[0]
        days, amounts = table["day"].to_numpy(), table["amount"].to_numpy()
        order = np.lexsort((merchants, amounts, days, codes))
        codes, days, amounts, merchants = codes[order], days[order], amounts[order], merchants[order]
        self.all = Events(codes, days, amount=amounts)
        spent = amounts > 0
        self.bought = Events(codes[spent], days[spent], merchant=merchants[spent], amount=amounts[spent])
        keys = np.unique(self.bought.keys)
        self.visits = Events(keys // SPAN, keys % SPAN)
        self.first_day = np.full(len(names), SPAN, dtype=np.int64)
        np.minimum.at(self.first_day, self.bought.codes, self.bought.days)


SPAN = np.int64(1 << 20)  # more days than there are: (card holder, day) as one number


class Events:
    """Things that happened to card holders on days, sorted by both; ``values`` go along."""

    def __init__(self, codes: np.ndarray, days: np.ndarray, **values: np.ndarray) -> None:
        self.codes, self.days = codes.astype(np.int64), days.astype(np.int64)
        self.keys = self.codes * SPAN + self.days
        self.values = values

    def until(self, holders: np.ndarray, days: np.ndarray) -> np.ndarray:
        """How many of all events are of earlier card holders, or of these up to these days."""
        return np.searchsorted(self.keys, holders * SPAN + days, side="right")

    def count(self, holders: np.ndarray, days: np.ndarray, window: int) -> np.ndarray:
        """How many events each of these card holders had in the ``window`` days up to these days."""
        return self.until(holders, days) - self.until(holders, days - window)


# --- what is known -----------------------------------------------------------------------------------


def known_at(past: Past, holders: np.ndarray, days: np.ndarray) -> dict[str, np.ndarray]:
    """What the rows up to the end of each day tell of each card holder.

    Args:
        past: All transactions; later ones are not looked at.
        holders: Codes [rows] of card holders who bought by then.
        days: Days [rows].

    Returns:
        Columns [rows] of float64.
    """
    found = {**_amounts(past, holders, days), **_rhythm(past, holders, days)}
    found.update(_gaps(past, holders, days))
    found.update(_calendar(past, holders, days))
    return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}


def _amounts(past: Past, holders: np.ndarray, days: np.ndarray) -> dict[str, np.ndarray]:
    """Counts, sums and distinct merchants."""
    total = np.concatenate([[0.0], np.cumsum(past.all.values["amount"])])
    spent = np.concatenate([[0.0], np.cumsum(past.bought.values["amount"])])

    def summed(sums: np.ndarray, events: Events, window: int) -> np.ndarray:
        return np.round(sums[events.until(holders, days)] - sums[events.until(holders, days - window)], 2)

    gross = summed(spent, past.bought, 91)
    bought = past.bought.count(holders, days, 91)
    return {
        "usage_freq": past.bought.count(holders, days, YEAR),
        "amount_spend": summed(total, past.all, YEAR),
        "uniq_merchant": distinct(past.bought, holders, days, YEAR),
        "bought_28": past.bought.count(holders, days, 28),
        "bought_91": bought,
        "spent_28": summed(spent, past.bought, 28),
        "spent_91": gross,
        "mean_amount_91": np.divide(gross, bought, out=np.full(len(days), np.nan), where=bought > 0),
        "refunds_year": past.all.count(holders, days, YEAR) - past.bought.count(holders, days, YEAR),
        "merchants_56": distinct(past.bought, holders, days, 56),
    }


def distinct(bought: Events, holders: np.ndarray, days: np.ndarray, window: int) -> np.ndarray:
    """How many merchants each card holder bought from in the ``window`` days up to each day.

    A purchase counts from its day until the next at the same merchant, or until it leaves the window:
    so the number is that of purchases begun less that of purchases ended.
    """
    order = np.lexsort((bought.days, bought.values["merchant"], bought.codes))
    codes, days_of, merchants = bought.codes[order], bought.days[order], bought.values["merchant"][order]
    ends = days_of + window
    again = (codes[1:] == codes[:-1]) & (merchants[1:] == merchants[:-1])
    ends[:-1][again] = np.minimum(ends[:-1][again], days_of[1:][again])
    ended = np.sort(codes * SPAN + ends)
    return bought.until(holders, days) - np.searchsorted(ended, holders * SPAN + days, side="right")


def _rhythm(past: Past, holders: np.ndarray, days: np.ndarray) -> dict[str, np.ndarray]:
    """Days with purchases in windows up to the day, and how recent the last ones are."""
    visits = past.visits
    after = visits.until(holders, days)
    start = np.searchsorted(visits.keys, holders * SPAN)
    found: dict[str, np.ndarray] = {}
    for window in WINDOWS:
        found[f"days_{window}"] = visits.count(holders, days, window)
    found["tenure"] = days - past.first_day[holders]
    for back in (1, 2, 3, 5, 8, 13):
        known = after - back >= start
        since = days - visits.days[np.maximum(after - back, 0)]
        found["recency" if back == 1 else f"since_{back}"] = np.where(known, since, np.nan)
    found["visits"] = after - start
    found["days_per_week"] = 7.0 * found["visits"] / (found["tenure"] + 7.0)
    return found


def _gaps(past: Past, holders: np.ndarray, days: np.ndarray) -> dict[str, np.ndarray]:
    """The recency against the card holder's own gaps between days with purchases.

    ``within_h`` is the share of gaps that ended within h more days, of those that lasted as long as the
    present one does: the hazard of a renewal process by counting, drawn towards one half by one gap.
    """
    visits = past.visits
    gap = np.diff(visits.days, prepend=0)
    first = np.diff(visits.codes, prepend=-1) != 0
    short = np.minimum(gap, LONGEST_GAP)
    counts = np.zeros((len(gap) + 1, LONGEST_GAP + 1), dtype=np.int32)
    counts[np.flatnonzero(~first) + 1, short[~first]] = 1
    np.cumsum(counts, axis=0, out=counts)
    np.cumsum(counts, axis=1, out=counts)  # [visits + 1, gaps of at most this many days]
    after = visits.until(holders, days)
    start = np.searchsorted(visits.keys, holders * SPAN)
    recency = np.minimum(days - visits.days[after - 1], LONGEST_GAP)

    def at_most(length: np.ndarray) -> np.ndarray:
        length = np.minimum(length, LONGEST_GAP)
        return (counts[after, length] - counts[start, length]).astype(np.float64)

    survived = at_most(np.full(len(days), LONGEST_GAP)) - at_most(recency)
    found = {
        f"within_{ahead}": (at_most(recency + ahead) - at_most(recency) + 0.5) / (survived + 1.0)
        for ahead in HORIZONS
    }
    found["longer_gaps"] = survived
    found["recency_rank"] = at_most(recency) / np.maximum(after - start - 1, 1)
    lengths = np.log1p(np.where(first, 0, gap))
    logs, squares = (_running(lengths, first, power) for power in (1, 2))
    found["gap_mean"] = logs[after - 1]
    found["gap_spread"] = np.sqrt(np.maximum(squares[after - 1] - logs[after - 1] ** 2, 0.0))
    found["recency_in_gaps"] = (np.log1p(days - visits.days[after - 1]) - found["gap_mean"]) / (
        found["gap_spread"] + 0.3
    )
    return found


def _running(values: np.ndarray, first: np.ndarray, power: int, keep: float = 0.85) -> np.ndarray:
    """An exponentially weighted mean of each card holder's values up to each visit; NaN at the first."""
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, len(values)))
    order = np.argsort(-lengths, kind="stable")  # those with most visits first: each step takes a prefix
    starts, lengths = starts[order], lengths[order]
    weighted, weight = np.zeros(len(starts)), np.zeros(len(starts))
    result = np.full(len(values), np.nan)
    for step in range(1, int(lengths[0]) if len(lengths) else 0):
        there = np.searchsorted(-lengths, -step, side="left")  # lengths > step
        places = starts[:there] + step
        weighted[:there] = keep * weighted[:there] + values[places] ** power
        weight[:there] = keep * weight[:there] + 1.0
        result[places] = weighted[:there] / weight[:there]
    return result


def _calendar(past: Past, holders: np.ndarray, days: np.ndarray) -> dict[str, np.ndarray]:
    """Weekday, season, and how busy everybody was at this time a year ago and is now."""
    visits = past.visits
    first = int(visits.days.min()) if len(visits.days) else 0
    daily = np.bincount(visits.days - first, minlength=1)
    total = np.concatenate([[0.0], np.cumsum(daily)])

    def everybody(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Visits of all card holders after day ``start`` up to ``stop``."""
        edges = [np.clip(each + 1 - first, 0, len(daily)) for each in (start, stop)]
        return total[edges[1]] - total[edges[0]]

    last_year = days - SAME_TIME
    known = last_year - 60 >= first
    usual = everybody(last_year - 60, last_year + 60) / 120.0
    angle = 2.0 * np.pi * ((days - 10957) % 365.25) / 365.25
    found = {
        "weekday": (days + 3) % 7,
        "season_sin": np.round(np.sin(angle), 4),
        "season_cos": np.round(np.cos(angle), 4),
        "busy_now": everybody(days - 7, days) / np.maximum(everybody(days - 35, days) / 5.0, 1.0),
    }
    for ahead in (7, 30):
        seen = everybody(last_year, last_year + ahead) / ahead / np.maximum(usual, 1e-9)
        found[f"busy_last_year_{ahead}"] = np.where(known & (usual > 0), seen, np.nan)
        own = visits.until(holders, last_year + ahead) - visits.until(holders, last_year)
        found[f"own_last_year_{ahead}"] = np.where(past.first_day[holders] <= last_year, own, np.nan)
    weekend = visits.days % 7
    on_weekend = np.concatenate([[0], np.cumsum((weekend == 2) | (weekend == 3))])
    after, before = visits.until(holders, days), visits.until(holders, days - YEAR)
    seen = after - before
    share = np.divide(
        on_weekend[after] - on_weekend[before], seen, out=np.full(len(days), np.nan), where=seen > 0
    )
    found["weekend_share"] = share
    return found


# --- rows to learn from --------------------------------------------------------------------------------


def people(past: Past) -> pd.DataFrame:
    """One row a card holder of the last year, for the segments; outliers are answered, not learned from."""
    holders = np.flatnonzero(past.first_day <= past.last_day)
    known = known_at(past, holders, np.full(len(holders), past.last_day))
    table = pd.DataFrame({name: known[name] for name in PEOPLE})
    table = table[table["usage_freq"] > 0]
    logs = np.sign(table) * np.log1p(np.abs(table))
    middle = logs.median()
    spread = 1.4826 * (logs - middle).abs().median().clip(lower=1e-9)
    return table[((logs - middle).abs() <= OUTLYING * spread).all(axis=1)].reset_index(drop=True)


def moments(past: Past) -> tuple[np.ndarray, np.ndarray]:
    """Who is asked about when: every ``STEP`` days, those who bought in the last ``LIVELY`` days."""
    start = int(past.bought.days.min()) if len(past.bought.days) else past.last_day
    first = min(start + WARM_UP, past.last_day)
    grid = np.arange(first, past.last_day, STEP, dtype=np.int64)
    codes = np.arange(len(past.names))
    holders, days = np.repeat(codes, len(grid)), np.tile(grid, len(codes))
    bought = past.visits.count(holders, days, LIVELY) > 0
    return holders[bought], days[bought]


def questions(past: Past) -> pd.DataFrame:
    """One row a card holder, day and k: what was known, and whether a purchase came in the next k days.

    Days so late that the data does not tell what came of them are left out, each k for itself.
    """
    holders, days = moments(past)
    known = known_at(past, holders, days)
    k = np.asarray(HORIZONS)[mixed(holders, days) % len(HORIZONS)]
    answered = days + k <= past.last_day
    came = past.visits.until(holders, days + k) > past.visits.until(holders, days)
    table = pd.DataFrame({**known, "k": k, "name": past.names[holders]})
    table["as_of"] = pd.to_datetime(days, unit="D")
    table["will_spend"] = came.astype(int)
    return table[answered].reset_index(drop=True)


def mixed(holders: np.ndarray, days: np.ndarray) -> np.ndarray:
    """A number for each card holder and day, as good as random and always the same (splitmix64)."""
    value = (holders * SPAN + days).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(31)
    return (value * np.uint64(0xBF58476D1CE4E5B9)) >> np.uint64(33)
