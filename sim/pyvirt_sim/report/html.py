"""One self-contained page: a lane per actor, time downwards, beside the quiet run."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from pyvirt_sim.checkers.promise import VERDICT_ACTOR
from pyvirt_sim.engine import Run
from pyvirt_sim.engine.explain import Explanation, Row, messages_of
from pyvirt_sim.engine.explain.text import pair
from pyvirt_sim.explore.finding import Finding

if TYPE_CHECKING:
    import jinja2

TIME_PX = 64
LANE_PX = 30
ROW_PX = 24
HEAD_PX = 84
POINT_PX = 8
"""Where an arrow ends before the point it leads to."""
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
    quiet = explanation.quiet
    runs = [("fails", "The failing schedule", _diagram(explanation.run, rows[-MAX_ROWS:]))]
    if quiet is not None:
        quiet_rows = explanation.quiet_rows[-MAX_ROWS:]
        runs.append(("passes", "A schedule that passes", _diagram(quiet, quiet_rows)))
    lanes = [name for _, _, diagram in runs for name, _ in diagram["lanes"]]
    return _template().render(
        explanation=explanation,
        pair="\n".join(pair(explanation)),
        runs=runs,
        actors=list(dict.fromkeys(lanes)),
        **words,
    )


def _template() -> jinja2.Template:
    try:
        import jinja2
        import markupsafe
    except ModuleNotFoundError as error:
        reason = "pages need jinja2; install pyvirt-trio[sim]"
        raise ModuleNotFoundError(reason, name=error.name) from None

    def text(name: str) -> str:
        return resources.files("pyvirt_sim.report").joinpath(name).read_text("utf-8")

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    # Ours, and free of anything that a program under test has said.
    ours = {name: markupsafe.Markup(text(f"timeline.{name}")) for name in ("css", "js")}
    return environment.from_string(text("timeline.html.j2"), globals=ours)


def _diagram(run: Run, rows: tuple[Row, ...]) -> dict[str, Any]:
    """Coordinates of one space-time diagram."""
    names = list(dict.fromkeys(row.actor for row in rows))
    lanes = {name: TIME_PX + LANE_PX * index + LANE_PX // 2 for index, name in enumerate(names)}
    trace, messages = run.trace, messages_of(run, rows)
    sender = {message.received: rows[message.sent] for message in messages}
    places = [
        {
            "row": row,
            "kind": _kind(row),
            "x": lanes[row.actor],
            "y": HEAD_PX + index * ROW_PX + ROW_PX // 2,
            "label": _clipped(row.action, LONGEST - len(row.actor)),
            "step": trace[min(max(row.step - 1, 0), len(trace) - 1)],
            "follows": f"{sender[index].actor}: {sender[index].action}" if index in sender else "",
        }
        for index, row in enumerate(rows)
    ]
    text_x = TIME_PX + LANE_PX * len(names) + 12
    return {
        "lanes": list(lanes.items()),
        "places": places,
        "arrows": [
            {
                "sent": one.sent,
                "received": one.received,
                "d": _arrow(places[one.sent], places[one.received]),
            }
            for one in messages
        ],
        "row_px": ROW_PX,
        "head_px": HEAD_PX,
        "text_x": text_x,
        "width": text_x + TEXT_PX,
        "height": HEAD_PX + len(rows) * ROW_PX + 12,
    }


def _kind(row: Row) -> str:
    """Its class on the page."""
    if row.actor == VERDICT_ACTOR:
        return "broken-row"
    if row.is_fault:
        return "fault"
    return "decision" if row.is_decision else "different" if row.is_different else "same"


def _arrow(sent: dict[str, Any], received: dict[str, Any]) -> str:
    """From one point down to another: straight to the next line, bent around those between."""
    x1, y1, x2, y2 = sent["x"], sent["y"] + POINT_PX - 2, received["x"], received["y"]
    side = POINT_PX if x2 < x1 else -POINT_PX
    return f"M{x1} {y1} C{x1} {y2 - 2} {x1} {y2} {x2 + side} {y2}"


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit, 9) - 1] + "…"
