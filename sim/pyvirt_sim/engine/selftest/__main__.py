"""``python -m pyvirt_sim.engine.selftest``: one line per promise, exit 0 when all hold."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from pyvirt_sim.engine.selftest import (
    hazards,
    memory,
    proofs,
    replays,
    searches,
    trios_tests,
    versions,
    websocket,
)
from pyvirt_sim.engine.selftest.check import Check, Verdict

__all__ = ["CHECKS", "main"]

CHECKS: Final = (
    Check("hazards", "no order comes from an address or a hash seed", hazards.check),
    Check("proofs", "what cannot be closed is found, and the rest proved", proofs.check),
    Check("replays", "one tape gives one run in every process", replays.check),
    Check("searches", "the reduced search loses no outcome", searches.check),
    Check("memory", "runs leave nothing behind", memory.check),
    Check("trio", "Trio's own tests hold under the engine", trios_tests.check),
    Check("websocket", "trio-websocket runs unmodified over a bad network", websocket.check),
    Check(
        "versions",
        "every supported Trio and Python gives the same run",
        versions.check,
        is_quick=False,
        is_listed=True,
    ),
)


def _run(check: Check) -> Verdict:
    try:
        return check.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, the promise was not shown to hold
        lines = "".join(traceback.format_exception(error)).strip().splitlines()
        return Verdict("it could not be checked", tuple(lines[-15:]))


def _report(check: Check, verdict: Verdict, seconds: float) -> str:
    word = "ok    " if verdict.holds else "FAILED"
    head = f"{word} {check.name:9} {seconds:6.1f} s  {check.promise}: {verdict.summary}"
    return "\n".join([head, *(f"       ! {problem}" for problem in verdict.problems)])


def _selected(names: Sequence[str], is_quick: bool) -> Iterable[Check]:
    return (
        check
        for check in CHECKS
        if (check.name in names if names else check.is_quick or not is_quick)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks; return 0 when all hold, 1 when one does not."""
    parser = argparse.ArgumentParser(
        prog="python -m pyvirt_sim.engine.selftest",
        description="Prove on this machine what the engine promises.",
    )
    parser.add_argument("--quick", action="store_true", help="leave out the matrix of versions")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    parser.add_argument("--list", action="store_true", help="print what each check looks at, too")
    parser.add_argument("check", nargs="*", help="run only these checks")
    options = parser.parse_args(arguments)
    unknown = set(options.check) - {check.name for check in CHECKS}
    if unknown:
        parser.error(f"no such check: {', '.join(sorted(unknown))}")
    documents: list[Mapping[str, object]] = []
    for check in _selected(options.check, options.quick):
        began = time.perf_counter()
        verdict = _run(check)
        seconds = time.perf_counter() - began
        documents.append(
            {"check": check.name, "holds": verdict.holds, "seconds": round(seconds, 1)}
            | attrs.asdict(verdict)
        )
        if not options.json:
            print(_report(check, verdict, seconds), flush=True)
            if options.list or check.is_listed:
                print("".join(f"         {line}\n" for line in verdict.table), end="")
    if options.json:
        print(json.dumps(documents, indent=1))
    return 0 if all(document["holds"] for document in documents) else 1


if __name__ == "__main__":
    sys.exit(main())
