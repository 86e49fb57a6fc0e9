"""The rows of the benchmark table, and how they are printed."""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.frozen
class Row:
    """A figure of ours beside the same figure of a peer, measured in the same sitting.

    Attributes:
        name: what was measured.
        ours: our figure.
        unit: its unit.
        peer: whom we compare with.
        peer_value: the peer's figure, in the same unit.
        ratio: how many times better ours is.
        aim: the ratio aimed at, for example ``>= 1.4``.
    """

    name: str
    ours: float
    unit: str
    peer: str
    peer_value: float
    ratio: float
    aim: str


def print_table(rows: Sequence[Row]) -> None:
    """Print rows below their headings, each column as wide as its widest cell."""
    cells = [("what", "ours", "", "peer", "peer's", "ratio", "aim")]
    for row in rows:
        ours, theirs = f"{row.ours:,.0f}", f"{row.peer_value:,.0f}"
        cells.append((row.name, ours, row.unit, row.peer, theirs, f"{row.ratio:.2f}", row.aim))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())
