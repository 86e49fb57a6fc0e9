"""One self-contained page: a lane per actor, time downwards, the broken promise in red."""

from __future__ import annotations

import itertools
from importlib import resources
from typing import TYPE_CHECKING, Any

from pyvirt_sim.explore.finding import Finding, Row

if TYPE_CHECKING:
    import jinja2

LANE_PX = 190
ROW_PX = 30
HEAD_PX = 54


def finding_as_html(finding: Finding) -> str:
    """The explanation of a failure as an HTML page that loads nothing from anywhere.

    Raises:
        ModuleNotFoundError: jinja2 is not installed; the extra ``sim`` has it.
    """
    failing = _diagram(finding.rows)
    quiet = _diagram(finding.quiet_rows)
    return _template().render(
        finding=finding,
        promise=finding.promise,
        runs=[("The failing schedule", failing), ("The quiet run", quiet)],
    )


def _template() -> jinja2.Template:
    import jinja2

    text = resources.files("pyvirt_sim.report").joinpath("timeline.html.j2").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(text)


def _diagram(rows: tuple[Row, ...]) -> dict[str, Any]:
    """Coordinates of one space-time diagram."""
    lanes = list(dict.fromkeys(row.actor for row in rows))
    places = [
        {
            "row": row,
            "x": lanes.index(row.actor) * LANE_PX + LANE_PX // 2 + 70,
            "y": HEAD_PX + index * ROW_PX + ROW_PX // 2,
            "label": _clipped(row.action),
        }
        for index, row in enumerate(rows)
    ]
    return {
        "lanes": [(name, index * LANE_PX + LANE_PX // 2 + 70) for index, name in enumerate(lanes)],
        "places": places,
        "steps": list(itertools.pairwise(places)),
        "width": len(lanes) * LANE_PX + 90,
        "height": HEAD_PX + len(rows) * ROW_PX + 20,
    }


def _clipped(text: str, limit: int = 27) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
