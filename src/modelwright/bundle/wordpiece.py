"""WordPiece: the tokeniser of BERT and most sentence encoders, in a page, from a vocabulary alone.

Devlin, Chang, Lee, Toutanova, "BERT", 2019, with Wu et al., "Google's Neural Machine Translation
System", 2016, section 4.1: words are cut greedily into the longest known pieces, those behind the first
marked by "##".
"""

from __future__ import annotations

import unicodedata
from functools import cached_property

import msgspec

_LONGEST_WORD = 100
_PAD, _UNKNOWN, _START, _END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"


class WordPiece(msgspec.Struct, frozen=True, dict=True):
    """A tokeniser.

    Attributes:
        vocabulary: The pieces, by their number.
        lower: Words are looked up in lower case and without accents.
        longest: Tokens of a text that are looked at, the two marks of its ends included.
        characters: Characters of a text that are looked at; bounds the work of one request.
    """

    vocabulary: tuple[str, ...]
    lower: bool = True
    longest: int = 256
    characters: int = 20_000

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {piece: number for number, piece in enumerate(self.vocabulary)}

    @property
    def complete(self) -> bool:
        """Whether the pieces that every text needs are there."""
        return {_UNKNOWN, _START, _END} <= self._numbers.keys()

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's pieces between the marks of its start and its end."""
        numbers = self._numbers
        found = [numbers[_START]]
        room = self.longest - 1
        for word in self.words(text[: self.characters]):
            if len(found) >= room:
                break
            found.extend(self._pieces(word))
        return [*found[:room], numbers[_END]]

    def words(self, text: str) -> list[str]:
        """The words of a text; a sign or an ideograph is a word of its own."""
        spaced: list[str] = []
        for character in text:
            code, category = ord(character), unicodedata.category(character)
            if code in {0, 0xFFFD} or (category.startswith("C") and character not in "\t\n\r"):
                continue
            if category == "Zs" or character in "\t\n\r":
                spaced.append(" ")
            elif _ideograph(code):
                spaced.append(f" {character} ")
            else:
                spaced.append(character)
        whole = "".join(spaced)
        if self.lower:
            # One by one: a whole word's lower case ends a Greek one in another sigma, the original does not.
            split = unicodedata.normalize("NFD", "".join(map(str.lower, whole)))
            whole = "".join(each for each in split if unicodedata.category(each) != "Mn")
        return "".join(f" {each} " if _sign(each) else each for each in whole).split()

    def _pieces(self, word: str) -> list[int]:
        numbers = self._numbers
        if len(word) > _LONGEST_WORD:
            return [numbers[_UNKNOWN]]
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                number = numbers.get(mark + word[start:end])
                if number is not None:
                    break
            else:
                return [numbers[_UNKNOWN]]
            pieces.append(number)
            start = end
        return pieces


def _sign(character: str) -> bool:
    """Whether a character is a word of its own: ASCII's signs, and what Unicode calls punctuation."""
    code = ord(character)
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_sign or unicodedata.category(character).startswith("P")


def _ideograph(code: int) -> bool:
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )
