"""What a campaign has found so far, in a folder that outlives it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cattrs

from pyvirt_sim.campaign.chunk import ChunkResult
from pyvirt_sim.campaign.plan import Plan
from pyvirt_sim.campaign.results import ResultFile, StoreError, write_whole

VERSION = 1
PLAN = "plan.json"
RESULTS = "results.jsonl"
TAPES = "tapes"


class Store:
    """A plan, a line for each chunk that was done, and a tape for each kind of failure.

    Args:
        folder: Made if it is missing.
        plan: The campaign; a folder of another campaign is refused.

    Raises:
        StoreError: The folder holds another campaign, or something this version cannot read.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self._results = ResultFile(folder / RESULTS, ChunkResult)
        wanted = {"version": VERSION, **cattrs.unstructure(plan)}
        (folder / TAPES).mkdir(parents=True, exist_ok=True)
        try:
            found = json.loads((folder / PLAN).read_text("utf-8"))
        except FileNotFoundError:
            write_whole(folder / PLAN, json.dumps(wanted, indent=2) + "\n")
        except ValueError as error:
            raise StoreError(f"{folder / PLAN} is not JSON: {error}") from error
        else:
            if found != json.loads(json.dumps(wanted)):
                raise StoreError(f"{folder} holds another campaign: see {PLAN} there")

    def load(self) -> dict[str, ChunkResult]:
        """By chunk name, what has been done.

        Raises:
            StoreError: A line of the results is damaged.
        """
        return {result.chunk.name: result for result in self._results.load()}

    def add(self, result: ChunkResult) -> None:
        """Keep ``result`` and its tapes; when this returns they are on the disk."""
        for catch in result.catches:
            word = hashlib.sha256(f"{result.chunk.subject}\n{catch.pair}".encode()).hexdigest()[:12]
            path = self.folder / TAPES / f"{result.chunk.subject}-{word}.tape"
            if not path.exists():
                write_whole(path, catch.tape + "\n")
        self._results.add(result)
