"""A file of results, one a line, that a crash cannot damage."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Generic, TypeVar

import cattrs

ResultT = TypeVar("ResultT")


class StoreError(Exception):
    """What is there cannot be used for this search."""


class ResultFile(Generic[ResultT]):
    """Results in a file of JSON lines.

    A line is on the disk before its result counts as done, so that a search that is killed goes on
    where it was. A line that was cut off in the middle is no result, and is removed.

    Args:
        path: The file; it need not exist.
        kind: The attrs class of a result.
    """

    def __init__(self, path: Path, kind: type[ResultT]) -> None:
        self.path = path
        self._kind = kind

    def load(self) -> list[ResultT]:
        """All results, in the order in which they were added.

        Raises:
            StoreError: A whole line is not such a result.
        """
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return []
        whole = text.rpartition("\n")[0]
        if len(whole) + 1 < len(text):
            write_whole(self.path, f"{whole}\n" if whole else "")
        return [self._parse(number, line) for number, line in enumerate(whole.splitlines(), 1)]

    def _parse(self, number: int, line: str) -> ResultT:
        try:
            return cattrs.structure(json.loads(line), self._kind)
        except Exception as error:
            raise StoreError(f"{self.path}, line {number}: {error}") from error

    def add(self, result: ResultT) -> None:
        """Keep ``result``; when this returns it is on the disk."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(cattrs.unstructure(result)) + "\n")
            file.flush()
            os.fsync(file.fileno())


def write_whole(path: Path, text: str) -> None:
    """Replace the file by ``text``: whole, or not at all."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
