"""A picture of an alarm: how a feature was distributed in training and is now, as SVG.

Written by hand: the server must not load a plotting library.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from modelwright.files import write_whole
from modelwright.monitor.counts import ColumnCounts
from modelwright.schema.profile import ColumnProfile

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 300, 48, 64, 64
_BEFORE, _NOW = "#9aa5b1", "#d9480f"
_MOST, _LONGEST = 20, 90
_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")


def shares(profile: ColumnProfile, counts: ColumnCounts) -> dict[str, Any]:
    """Shares of each bin or category, in training and now, with their names.

    Returns:
        ``{"names": [...], "before": [...], "now": [...]}``, at most 20 of them.
    """
    if profile.categories:
        names = [*profile.categories[: _MOST - 1], "(others)"]
        first, rest = list(profile.counts[: _MOST - 1]), sum(profile.counts[_MOST - 1 :]) + profile.other
        now_first, now_rest = counts.bins[: _MOST - 1], sum(counts.bins[_MOST - 1 :])
        before, now = [*first, rest], [*now_first, now_rest + counts.other + counts.unseen]
    else:
        edges = [f"{edge:.4g}" for edge in profile.edges]
        names = [
            f"{low or '-∞'} … {high or '∞'}" for low, high in zip(["", *edges], [*edges, ""], strict=True)
        ]
        before, now = list(profile.counts), list(counts.bins)
    known_before, known = max(1, profile.rows - profile.missing), max(1, counts.known)
    return {
        "names": names,
        "before": [count / known_before for count in before],
        "now": [count / known for count in now],
    }


def picture(title: str, told: dict[str, Any]) -> str:
    """The shares as two bars each.

    Args:
        title: One sentence.
        told: What ``shares`` gave.
    """
    names, before, now = told["names"], told["before"], told["now"]
    top = max([*before, *now, 0.01])
    step = (_WIDTH - _LEFT - 16) / max(1, len(names))
    height = _HEIGHT - _TOP - _BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" role="img">',
        f"<title>{_text(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="13" fill="#1f2933">{_text(_cut(title))}</text>',
        *_key(),
    ]
    for place, (name, was, is_now) in enumerate(zip(names, before, now, strict=True)):
        left = _LEFT + place * step
        for offset, share, colour in ((0.1, was, _BEFORE), (0.5, is_now, _NOW)):
            bar = height * share / top
            lines.append(
                f'<rect x="{left + offset * step:.1f}" y="{_TOP + height - bar:.1f}" '
                f'width="{0.4 * step:.1f}" height="{bar:.1f}" fill="{colour}"/>'
            )
        x, y = left + step / 2, _HEIGHT - _BOTTOM + 14
        lines.append(
            f'<text x="{x:.1f}" y="{y}" font-size="9" fill="#52606d" text-anchor="end" '
            f'transform="rotate(-35 {x:.1f} {y})">{_text(name[:18])}</text>'
        )
    for share in (0.0, top / 2, top):
        y = _TOP + height - height * share / top
        lines.append(
            f'<text x="{_LEFT - 6}" y="{y + 3:.1f}" font-size="9" fill="#52606d" text-anchor="end">'
            f"{100 * share:.0f} %</text>"
        )
    return "\n".join([*lines, "</svg>", ""])


def _key() -> list[str]:
    return [
        f'<rect x="16" y="38" width="10" height="10" fill="{_BEFORE}"/>',
        '<text x="32" y="47" font-size="11" fill="#52606d">in training</text>',
        f'<rect x="110" y="38" width="10" height="10" fill="{_NOW}"/>',
        '<text x="126" y="47" font-size="11" fill="#52606d">now</text>',
    ]


def write_picture(folder: Path, name: str, text: str) -> Path:
    """Write it whole under a name made of ``name``; where it lies.

    Raises:
        StorageFailure: It cannot be written.
    """
    path = folder / f"{_PLAIN.sub('-', name)[:100]}.svg"
    write_whole(path, text, "drawing an alarm")
    return path


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _text(text: str) -> str:
    """``text`` as XML takes it: no markup, and no control characters."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))
