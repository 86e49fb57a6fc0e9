"""Fetches Debian packages: unpacked, never installed; installed only for QEMU.

A test suite has no business in ``/boot``. apt downloads what guests and peers are made of, and
checks its signature; what is built from it is kept below ``$XDG_CACHE_HOME``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

# apt drops root for the download and would warn about a folder it cannot write as _apt.
_DOWNLOAD_OPTIONS = ("-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3")

_LOCK_PATIENCE_S = 60
"""How long another apt may hold the lists; an update takes seconds."""


class RealPartMissingError(Exception):
    """A real part is not on this machine and cannot be fetched; the text says what and why."""


def cache_folder() -> Path:
    """Return the folder that keeps what was downloaded, made if need be."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "pyvirt-trio"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def cache_lock() -> Generator[None]:
    """Hold the cache against the other test processes, which want the same things at once."""
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(name: str, recipe: str, build: Callable[[Path], None]) -> Path:
    """Return the folder that was built by a recipe, building it unless the cache holds it.

    A changed recipe is another folder; delete the cache to take newer packages. Safe to call from
    several processes at once: the first one builds, the others wait.

    Args:
        name: What is built.
        recipe: Everything that decides the result, as text.
        build: Fills an empty folder.

    Raises:
        RealPartMissingError: From ``build``; nothing is kept then.
    """
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    folder = cache_folder() / f"{name}-{digest}"
    with cache_lock():
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache_folder()) as work:
                result = Path(work) / name
                result.mkdir()
                build(result)
                result.rename(folder)
    return folder


def install(package: str, *, program: str) -> None:
    """Make sure that a program is on the path, installing its package when root.

    Raises:
        RealPartMissingError: It is missing, and only root can install it.
    """
    if shutil.which(program):
        return
    if os.geteuid() != 0:
        raise RealPartMissingError(f"{program} is missing: install the package {package}")
    _refresh_lists()
    _run("apt-get", "install", "--yes", "-qq", "--no-install-recommends", package)


@contextmanager
def unpacked(package: str) -> Generator[Path]:
    """Download the newest version of a package; its files are below a folder for a block's length.

    Raises:
        RealPartMissingError: apt is missing, does not know the package or cannot download it.
    """
    _require_known(package)
    with tempfile.TemporaryDirectory() as work:
        _run("apt-get", "-qq", *_DOWNLOAD_OPTIONS, "download", package, cwd=Path(work))
        (archive,) = Path(work).glob("*.deb")
        root = Path(work) / "root"
        _run("dpkg-deb", "-x", str(archive), str(root))
        yield root


def unpack_missing(wanted: Sequence[str], result: Path) -> None:
    """Unpack packages, and those they depend on that this machine has not installed.

    Args:
        wanted: The packages; not installed themselves.
        result: Gets their files, all below one root.

    Raises:
        RealPartMissingError: apt does not know one of them or cannot download them.
    """
    for package in wanted:
        _require_known(package)
    try:
        _download_missing(wanted, result)
    except RealPartMissingError:
        if os.geteuid() != 0:
            raise
        _refresh_lists()  # what the lists name is no longer on the server
        _download_missing(wanted, result)


def _download_missing(wanted: Sequence[str], result: Path) -> None:
    plan = _run("apt-get", "install", "--simulate", "--no-install-recommends", *wanted)
    missing = re.findall(r"^Inst (\S+) \(", plan, re.MULTILINE)  # "[1.0] (1.1" is an upgrade
    names = sorted({*wanted, *missing})
    with tempfile.TemporaryDirectory() as work:
        _run("apt-get", "-qq", *_DOWNLOAD_OPTIONS, "download", *names, cwd=Path(work))
        for archive in sorted(Path(work).glob("*.deb")):
            _run("dpkg-deb", "-x", str(archive), str(result))


def only_dependency(package: str) -> str:
    """Return the one package an (otherwise empty) package depends on, as Debian's kernels do.

    Raises:
        RealPartMissingError: apt does not know the package.
    """
    _require_known(package)
    depends = re.findall(r"Depends: (\S+)", _run("apt-cache", "depends", package))
    if len(depends) != 1:
        raise RealPartMissingError(f"{package} depends on {depends}, not on one kernel")
    name: str = depends[0]
    return name


def _require_known(package: str) -> None:
    if not _is_known(package) and os.geteuid() == 0:
        _refresh_lists()
    if not _is_known(package):
        raise RealPartMissingError(f"apt knows no package {package}: run apt-get update as root")


def _is_known(package: str) -> bool:
    return bool(re.search(r"Candidate: [^(\s]", _run("apt-cache", "policy", package)))


def _refresh_lists() -> None:
    for waited_s in range(_LOCK_PATIENCE_S + 1):
        try:
            _run("apt-get", "update", "-qq")
        except RealPartMissingError as error:
            if "Could not get lock" not in str(error) or waited_s == _LOCK_PATIENCE_S:
                raise
            time.sleep(1)  # noqa: TID251 - another apt is real, and so is its lock
        else:
            return


def _run(*command: str, cwd: Path | None = None) -> str:
    """Run a command of the package manager and return what it printed."""
    if shutil.which(command[0]) is None:
        raise RealPartMissingError(f"{command[0]} is missing: this is no Debian machine")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(
        command, check=False, cwd=cwd, env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RealPartMissingError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
