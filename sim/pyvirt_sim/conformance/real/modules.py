"""The kernel modules a small guest needs, with all that they depend on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pyvirt_sim.conformance.real import initramfs


def module_members(names: Sequence[str], kernel_root: Path) -> Iterable[initramfs.Member]:
    """Return the members that put modules, and the order to load them in, into ``/modules``.

    Args:
        names: Modules, in the order they are wanted; those built into the kernel are left out.
        kernel_root: Where the kernel's package is unpacked.
    """
    modules = _with_dependencies(names, kernel_root)
    order = " ".join(path.name for path in modules).encode()
    yield initramfs.folder("modules")
    yield initramfs.executable("modules/order", order)
    for path in modules:
        yield initramfs.executable(f"modules/{path.name}", path.read_bytes())


def _with_dependencies(names: Sequence[str], kernel_root: Path) -> list[Path]:
    """Return the files of these modules and of all they depend on, dependencies first."""
    # The kernel takes - and _ in the name of a module as the same.
    files = {path.stem.replace("-", "_"): path for path in sorted(kernel_root.rglob("*.ko"))}
    found: dict[str, Path] = {}

    def visit(name: str) -> None:
        path = files.get(name)
        if path is None or name in found:  # not a module: built into the kernel
            return
        for dependency in _depends(path):
            visit(dependency)
        found[name] = path

    for name in names:
        visit(name.replace("-", "_"))
    return list(found.values())


def _depends(module: Path) -> list[str]:
    """Read the ``depends=`` entry that the kernel's build writes into each module."""
    entry = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    names = entry[1].decode() if entry else ""
    return [name.replace("-", "_") for name in names.split(",") if name]
