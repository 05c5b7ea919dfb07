"""One HTML page a version, complete in itself: opens anywhere, with no network and no script."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from modelwright.figures import duration, size
from modelwright.train.report.facts import Facts
from modelwright.train.report.since import Since

_COLUMNS_SHOWN = 60
_SPELT = {
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "roc": "ROC curve",
    "mcc": "MCC",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "mape": "MAPE",
    "brier": "Brier score",
    "davies_bouldin": "Davies-Bouldin",
    "calinski_harabasz": "Calinski-Harabasz",
}


def page(found: Facts, folder: Path, since: Since | None = None) -> str:
    """The report of a version as text; everything from outside is escaped.

    Args:
        found: What is told.
        folder: Where the plots lie that it names; those that are gone are left out.
        since: What became of the version; ``None`` at its training.
    """
    environment = _environment(folder)
    return environment.get_template("report.html").render(
        facts=found, since=since, shown=_COLUMNS_SHOWN, several=len(found.models) > 1
    )


def card(found: Facts) -> str:
    """The model card as Markdown, after Mitchell et al., "Model cards for model reporting", 2019."""
    environment = _environment(Path())
    environment.filters["cell"] = _cell
    text = environment.get_template("card.md").render(facts=found, several=len(found.models) > 1)
    return text.strip() + "\n"


def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=PackageLoader("modelwright.train"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "quantity": _quantity,
        "seconds": lambda value: "" if value is None else duration(value),
        "size": lambda value: "" if value is None else size(value),
        "words": _words,
        "titled": lambda text: text[:1].upper() + text[1:],
        "picture": lambda name: _picture(folder / name),
        "day": lambda time: time.astimezone().strftime("%Y-%m-%d %H:%M"),
    }
    return environment


def _words(name: str) -> str:
    return _SPELT.get(str(name)) or str(name).replace("_", " ")


def _quantity(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _picture(path: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError:
        return ""


def _cell(value: object) -> str:
    """Text that stays what it is inside a Markdown table, also where it holds markup."""
    text = " ".join(str(value).split())
    for sign in "\\`*[<>|":
        text = text.replace(sign, "\\" + sign)
    return text
