"""Every supported Trio on every supported Python runs the same programs the same way.

Each release is installed into a throw-away environment, one after the other, from the package
index. There the canary must have its known digest, and tapes recorded here must replay strictly.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from pyvirt_sim.engine.canary import DIGESTS, canary_digest
from pyvirt_sim.engine.selftest.check import Verdict
from pyvirt_sim.engine.selftest.fresh import JOBS, Fresh, run_fresh
from pyvirt_sim.engine.selftest.recordings import record, replay_recordings

__all__ = ["LOWEST_TRIO", "PYTHONS", "check", "interpreters", "releases"]

# The lowest release that pyproject.toml admits.
LOWEST_TRIO: Final = (0, 25, 0)
PYTHONS: Final = ((3, 11), (3, 12), (3, 13))
INSTALL_S: Final = 300


@attrs.frozen
class Row:
    """What one pair of versions gave: ``outcome`` is `ok` or what is wrong."""

    python: str
    trio: str
    outcome: str

    def __str__(self) -> str:
        return f"Python {self.python:8} Trio {self.trio:8} {self.outcome}"


def _candidates(version: tuple[int, int]) -> Iterator[str]:
    name = f"python{version[0]}.{version[1]}"
    if sys.version_info[:2] == version:
        yield sys.executable
    found = shutil.which(name)
    if found is not None:
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for folder in sorted(pyenv.glob(f"{version[0]}.{version[1]}.*"), reverse=True):
        yield str(folder / "bin" / name)


def interpreters() -> dict[tuple[int, int], str]:
    """Return an interpreter for each supported Python that is on this machine."""
    found: dict[tuple[int, int], str] = {}
    for version in PYTHONS:
        for candidate in _candidates(version):
            # A name may lead nowhere, as pyenv's shims do, and a Python may come without venv.
            probe = f"import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != {version})"
            try:
                status = subprocess.run(
                    [candidate, "-c", probe], capture_output=True, timeout=60, check=False
                ).returncode
            except (OSError, subprocess.TimeoutExpired):
                continue
            if status == 0:
                found[version] = candidate
                break
    return found


def _pip(python: str, *arguments: str) -> str:
    done = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"pip {' '.join(arguments)}: {done.stderr.strip()[-400:]}")
    return done.stdout


def releases(python: str) -> list[str]:
    """Return every release of Trio on the index that is supported, oldest first."""
    listed = _pip(python, "index", "versions", "trio")
    line = next(line for line in listed.splitlines() if line.startswith("Available versions:"))
    versions = re.findall(r"\d+\.\d+\.\d+", line)
    numbered = sorted(tuple(int(part) for part in version.split(".")) for version in versions)
    return [".".join(map(str, number)) for number in numbered if number >= LOWEST_TRIO]


def child() -> None:
    """Check the versions this process runs on; print what it runs on and what is wrong."""
    expected = json.loads(sys.argv[2])
    problems = [
        f"canary digest of policy {policy} is {canary_digest(policy)[:12]}, not {known[:12]}"
        for policy, known in DIGESTS.items()
        if canary_digest(policy) != known
    ]
    if not problems:
        for name, found in replay_recordings(sys.argv[1]).items():
            if found != expected[name]:
                problems.append(f"{name}: {found} instead of {expected[name]}")
    python = ".".join(map(str, sys.version_info[:3]))
    print(f"{python} {trio.__version__} {'; '.join(problems) or 'ok'}")


def rows(python: str, versions: Sequence[str], arguments: Sequence[str]) -> list[Row]:
    """Install each release in turn into one throw-away environment and run a child there."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True, timeout=INSTALL_S)
        inside = str(Path(folder, "bin", "python"))
        for version in versions:
            try:
                _pip(inside, "install", "--quiet", f"trio=={version}", "attrs")
                [text] = run_fresh([Fresh(arguments, python=inside)])
                found.append(Row(*text.strip().split(" ", 2)))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                name = ".".join(map(str, _version_of(inside)))
                found.append(Row(name, version, str(error).strip().splitlines()[-1]))
    return found


def _version_of(python: str) -> tuple[int, ...]:
    probe = "import sys; print(*sys.version_info[:3])"
    done = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True)
    return tuple(int(part) for part in done.stdout.split())


def check() -> Verdict:
    """Try every supported Trio release on every supported Python of this machine."""
    pythons = interpreters()
    versions = releases(sys.executable)
    program = f"from {__name__} import child; child()"
    arguments = ["-c", program, *(json.dumps(part) for part in record())]
    with ThreadPoolExecutor(JOBS) as pool:
        parts = pool.map(partial(rows, versions=versions, arguments=arguments), pythons.values())
        found = [row for part in parts for row in part]
    problems = [str(row) for row in found if row.outcome != "ok"]
    missing = [f"{major}.{minor}" for major, minor in PYTHONS if (major, minor) not in pythons]
    summary = (
        f"{len(found)} pairs, Trio {versions[0]} to {versions[-1]} ({len(versions)} releases) on "
        f"Python {', '.join(sorted({row.python for row in found}))}"
        + (f"; no Python {', '.join(missing)} on this machine" if missing else "")
    )
    return Verdict(summary, tuple(problems), tuple(listed(found)))


def listed(found: Sequence[Row]) -> list[str]:
    """Return one line for each Python, with what became of each Trio on it."""
    lines: dict[str, list[str]] = {}
    for row in found:
        outcome = "ok" if row.outcome == "ok" else "FAILED"
        lines.setdefault(row.python, []).append(f"{row.trio} {outcome}")
    return [f"Python {python}, Trio: {', '.join(trios)}" for python, trios in lines.items()]
