"""What a campaign has found so far, in a folder that outlives it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import attrs
import cattrs

from pyvirt_sim.campaign.chunk import ChunkResult
from pyvirt_sim.campaign.plan import Plan

VERSION = 1
PLAN = "plan.json"
RESULTS = "results.jsonl"
TAPES = "tapes"


class StoreError(Exception):
    """The folder cannot be used for this campaign."""


class Store:
    """Results on disk: a plan, one line for each chunk done, one tape for each kind of failure.

    A chunk's line is on the disk before it counts as done, so a campaign that is killed goes on
    where it was. A line that was cut off in the middle is not a result; its chunk is done again.

    Args:
        folder: Made if it is missing.
        plan: The campaign; a folder of another campaign is refused.

    Raises:
        StoreError: The folder holds another campaign, or something this version cannot read.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self._results = folder / RESULTS
        wanted = {"version": VERSION, **cattrs.unstructure(plan)}
        (folder / TAPES).mkdir(parents=True, exist_ok=True)
        try:
            found = json.loads((folder / PLAN).read_text("utf-8"))
        except FileNotFoundError:
            _write(folder / PLAN, json.dumps(wanted, indent=2) + "\n")
        except ValueError as error:
            raise StoreError(f"{folder / PLAN} is not JSON: {error}") from error
        else:
            if found != json.loads(json.dumps(wanted)):
                raise StoreError(f"{folder} holds another campaign: see {PLAN} there")

    def load(self) -> dict[str, ChunkResult]:
        """By chunk name, what has been done."""
        done: dict[str, ChunkResult] = {}
        try:
            text = self._results.read_text("utf-8")
        except FileNotFoundError:
            return done
        whole = text.rpartition("\n")[0]
        if len(whole) + 1 < len(text):  # its last line was cut off
            _write(self._results, f"{whole}\n" if whole else "")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                result = cattrs.structure(json.loads(line), ChunkResult)
            except Exception as error:
                raise StoreError(f"{self._results}, line {number}: {error}") from error
            done[result.chunk.name] = result
        return done

    def add(self, result: ChunkResult) -> None:
        """Keep ``result``; when this returns it is on the disk."""
        for catch in result.catches:
            word = hashlib.sha256(f"{result.chunk.subject}\n{catch.pair}".encode()).hexdigest()[:12]
            path = self.folder / TAPES / f"{result.chunk.subject}-{word}.tape"
            if not path.exists():
                _write(path, catch.tape + "\n")
        with self._results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(attrs.asdict(result)) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
