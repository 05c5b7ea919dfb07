"""Text to numbers: one small vectoriser that training and serving share.

Words (and runs of words) and character n-grams are counted with sublinear term frequency, weighted
by smoothed inverse document frequency and scaled to unit length (l2), as in Manning, Raghavan and
Schuetze, "Introduction to Information Retrieval", ch. 6. It lives outside the ONNX graph because
ONNX's own tokeniser is wrong on accented and CJK words.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import msgspec
import numpy as np

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0670\u0900-\u0963\u0966-\u109f\u1780-\u17ff\u200d"
# One CJK character is a token (such text has no spaces; its word pairs then come as token pairs);
# elsewhere a run of letters, digits and the marks that scripts attach to letters.
_TOKEN = re.compile(f"[{_CJK}]|[^\\W_{_CJK}](?:[^\\W_{_CJK}]|[{_MARKS}])*")
_PRUNE_AT = 2_000_000  # distinct terms held while counting; beyond it, terms seen once are forgotten


class TextSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a text column is cut into terms and how many of them are kept.

    Attributes:
        words: Shortest and longest run of words counted as a term; ``None`` for no words.
        chars: Shortest and longest run of characters within a word (its edges count as a space);
            ``None`` for no character terms.
        max_features: Terms kept per kind of term: those in most documents.
        min_documents: A term in fewer documents than this is never kept.
        max_characters: Characters of one text that are looked at; bounds the work of one request.
    """

    words: tuple[int, int] | None = (1, 2)
    chars: tuple[int, int] | None = None
    max_features: int = 5000
    min_documents: int = 2
    max_characters: int = 20_000


class Terms(msgspec.Struct, frozen=True, dict=True):
    """The kept terms of one kind, sorted, with the number of training documents holding each."""

    terms: tuple[str, ...]
    documents: tuple[int, ...]
    total: int

    @cached_property
    def weights(self) -> dict[str, tuple[int, float]]:
        """Position and smoothed inverse document frequency of every term."""
        one_more = 1.0 + self.total
        return {
            term: (position, math.log(one_more / (1.0 + count)) + 1.0)
            for position, (term, count) in enumerate(zip(self.terms, self.documents, strict=True))
        }

    def count(self, terms: Iterable[str]) -> list[tuple[int, float]]:
        """Positions and weights (unit length together) of a document's known terms, ascending."""
        known = self.weights
        found = sorted((*known[term], times) for term, times in Counter(terms).items() if term in known)
        weighted = [(position, (1.0 + math.log(times)) * idf) for position, idf, times in found]
        length = math.sqrt(math.fsum(weight * weight for _, weight in weighted))
        return [(position, weight / length) for position, weight in weighted]


def normalise(text: str) -> str:
    """``text`` in compatibility-composed form (NFKC) without case, so that equal words are equal."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def tokens(text: str) -> list[str]:
    """The words of a normalised ``text``; each CJK character is a word of its own."""
    return _TOKEN.findall(text)


def word_terms(words: Sequence[str], shortest: int, longest: int) -> Iterator[str]:
    """Runs of ``shortest`` to ``longest`` words, joined by a space."""
    for size in range(shortest, longest + 1):
        if size == 1:
            yield from words
        else:
            for start in range(len(words) - size + 1):
                yield " ".join(words[start : start + size])


def char_terms(words: Sequence[str], shortest: int, longest: int) -> Iterator[str]:
    """Runs of ``shortest`` to ``longest`` characters within each word, its edges marked by a space."""
    for word in words:
        padded = f" {word} "
        length = len(padded)
        for size in range(shortest, longest + 1):
            if size >= length:
                yield padded
                break
            for start in range(length - size + 1):
                yield padded[start : start + size]


class Vectoriser(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fitted vectoriser of one text column.

    Attributes:
        settings: How texts are cut.
        words, chars: The kept terms; ``None`` for a kind that is not used.
    """

    settings: TextSettings
    words: Terms | None = None
    chars: Terms | None = None

    @classmethod
    def fit(cls, texts: Sequence[str], settings: TextSettings) -> Vectoriser:
        """Choose the terms from the training ``texts``. Deterministic; ties go by the alphabet."""
        in_words: Counter[str] = Counter()
        in_chars: Counter[str] = Counter()
        for text in texts:
            words = tokens(normalise(text[: settings.max_characters]))
            if settings.words is not None:
                in_words.update(set(word_terms(words, *settings.words)))
                _prune(in_words)
            if settings.chars is not None:
                in_chars.update(set(char_terms(words, *settings.chars)))
                _prune(in_chars)
        return cls(
            settings=settings,
            words=None if settings.words is None else _keep(in_words, settings, len(texts)),
            chars=None if settings.chars is None else _keep(in_chars, settings, len(texts)),
        )

    @property
    def width(self) -> int:
        """Number of numbers a text becomes."""
        return len(self.words.terms if self.words else ()) + len(self.chars.terms if self.chars else ())

    @property
    def names(self) -> tuple[str, ...]:
        """``word:foo`` or ``char:fo`` for each number, in order."""
        words = self.words.terms if self.words else ()
        chars = self.chars.terms if self.chars else ()
        return (*(f"word:{term}" for term in words), *(f"char:{term}" for term in chars))

    def weigh(self, text: str) -> list[tuple[int, float]]:
        """Position and weight of every known term of ``text``, positions ascending."""
        words = tokens(normalise(text[: self.settings.max_characters]))
        found: list[tuple[int, float]] = []
        start = 0
        if self.words is not None and self.settings.words is not None:
            found = self.words.count(word_terms(words, *self.settings.words))
            start = len(self.words.terms)
        if self.chars is not None and self.settings.chars is not None:
            chars = self.chars.count(char_terms(words, *self.settings.chars))
            found += [(start + position, weight) for position, weight in chars]
        return found

    def fill(self, texts: Sequence[str], target: np.ndarray) -> None:
        """Add the weights of ``texts`` to ``target``, a zeroed float32 array [texts, width]."""
        for row, text in enumerate(texts):
            if text:
                for position, weight in self.weigh(text):
                    target[row, position] = weight


def _prune(counts: Counter[str]) -> None:
    """Forget terms seen once when there are too many to hold (very large corpora)."""
    if len(counts) > _PRUNE_AT:
        for term in [term for term, count in counts.items() if count == 1]:
            del counts[term]


def _keep(counts: Counter[str], settings: TextSettings, total: int) -> Terms:
    """The terms in most documents, sorted; in a tiny corpus a single document is enough."""
    least = min(settings.min_documents, max(1, total // 10))
    often = [(-count, term) for term, count in counts.items() if count >= least]
    kept = sorted(term for _, term in sorted(often)[: settings.max_features])
    return Terms(terms=tuple(kept), documents=tuple(counts[term] for term in kept), total=total)
