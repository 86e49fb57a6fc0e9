"""One self-contained page: a lane per actor, time downwards, beside the quiet run."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from pyvirt_sim.explore.finding import Finding, Row

if TYPE_CHECKING:
    import jinja2

TIME_PX = 64
LANE_PX = 30
ROW_PX = 24
HEAD_PX = 84
TEXT_PX = 405
"""Room for an action of `LONGEST` characters; the whole of it shows when pointed at."""
LONGEST = 55


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
        runs=[("The failing schedule", failing), ("A schedule that passes", quiet)],
    )


def _template() -> jinja2.Template:
    import jinja2

    text = resources.files("pyvirt_sim.report").joinpath("timeline.html.j2").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(text)


def _diagram(rows: tuple[Row, ...]) -> dict[str, Any]:
    """Coordinates of one space-time diagram."""
    names = list(dict.fromkeys(row.actor for row in rows))
    lanes = {name: TIME_PX + LANE_PX * index + LANE_PX // 2 for index, name in enumerate(names)}
    places = [
        {
            "row": row,
            "kind": "decision" if row.is_decision else "different" if row.is_different else "same",
            "x": lanes[row.actor],
            "y": HEAD_PX + index * ROW_PX + ROW_PX // 2,
            "label": _clipped(row.action, LONGEST - len(row.actor)),
        }
        for index, row in enumerate(rows)
    ]
    text_x = TIME_PX + LANE_PX * len(names) + 12
    return {
        "lanes": list(lanes.items()),
        "places": places,
        "path": " ".join(f"{place['x']},{place['y']}" for place in places),
        "row_px": ROW_PX,
        "head_px": HEAD_PX,
        "text_x": text_x,
        "width": text_x + TEXT_PX,
        "height": HEAD_PX + len(rows) * ROW_PX + 12,
    }


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit, 9) - 1] + "…"
