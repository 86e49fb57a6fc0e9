"""``tutorial.py FOLDER before|after``: write the tutorial's project, with its bug or without."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "test-your-manager.md"
_FILE = re.compile(
    r"^```\{code-block\} python\n:caption: (.*?)\n\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_BUG = re.compile(r"^ *if isinstance\(event, DeviceRemoved\).*\n", re.MULTILINE)


def files() -> dict[str, str]:
    """The blocks of the page, by their captions."""
    return dict(_FILE.findall(PAGE.read_text("utf-8")))


def repaired(mover: str) -> str:
    """The program with the line that the page ends with."""
    return _BUG.sub(files()["in Mover.take"], mover)


def main(folder: str, stage: str) -> None:
    """Write the project as it is at that stage."""
    blocks = files()
    test = blocks["test_mover.py"].replace("@pytest.mark.trio\n", blocks["the mark"])
    mover = blocks["mover.py"] if stage == "before" else repaired(blocks["mover.py"])
    Path(folder, "mover.py").write_text(mover, "utf-8")
    Path(folder, "test_mover.py").write_text(test, "utf-8")
    if stage == "after":
        Path(folder, "test_slow_guests.py").write_text(blocks["test_slow_guests.py"], "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
