"""The storm of the benchmark, in small: the same checks, of fast and slow observers."""

from __future__ import annotations

from tests.benchmarks.observers import CALM, storm


def test_fast_observers_see_all_in_order_and_slow_ones_exactly_one_gap() -> None:
    result = storm(events=8000, fast=5, slow=5, length=512)
    assert result.delivered == 5 * (8000 + CALM)
    assert result.gaps == [1] * 5


def test_nobody_is_told_of_a_gap_when_the_journal_is_long_enough() -> None:
    result = storm(events=200, fast=3, slow=3, length=512)
    assert result.delivered == 3 * (200 + CALM)
    assert result.gaps == [0] * 3
