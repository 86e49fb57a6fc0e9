"""What a campaign does, cut into chunks that do not depend on who does them."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from pyvirt_sim.campaign.chunk import Chunk
from pyvirt_sim.engine.choosers.named import SYSTEMATIC

DEFAULT_STRATEGIES = (
    *("random-walk", "pct-1", "pct-2", "pct-3", "urw", "pos", "preemption-bound-1"),
)
"""What the default portfolio is made of; here each has runs of its own."""


@attrs.frozen(kw_only=True)
class Plan:
    """A campaign: the same plan is the same set of chunks, however many workers there are.

    Args:
        subjects: Mutants and scenarios.
        strategies: Choosers by name; each gets all of ``schedules``.
        schedules: Runs for each subject and strategy.
        seed: Of the whole campaign.
        chunk: Runs of one chunk at most; a systematic strategy is always one chunk.
        is_over_at_first: Whether the first failure ends a chunk.
    """

    subjects: tuple[str, ...]
    strategies: tuple[str, ...] = DEFAULT_STRATEGIES
    schedules: int = 1000
    seed: int = 0
    chunk: int = 250
    is_over_at_first: bool = False

    def __attrs_post_init__(self) -> None:
        if self.schedules < 1 or self.chunk < 1:
            raise ValueError("schedules and chunk must be at least 1")

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, in the order in which results are told."""
        for subject in self.subjects:
            for strategy in self.strategies:
                size = self.schedules if strategy in SYSTEMATIC else self.chunk
                for number, start in enumerate(range(0, self.schedules, size)):
                    yield Chunk(
                        subject=subject,
                        strategy=strategy,
                        seed=_seed(self.seed, number),
                        schedules=min(size, self.schedules - start),
                        is_over_at_first=self.is_over_at_first,
                    )


def _seed(campaign: int, number: int) -> int:
    """Campaigns whose seeds are neighbours share no chunk."""
    return campaign * 1_000_003 + number
