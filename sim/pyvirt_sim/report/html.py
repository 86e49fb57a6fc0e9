"""One self-contained page: a lane per actor, time downwards, beside the quiet run."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from pyvirt_sim.engine.explain import Explanation, Row
from pyvirt_sim.engine.explain.text import pair
from pyvirt_sim.explore.finding import Finding

if TYPE_CHECKING:
    import jinja2

TIME_PX = 64
LANE_PX = 30
ROW_PX = 24
HEAD_PX = 84
TEXT_PX = 405
"""Room for an action of `LONGEST` characters; the whole of it shows when pointed at."""
LONGEST = 55
MAX_ROWS = 2000
"""Lines of one diagram: what leads to a failure is near its end, and a page must stay a page."""


def finding_as_html(finding: Finding) -> str:
    """The explanation of a failure as an HTML page that loads nothing from anywhere.

    Raises:
        ModuleNotFoundError: jinja2 is not installed; the extra ``sim`` has it.
    """
    return _page(
        title=finding.subject.name,
        summary=finding.subject.title,
        explanation=finding.explanation,
        rows=finding.rows,
        promise=finding.promise,
        replay_command=finding.replay_command,
    )


def explanation_as_html(explanation: Explanation, title: str, replay_command: str) -> str:
    """The explanation of a failure of any program, as such a page.

    Args:
        explanation: What to show.
        title: What failed.
        replay_command: What to paste into a shell to see it again.

    Raises:
        ModuleNotFoundError: jinja2 is not installed; the extra ``sim`` has it.
    """
    return _page(
        title=title,
        summary="A failing schedule, found by search and shrunk.",
        explanation=explanation,
        rows=explanation.rows,
        promise=None,
        replay_command=replay_command,
    )


def _page(*, explanation: Explanation, rows: tuple[Row, ...], **words: object) -> str:
    return _template().render(
        explanation=explanation,
        pair="\n".join(pair(explanation)),
        runs=[
            ("The failing schedule", _diagram(rows[-MAX_ROWS:])),
            ("A schedule that passes", _diagram(explanation.quiet_rows[-MAX_ROWS:])),
        ],
        **words,
    )


def _template() -> jinja2.Template:
    try:
        import jinja2
    except ModuleNotFoundError as error:
        reason = "pages need jinja2; install pyvirt-trio[sim]"
        raise ModuleNotFoundError(reason, name=error.name) from None

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
