"""Freed memory goes back where the C library can be asked; elsewhere nothing happens."""

from __future__ import annotations

import ctypes

import pytest

from modelwright.bundle import heap


def test_it_may_be_asked_at_any_time() -> None:
    """Twice in a row, with nothing to give."""
    heap.give_back()
    heap.give_back()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Musl and macOS have no ``malloc_trim``."""

    def none(_name: object) -> object:
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", none)
    heap._trim.cache_clear()
    try:
        heap.give_back()
    finally:
        heap._trim.cache_clear()
