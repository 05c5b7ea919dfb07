"""Model cards as HTML: the part of Markdown that they are written in, with everything else as plain words.

Headings, paragraphs, lists, tables, ``code`` and **bold**. No link, image or markup of the card's own
comes through: the text is escaped first, and what is put around it afterwards is ours alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup, escape

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ITEM = re.compile(r"[-*]\s+(.*)")
_RULE = re.compile(r":?-{3,}:?")
_ESCAPED = re.compile(r"\\([\\`*_\[\]<>|#-])")
_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_HIDDEN = 0xE000  # from here on, in Unicode's private area, stand escaped signs while the text is taken apart
_HIGHEST = 3  # the page has a heading above the card's own, and the card's box another


def html(text: str) -> Markup:
    """A card's Markdown as HTML."""
    hidden = _ESCAPED.sub(lambda found: chr(_HIDDEN + ord(found[1])), text)
    return Markup("\n").join(_blocks(hidden.splitlines()))


def _blocks(lines: Sequence[str]) -> Iterator[Markup]:
    for filled, group in groupby(lines, key=lambda line: bool(line.strip())):
        if filled:
            yield from _block([line.rstrip() for line in group])


def _block(lines: list[str]) -> Iterator[Markup]:
    heading = _HEADING.fullmatch(lines[0])
    if heading is not None:
        level = min(6, _HIGHEST - 1 + len(heading[1]))
        yield Markup("<h{0}>{1}</h{0}>").format(level, _inline(heading[2]))
        if lines[1:]:
            yield from _block(lines[1:])
    elif len(lines) > 1 and lines[0].startswith("|") and all(map(_RULE.fullmatch, _cells(lines[1]))):
        yield _table(lines)
    elif _ITEM.match(lines[0]):
        yield Markup("<ul>{}</ul>").format(Markup("").join(_items(lines)))
    else:
        yield Markup("<p>{}</p>").format(_inline(" ".join(line.strip() for line in lines)))


def _items(lines: Sequence[str]) -> Iterator[Markup]:
    """Items, each with the lines that go on with it."""
    held: list[str] = []
    for line in lines:
        item = _ITEM.match(line)
        if item is not None and held:
            yield Markup("<li>{}</li>").format(_inline(" ".join(held)))
            held = []
        held.append(item[1] if item is not None else line.strip())
    yield Markup("<li>{}</li>").format(_inline(" ".join(held)))


def _table(lines: Sequence[str]) -> Markup:
    titles, rules, *rows = map(_cells, lines)
    right = [rule.endswith(":") and not rule.startswith(":") for rule in rules]
    head = _row("th", titles, right) if any(titles) else Markup("")
    body = Markup("").join(_row("td", row, right) for row in rows)
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead>{}</thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(head, body)


def _row(tag: str, cells: Sequence[str], right: Sequence[bool]) -> Markup:
    numbers = [*right, *[False] * len(cells)]
    made = (
        Markup("<{0}{1}>{2}</{0}>").format(tag, Markup(' class="n"') if number else "", _inline(cell))
        for cell, number in zip(cells, numbers, strict=False)
    )
    return Markup("<tr>{}</tr>").format(Markup("").join(made))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _inline(text: str) -> Markup:
    """Words with code and bold ones; within code nothing else is meant."""
    return Markup("").join(
        Markup("<code>{}</code>").format(_plain(part)) if place % 2 else _bold(part)
        for place, part in enumerate(_CODE.split(text))
    )


def _bold(text: str) -> Markup:
    return Markup("").join(
        Markup("<b>{}</b>").format(_plain(part)) if place % 2 else _plain(part)
        for place, part in enumerate(_BOLD.split(text))
    )


def _plain(text: str) -> Markup:
    """Words as they are, with the signs that were escaped."""
    return escape(
        "".join(chr(ord(sign) - _HIDDEN) if _HIDDEN < ord(sign) < _HIDDEN + 128 else sign for sign in text)
    )
