"""What a client believes against what is so."""

from __future__ import annotations

from pyvirt_sim.checkers.always import Always, tells_nothing
from pyvirt_sim.checkers.trace import Checker, Trace, seen

NAME = "client-agrees"
PROMISE = "When all is quiet, a client believes what is so."
QUESTION = "mistake"


def client_agrees() -> Checker:
    """Every belief that `compare` writes down is right."""
    return Always(NAME, PROMISE, seen(QUESTION), tells_nothing)


def compare(trace: Trace, client: str, subject: str, belief: object, truth: object) -> None:
    """Write down what ``client`` believes about ``subject`` when all is quiet."""
    mistake = "" if belief == truth else f"believes {belief}, it is {truth}"
    trace.seen(client, QUESTION, subject, mistake)
