"""How much chance of error a duel may spend, so that asking again and again promotes no noise.

Every challenger of one champion is one look. Look ``k`` may err with probability ``ALPHA · 6 / (π k)²``;
these sum to ``ALPHA`` over all looks there can ever be, so by Bonferroni's inequality the chance that
a champion is *ever* replaced by a challenger that is no better stays below ``ALPHA``, however often
one is trained and however much the looks depend on each other (they share rows). A promotion starts
anew: the next question is about another champion.

Source: alpha spending of Foster and Stine, "Alpha-investing", J. R. Stat. Soc. B 70 (2008), section 3,
with the weights 1/k² of Javanmard and Montanari, "Online rules for control of false discovery rate",
Ann. Stat. 46 (2018); online Bonferroni as in Tian and Ramdas, "Online control of the familywise error
rate", Stat. Methods Med. Res. 30 (2021), section 2.
"""

from __future__ import annotations

import math

ALPHA = 0.05
"""Chance that a champion is ever replaced by one that is no better."""


def allowance(look: int, *, total: float = ALPHA) -> float:
    """What the ``look``-th duel against one champion may spend; looks count from 1.

    Raises:
        ValueError: ``look`` is below 1.
    """
    if look < 1:
        raise ValueError("looks count from 1")
    return total * 6.0 / (math.pi * look) ** 2
