"""The text vectoriser: any script, bounded, deterministic."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.text import TextSettings, Vectoriser, char_terms, normalise, tokens, word_terms


def test_equal_words_are_equal_however_they_are_typed() -> None:
    """Case, composed and decomposed accents, ligatures and full-width letters make no difference."""
    assert normalise("CAFÉ") == normalise("cafe\u0301") == "café"
    assert normalise("ﬁne \uff21\uff22\uff23 Straße") == "fine abc strasse"


def test_words_of_every_script_are_found() -> None:
    """Accents stay in the word, a CJK character is a word, marks of Indic and Thai letters stay with them."""
    assert tokens("naïve, don't — x2") == ["naïve", "don", "t", "x2"]
    assert tokens("数据 foo機械") == ["数", "据", "foo", "機", "械"]
    assert tokens("हिन्दी") == ["हिन्दी"]
    assert tokens("ภาษาไทย") == ["ภาษาไทย"]


def test_terms_are_runs_of_words_and_of_characters() -> None:
    """Word runs join with a space; character runs stay within a word and know its edges."""
    assert list(word_terms(["a", "b", "c"], 1, 2)) == ["a", "b", "c", "a b", "b c"]
    assert list(char_terms(["ab"], 2, 3)) == [" a", "ab", "b ", " ab", "ab "]
    assert list(char_terms(["a"], 2, 5)) == [" a", "a ", " a "]


def test_known_value() -> None:
    """Sublinear counts times smoothed inverse document frequency, at unit length."""
    fitted = Vectoriser.fit(["a a b", "b"], TextSettings(words=(1, 1)))
    a = (1 + np.log(2)) * (np.log(3 / 2) + 1)
    b = 1.0
    length = np.hypot(a, b)
    assert fitted.names == ("word:a", "word:b")
    assert np.allclose([weight for _, weight in fitted.weigh("A a B")], [a / length, b / length])


def test_the_terms_in_most_documents_are_kept() -> None:
    """The limit holds, and ties go by the alphabet."""
    fitted = Vectoriser.fit(["z b", "z a", "z c"], TextSettings(words=(1, 1), max_features=2))
    assert fitted.names == ("word:a", "word:z")


def test_work_on_one_text_is_bounded() -> None:
    """Characters beyond the limit are not looked at."""
    fitted = Vectoriser.fit(["a", "b"], TextSettings(words=(1, 1), max_characters=10))
    assert fitted.weigh("a" + " " * 20 + "b") == fitted.weigh("a")


@given(st.lists(st.text(), min_size=1, max_size=8), st.text())
def test_any_text_has_weights_of_unit_length_that_survive_json(texts: list[str], query: str) -> None:
    """Whatever the characters: no failure, unit length per kind of term, the same after a round trip."""
    settings = TextSettings(words=(1, 2), chars=(2, 4), min_documents=1)
    encodable = [text.encode("utf-8", "replace").decode() for text in texts]
    fitted = Vectoriser.fit(encodable, settings)
    again = msgspec.json.decode(msgspec.json.encode(fitted), type=Vectoriser)
    found = fitted.weigh(query)
    assert again.weigh(query) == found
    positions = [position for position, _ in found]
    assert positions == sorted(set(positions))
    words = len(fitted.words.terms) if fitted.words else 0
    for part in ([w for p, w in found if p < words], [w for p, w in found if p >= words]):
        assert not part or np.isclose(np.sqrt(np.sum(np.square(part))), 1.0)
