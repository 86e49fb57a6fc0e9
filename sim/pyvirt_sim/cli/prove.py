"""``pyvirt-sim prove``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated

import attrs
import cyclopts

from pyvirt_sim.prove import Proof, Verdict, proof_named, proof_names

SCHEDULES = 20_000
"""Enough for every part of every proof; each ends by itself, long before."""


def prove(
    *names: str,
    every: Annotated[bool, cyclopts.Parameter("--all", negative="")] = False,
    listed: Annotated[bool, cyclopts.Parameter("--list", negative="")] = False,
    as_json: Annotated[bool, cyclopts.Parameter("--json", negative="")] = False,
    schedules: int = SCHEDULES,
) -> int:
    """Run every schedule of a small scenario, one of each class, and look for a broken promise.

    Exit status: 0 when all is proved, 1 when a promise broke or a search did not end, 2 when there
    is no such proof.

    Args:
        names: What to prove; ``--list`` shows what there is.
        every: Prove everything.
        listed: List the proofs instead.
        as_json: Print JSON instead of text.
        schedules: How many schedules each part of a proof may have.
    """
    if listed:
        return _list(as_json)
    wanted = proof_names() if every else names
    if not wanted:
        return _complain("name what is to be proved, or give --all; --list shows what there is")
    try:
        proofs = [proof_named(name) for name in wanted]
    except KeyError as error:
        return _complain(str(error.args[0]))
    verdicts: list[Verdict] = []
    for proof in proofs:
        verdicts.append(proof.run(schedules))
        if not as_json:
            print("\n".join(_lines(verdicts[-1])), flush=True)
    if as_json:
        print(json.dumps([_as_json(verdict) for verdict in verdicts], indent=2))
    else:
        for bound in dict.fromkeys(verdict.bound for verdict in verdicts):
            print(f"\nEvery schedule means: {bound}.")
        print("\n" + _sum(verdicts))
    return 0 if all(verdict.is_proved for verdict in verdicts) else 1


def _list(as_json: bool) -> int:
    proofs: list[Proof] = [proof_named(name) for name in proof_names()]
    if as_json:
        found = [{"name": proof.name, "summary": proof.summary} for proof in proofs]
        print(json.dumps(found, indent=2))
    else:
        width = max(len(proof.name) for proof in proofs)
        for proof in proofs:
            print(f"{proof.name:{width}}  {proof.summary}")
    return 0


def _lines(verdict: Verdict) -> Iterator[str]:
    word = "proved" if verdict.is_proved else "BROKEN" if verdict.violations else "not complete"
    yield f"{verdict.name}: {word}"
    width = max(len(part.name) for part in verdict.parts)
    for part in verdict.parts:
        told = f"{part.runs} runs, {part.classes} classes, {int(part.violation is not None)}"
        yield f"  {part.name:{width}}  {told} violations" + (
            "" if part.is_complete else ": stopped"
        )
        if part.violation is not None:
            yield f"    {part.violation}"
        elif not part.is_complete:
            yield f"    {part.ended}"


def _sum(verdicts: list[Verdict]) -> str:
    runs, classes = (
        sum(getattr(verdict, field) for verdict in verdicts) for field in ("runs", "classes")
    )
    broken = sum(verdict.violations for verdict in verdicts)
    proved = sum(verdict.is_proved for verdict in verdicts)
    return (
        f"{proved} of {len(verdicts)} proved: {runs} runs, {classes} classes of equivalent "
        f"schedules, {broken} violations"
    )


def _as_json(verdict: Verdict) -> dict[str, object]:
    return {
        "name": verdict.name,
        "proved": verdict.is_proved,
        "runs": verdict.runs,
        "classes": verdict.classes,
        "violations": verdict.violations,
        "bound": verdict.bound,
        "parts": [attrs.asdict(part) for part in verdict.parts],
    }


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2
