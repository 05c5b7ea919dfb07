"""Explanations as the pages show them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

from modelwright.bundle.explain import Explanation, explain
from modelwright.bundle.occlusion import PatchMap, patch_maps
from modelwright.bundle.read import Bundle
from modelwright.schema.columns import Kind

_MOST = 15
_SHOWN_SIDE = 256  # pixels
_FAINTEST = 0.04  # of the strongest part's effect; weaker ones are not drawn
_STRONGEST = 0.62  # opacity


@dataclass(frozen=True, slots=True)
class Share:
    """A feature's part of the difference, with its bar's places in per cent."""

    name: str
    value: Any
    share: float
    zero: float
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of a picture, in pixels of the map, with the opacity it is drawn with."""

    x: float
    y: float
    width: float
    height: float
    effect: float
    opacity: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as the model sees it, and what its parts do.

    Attributes:
        column: The image column.
        address: The picture, small, as a data URL; encoded anew from pixels, so nothing else is in it.
        width, height: In pixels.
        patches: The parts whose effect is worth drawing.
        strongest: The largest effect either way; 0 where no part has any.
        where: The part that has it, in words.
    """

    column: str
    address: str
    width: int
    height: int
    patches: tuple[Patch, ...]
    strongest: float
    where: str


@dataclass(frozen=True, slots=True)
class Explained:
    """A model's explanation, ready to be drawn; or why there is none."""

    model: str
    problem: str = ""
    what: str = ""
    base: float = 0.0
    score: float = 0.0
    rows: int = 0
    runs: int = 0
    exact: bool = True
    shares: tuple[Share, ...] = ()
    others: int = 0
    rest: float = 0.0
    pictures: tuple[Seen, ...] = ()


def explain_row(bundle: Bundle, row: Any) -> list[Explained]:
    """Why each model answers ``row`` (as clients send it) as it does."""
    reading = bundle.rows.read([row])
    if any(error.type == "image_absent" for error in reading.errors):
        return [
            Explained(
                "",
                problem="The log keeps an image's name, not the image this answer saw. With "
                "serve.keep_images in the project file, images are kept for a while.",
            )
        ]
    if reading.errors:
        return [Explained("", problem="The row cannot be read by this version any more.")]
    several = len(bundle.models) > 1
    found = []
    for model in bundle.models:
        name = model.entry.name if several else ""
        pictures = tuple(_seen(each) for each in patch_maps(model, reading.columns))
        references = bundle.references(model)
        if references is None:
            found.append(
                Explained(
                    name,
                    problem="This version has no reference rows; its answers cannot be explained.",
                    pictures=pictures,
                )
            )
            continue
        found.append(
            _drawn(name, explain(model, reading.columns, references), _values(bundle, row), pictures)
        )
    return found


def _values(bundle: Bundle, row: Any) -> dict[str, Any]:
    """What is shown beside a feature: of a picture, that there is one."""
    if not isinstance(row, dict):
        return {}
    images = {column.name for column in bundle.schema.inputs if column.kind is Kind.IMAGE}
    return {name: "the picture" if name in images and value else value for name, value in row.items()}


def _seen(found: PatchMap) -> Seen:
    small = found.image.copy()
    small.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=85)
    rows, across = found.effects.shape
    width, height = small.size
    most = float(abs(found.effects).max())
    patches = []
    for row in range(rows):
        for column in range(across):
            effect = float(found.effects[row, column])
            if most > 0 and abs(effect) >= _FAINTEST * most:
                opacity = _STRONGEST * abs(effect) / most
                place = (column * width / across, row * height / rows, width / across, height / rows)
                patches.append(Patch(*place, effect, opacity))
    at = divmod(int(abs(found.effects).argmax()), across)
    strongest = float(found.effects[at])
    return Seen(
        column=found.column,
        address="data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode(),
        width=width,
        height=height,
        patches=tuple(patches),
        strongest=strongest,
        where=f"row {at[0] + 1} of {rows}, column {at[1] + 1} of {across}",
    )


def _drawn(name: str, found: Explanation, values: dict[str, Any], pictures: tuple[Seen, ...]) -> Explained:
    order = sorted(found.shares, key=lambda feature: -abs(found.shares[feature]))
    shown, rest = order[:_MOST], order[_MOST:]
    low = min(0.0, *(found.shares[feature] for feature in shown)) if shown else 0.0
    high = max(0.0, *(found.shares[feature] for feature in shown)) if shown else 0.0
    span = (high - low) or 1.0
    zero = 100 * -low / span
    return Explained(
        model=name,
        what=found.what,
        base=found.base,
        score=found.score,
        rows=found.rows,
        runs=found.runs,
        exact=found.exact,
        shares=tuple(
            Share(
                feature,
                values.get(feature),
                found.shares[feature],
                zero,
                zero + min(0.0, 100 * found.shares[feature] / span),
                max(0.4, 100 * abs(found.shares[feature]) / span),
            )
            for feature in shown
        ),
        others=len(rest),
        rest=sum(found.shares[feature] for feature in rest),
        pictures=pictures,
    )
