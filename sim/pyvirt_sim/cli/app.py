"""``hunt``, ``replay`` and ``demo``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import cyclopts

from pyvirt_sim.cli.campaign import campaign
from pyvirt_sim.cli.check import check
from pyvirt_sim.cli.conformance import conformance
from pyvirt_sim.cli.experiment import experiment
from pyvirt_sim.cli.progress import Progress
from pyvirt_sim.cli.prove import prove
from pyvirt_sim.cli.replays import replays
from pyvirt_sim.cli.sites import sites
from pyvirt_sim.cli.zoo import zoo
from pyvirt_sim.engine import ReplayDivergedError, Tape, TapeFormatError, replay
from pyvirt_sim.explore import (
    Finding,
    Subject,
    cover,
    explain,
    hunt_subject,
    subject_named,
)
from pyvirt_sim.explore.hunting import DEFAULT_SCHEDULES
from pyvirt_sim.report import (
    check_report_name,
    finding_as_text,
    outcome_as_json,
    write_report,
)
from pyvirt_sim.report.json import finding_as_json

app = cyclopts.App(
    name="pyvirt-sim",
    help="Hunt event-ordering bugs in simulated virtual machine management.",
)

FOUNDING_BUG = "hostdev-removed-before-active-cleared"
DEMO_SCHEDULES = 2000

app.command(campaign)
app.command(check)
app.command(conformance)
app.command(experiment)
app.command(prove)
app.command(replays)
app.command(sites)
app.command(zoo)

Json = Annotated[bool, cyclopts.Parameter("--json", negative="")]


@app.command
def hunt(
    name: str,
    *,
    seed: int = 0,
    schedules: int = DEFAULT_SCHEDULES,
    as_json: Json = False,
    report: Path | None = None,
) -> int:
    """Run a mutant or a scenario under many schedules until it breaks a promise.

    Exit status: 0 when a mutant was found or a scenario held, 1 otherwise.

    Args:
        name: A mutant of the zoo, or a scenario.
        seed: The same seed gives the same hunt.
        schedules: How many schedules at most.
        as_json: Print JSON instead of text.
        report: Also write what is found there: .txt, .html, .perfetto.json, .shiviz.log or .jsonl.
    """
    subject = _subject(name)
    _check_report(report)
    with Progress(f"hunting {name}", schedules, is_shown=not as_json) as progress:
        outcome = hunt_subject(
            subject,
            seed=seed,
            schedules=schedules,
            on_progress=lambda now: progress.update(now.schedules),
        )
    if as_json:
        print(json.dumps(outcome_as_json(outcome), indent=2))
    elif outcome.finding is None:
        print(f"{name}: no promise broken in {outcome.schedules} schedules")
        print(outcome.members)
    else:
        print(f"{name}: found after {outcome.schedules} schedules by {outcome.found_by}")
        print(finding_as_text(outcome.finding), end="")
    if report is not None and outcome.finding is not None:
        write_report(outcome.finding, report)
    return 0 if subject.is_mutant == (outcome.finding is not None) else 1


@app.command(name="replay")
def replay_tape(
    name: str,
    *,
    tape: str | None = None,
    tape_file: Path | None = None,
    as_json: Json = False,
    report: Path | None = None,
) -> int:
    """Run a mutant or a scenario once more, exactly as a tape says.

    Exit status: 1 when the promise breaks again, 0 when the run passes, 2 when it cannot be run.

    Args:
        name: A mutant of the zoo, or a scenario.
        tape: The tape's one-line form, as a hunt prints it.
        tape_file: Or a file that holds it.
        as_json: Print JSON instead of text.
        report: Also write what is found there: .txt, .html, .perfetto.json, .shiviz.log or .jsonl.
    """
    subject = _subject(name)
    _check_report(report)
    try:
        recorded = _tape(tape, tape_file)
        with subject.planted():
            run = replay(subject.scenario.program, recorded)
    except ReplayDivergedError as error:
        return _complain(f"the replay diverged, this is not the program that was recorded: {error}")
    except (TapeFormatError, UnicodeDecodeError, OSError) as error:
        return _complain(f"no usable tape: {error}")
    finding = explain(subject, run) if run.error is not None else None
    if as_json:
        facts = {"subject": name, "found": finding is not None, "digest": run.digest}
        facts |= finding_as_json(finding) if finding else {"steps": run.steps}
        print(json.dumps(facts, indent=2))
    elif finding is None:
        print(f"{name}: no promise broken; {run.steps} steps, digest {run.digest}")
    else:
        print(finding_as_text(finding), end="")
    if report is not None and finding is not None:
        write_report(finding, report)
    return 0 if finding is None else 1


@app.command
def demo(
    *,
    output: Path = Path("pyvirt-demo"),
    seed: int = 1,
    schedules: int = DEMO_SCHEDULES,
    as_json: Json = False,
) -> int:
    """Find libvirt's bug 1658198, explain and replay it, then look for it in the shipped library.

    Exit status: 0 when the bug was found and the library held.

    Args:
        output: Folder for the timeline.
        seed: Of both hunts.
        schedules: How many schedules the shipped library is run under.
        as_json: Print JSON instead of text.
    """
    mutant = _subject(FOUNDING_BUG)
    with Progress("hunting the founding bug", schedules, is_shown=not as_json) as progress:
        outcome = hunt_subject(
            mutant,
            seed=seed,
            schedules=schedules,
            on_progress=lambda now: progress.update(now.schedules),
        )
    if outcome.finding is None:
        return _complain(f"{mutant.name} was not found in {outcome.schedules} schedules")
    page = _write_timeline(output, outcome.finding)
    with mutant.planted():
        again = replay(mutant.scenario.program, Tape.from_text(outcome.finding.tape))
    shipped = _subject(mutant.scenario.name)
    with Progress("the shipped library", schedules, is_shown=not as_json) as progress:
        coverage = cover(
            shipped,
            seed=seed,
            schedules=schedules,
            on_progress=lambda done, _: progress.update(done),
        )
    is_same = again.digest == outcome.finding.run.digest
    if as_json:
        facts = outcome_as_json(outcome) | {
            "replays_to_same_digest": is_same,
            "timeline": str(page),
            "shipped": {
                "schedules": coverage.schedules,
                "distinct": coverage.distinct,
                "violations": coverage.violations,
            },
        }
        print(json.dumps(facts, indent=2))
    else:
        print(f"{mutant.name}: found after {outcome.schedules} schedules by {outcome.found_by},")
        print(
            f"shrunk from {outcome.deviations_before} to {outcome.finding.run.deviations} "
            f"deviations in {outcome.shrink_runs} runs\n"
        )
        print(finding_as_text(outcome.finding))
        print(f"Replayed: {'the same digest' if is_same else 'ANOTHER DIGEST'}.")
        print(f"Timeline: {page}\n")
        print(f"The shipped library, same scenario ({mutant.scenario.name}):")
        print(
            f"  {coverage.schedules} schedules covered, {coverage.distinct} of them distinct, "
            f"{coverage.steps} steps: {coverage.violations} violations"
        )
        if coverage.first is not None:
            print(finding_as_text(explain(shipped, coverage.first)), end="")
    return 0 if is_same and not coverage.violations else 1


def _subject(name: str) -> Subject:
    try:
        return subject_named(name)
    except KeyError as error:
        sys.exit(_complain(str(error.args[0])))


def _check_report(path: Path | None) -> None:
    """Refuse before the hunt what could not be written after it."""
    try:
        if path is not None:
            check_report_name(path)
    except ValueError as error:
        sys.exit(_complain(str(error)))


def _tape(text: str | None, file: Path | None) -> Tape:
    if text is not None and file is None:
        return Tape.from_text(text)
    if file is not None and text is None:
        return Tape.load(file)
    raise TapeFormatError("give either --tape or --tape-file")


def _write_timeline(folder: Path, finding: Finding) -> Path:
    page = folder / "timeline.html"
    write_report(finding, page)
    return page.resolve()


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2
