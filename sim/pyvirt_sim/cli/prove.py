"""``pyvirt-sim prove``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import attrs
import cyclopts

from pyvirt_sim.campaign.workers import run_all
from pyvirt_sim.prove import Effort, Part, Proof, Verdict, proof_named, proof_names
from pyvirt_sim.prove.kinds import KINDS, kind_named
from pyvirt_sim.prove.permuted import SCHEDULES, Sensitivity, sensitivities

EFFORT = Effort()
"""Enough for every part of every proof; each ends by itself, long before."""


def prove(
    *names: str,
    every: Annotated[bool, cyclopts.Parameter("--all", negative="")] = False,
    listed: Annotated[bool, cyclopts.Parameter("--list", negative="")] = False,
    as_json: Annotated[bool, cyclopts.Parameter("--json", negative="")] = False,
    permuted: Annotated[bool, cyclopts.Parameter("--permuted", negative="")] = False,
    schedules: int = EFFORT.schedules,
    schedules_of_a_crash: int = EFFORT.schedules_of_a_crash,
    jobs: int = 0,
) -> int:
    """Run every schedule of a small scenario, one of each class, and look for a broken promise.

    Exit status: 0 when all is proved, 1 when a promise broke or a search did not end, 2 when there
    is no such proof. With ``--permuted``: 0 when every row that announces early was found.

    Args:
        names: What to prove; ``--list`` shows what there is.
        every: Prove everything.
        listed: List the proofs instead.
        as_json: Print JSON instead of text.
        permuted: Instead, put the steps of each type's removal in other orders, and show which
            promise breaks, after how many schedules. Names are then those of ``unplug-*``.
        schedules: How many schedules each part of a proof may have.
        schedules_of_a_crash: On how many of them restart-equivalence tries each single crash; the
            first is the canonical one.
        jobs: How many processes work at it; one for each processor when 0.
    """
    if listed:
        return _list(as_json)
    wanted = proof_names() if every else names
    if not wanted and not permuted:
        return _complain("name what is to be proved, or give --all; --list shows what there is")
    unknown = [name for name in wanted if name not in proof_names()]
    if unknown:
        return _complain(f"no proof is called {unknown[0]!r}; --list shows what there is")
    if permuted:
        return _permuted(wanted, as_json, jobs)
    verdicts: list[Verdict] = []
    effort = Effort(schedules=schedules, schedules_of_a_crash=schedules_of_a_crash)
    for verdict in _prove_all(wanted, effort, jobs):
        verdicts.append(verdict)
        if not as_json:
            print("\n".join(_lines(verdict)), flush=True)
    if as_json:
        print(json.dumps([_as_json(verdict) for verdict in verdicts], indent=2))
    else:
        for bound in dict.fromkeys(verdict.bound for verdict in verdicts):
            print(f"\nEvery schedule means: {bound}.")
        print("\n" + "\n".join(_table(verdicts)))
        print("\n" + _sum(verdicts))
    return 0 if all(verdict.is_proved for verdict in verdicts) else 1


@attrs.frozen
class _Piece:
    """One part of one proof: what a process is given to do."""

    proof: str
    part: str


def _prove_all(wanted: Sequence[str], effort: Effort, jobs: int) -> Iterator[Verdict]:
    """Each verdict as soon as its last part is there, in the order in which they are wanted."""
    proofs = [proof_named(name) for name in wanted]
    pieces = [_Piece(proof.name, part) for proof in proofs for part in proof.parts]
    done: dict[str, list[Part]] = {proof.name: [] for proof in proofs}
    for name, part in run_all(partial(_prove, effort), pieces, workers=jobs or None):
        done[name].append(part)
        while proofs and len(done[proofs[0].name]) == len(proofs[0].parts):
            yield proofs[0].verdict(done[proofs[0].name])
            del proofs[0]


def _prove(effort: Effort, piece: _Piece) -> tuple[str, Part]:
    started = time.process_time()
    part = proof_named(piece.proof).search(piece.part, effort)
    return piece.proof, attrs.evolve(part, seconds=time.process_time() - started)


def _permuted(wanted: Sequence[str], as_json: bool, jobs: int) -> int:
    kinds = [
        kind for kind in KINDS if not kind.stays and (not wanted or f"unplug-{kind.name}" in wanted)
    ]
    found: list[Sensitivity] = []
    took: dict[str, float] = {}
    names = [kind.name for kind in kinds]
    for rows, seconds in run_all(_sensitivities, names, workers=jobs or None):
        found += rows
        took |= {row.kind: seconds for row in rows}
        if not as_json:
            for row in rows:
                seen = f"{row.broken}, {row.schedules} schedules" if row.broken else "nothing"
                print(f"{row.kind}: {row.change}: {seen}", flush=True)
    found.sort(key=lambda row: names.index(row.kind))
    missed = [row for row in found if row.is_early and not row.is_found_in_time]
    if as_json:
        print(json.dumps([attrs.asdict(row) for row in found], indent=2))
    else:
        early = [row for row in found if row.is_early]
        print("\n" + "\n".join(_permuted_table(found, took)))
        print(
            f"\n{len(early) - len(missed)} of {len(early)} early rows found in fewer than "
            f"{SCHEDULES} schedules"
        )
    return 1 if missed else 0


def _sensitivities(name: str) -> tuple[list[Sensitivity], float]:
    started = time.process_time()
    rows = list(sensitivities(kind_named(name)))
    return rows, time.process_time() - started


def _permuted_table(found: Sequence[Sensitivity], took: dict[str, float]) -> Iterator[str]:
    """For each kind how its early rows were found, and how many of the others."""
    width = max((len(name) for name in took), default=0)
    yield f"{'':{width}}  early rows found  most schedules  swapped rows found  processor seconds"
    for name, seconds in took.items():
        rows = [row for row in found if row.kind == name]
        early = [row for row in rows if row.is_early]
        other = [row for row in rows if not row.is_early]
        seen = f"{sum(row.is_found_in_time for row in early)} of {len(early)}"
        seen_other = f"{sum(row.broken is not None for row in other)} of {len(other)}"
        most = max(row.schedules for row in early)
        yield f"{name:{width}}  {seen:>16}  {most:>14}  {seen_other:>18}  {seconds:>17.1f}"


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


def _table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A line for each proof: what it covered, and what that took of a processor's time."""
    width = max(len(verdict.name) for verdict in verdicts)
    yield f"{'':{width}}  parts    runs  classes  complete  violations  processor seconds"
    for verdict in verdicts:
        complete = "yes" if verdict.is_complete else "no"
        yield (
            f"{verdict.name:{width}}  {len(verdict.parts):>5}  {verdict.runs:>6}  "
            f"{verdict.classes:>7}  {complete:>8}  {verdict.violations:>10}  "
            f"{verdict.seconds:>17.1f}"
        )
        if verdict.counts:
            counts = (f"{count} {name.replace('_', ' ')}" for name, count in verdict.counts.items())
            yield f"{'':{width}}  {', '.join(counts)}"


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
        "complete": verdict.is_complete,
        "runs": verdict.runs,
        "classes": verdict.classes,
        "violations": verdict.violations,
        **verdict.counts,
        "seconds": round(verdict.seconds, 1),
        "bound": verdict.bound,
        "parts": [attrs.asdict(part) for part in verdict.parts],
    }


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2
