"""Model cards as HTML."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboards import markup_faults, words
from modelwright.serve.dashboard.markdown import html
from modelwright.train.report.page import _cell

CARD = """# Model card: iris

Answers `target` (**3** labels),
on two lines.

| Metric | Value |
| --- | ---: |
| a\\|b | 0.9 |
| `c` | |

| | |
| --- | --- |
| Gate | accepted |

## Limits

- one
  goes on
- two
"""


def test_a_card_is_shown_as_it_is_meant() -> None:
    """Headings below the page's, paragraphs, tables with numbers flush right, lists, code."""
    shown = str(html(CARD))
    for part in (
        "<h3>Model card: iris</h3>",
        "<p>Answers <code>target</code> (<b>3</b> labels), on two lines.</p>",
        '<th class="n">Value</th>',
        '<tr><td>a|b</td><td class="n">0.9</td></tr>',
        '<tr><td><code>c</code></td><td class="n"></td></tr>',
        "<thead></thead><tbody><tr><td>Gate</td><td>accepted</td></tr></tbody>",
        "<h4>Limits</h4>",
        "<ul><li>one goes on</li><li>two</li></ul>",
    ):
        assert part in shown


@given(st.text())
def test_no_text_becomes_markup(text: str) -> None:
    """Whatever stands in a card, no script, handler, link or image comes of it."""
    shown = str(html(text))
    assert markup_faults(shown) == []
    assert "<a" not in shown
    assert "<img" not in shown


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])))
def test_a_cell_comes_back_as_it_was(text: str) -> None:
    """What the card's writer makes of a name for a table is read as that name."""
    shown = words(str(html(f"| a |\n| --- |\n| {_cell(text)} |")))
    told = " ".join(text.split())
    if "\ue000" <= max(told, default="") <= "\ue080":
        return  # the private signs are this reader's own
    assert shown.removeprefix("a").strip() == told.strip()
