"""The page of the documentation about where we differ from libvirt, for people to read.

What a request leads to is one entry, whatever it differs in. Of a sequence of commands only the
part that differs is shown, and a long command that comes again and again is written out once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyvirt_trio.models.states import REASONS as REASONS_OF_STATES
from pyvirt_trio.models.states import DomainState, DomainStatus
from tests.conformance.libvirt.differences import REASONS, Difference, listed
from tests.conformance.libvirt.table import in_words

PAGE = Path(__file__).parents[3] / "docs/explanation/differences-from-libvirt.md"

LONG = 90
"""A command of more letters is written out once, if it comes more than once."""

_INTRODUCTION = """\
# Differences from libvirt

<!-- Written by `python -m tests.conformance.libvirt --write`. -->

The same requests are made of libvirtd 9.0.0 of Debian 12 and of this library, on the same QEMU with
the same guest, and the answers are compared: the number and the text of a refusal, the events in
their order, the commands to QEMU in theirs, and the state the domain is in afterwards. Questions to
QEMU are left out (libvirt asks some 400 of them at each start), and so is the wish to be told of
migrations, which libvirt has at each start, and we have when a machine is to be copied. So are the
names of block nodes: libvirt numbers them (`libvirt-1-format`), ours say which device they belong
to (`virtio-disk0-format`).

Below is every request whose answers differ. A test fails when another one does, or when one of
these does not any more. `python -m tests.conformance.libvirt` makes all requests and prints both
answers to each; with `--events` it prints the events alone, side by side.

The dots in a sequence of commands are commands that both send, and an arrow is read "then". Words
in capitals stand for what is another one in each run: IMAGE for the path of a disk's image, SOCKET
for that of a socket, SAVED for a saved machine, CORE for a core.
"""

_LONG_COMMANDS = """\
## Long commands

Those that are shortened above, in full.
"""

_ARROW = " → "


def page() -> str:
    """The page of the documentation."""
    known = listed()
    names = _names_of_long_commands(known)
    parts = [_INTRODUCTION]
    for why in sorted({one.why for one in known}, key=list(REASONS).index):
        parts.append(f"## {why[0].upper()}{why[1:]}\n\n{_reflowed(REASONS[why])}\n")
        parts += _entries([one for one in known if one.why == why], names)
    if names:
        parts.append(_LONG_COMMANDS)
        parts += [f"* {name}: `{command}`" for command, name in names.items()]
        parts.append("")
    return "\n".join(parts)


def _entries(differences: Iterable[Difference], names: Mapping[str, str]) -> list[str]:
    """One for each answer; requests that have the same share it."""
    of_request: dict[str, list[Difference]] = {}
    for one in differences:
        of_request.setdefault(one.request, []).append(one)
    alike: dict[str, list[str]] = {}
    for request, aspects in of_request.items():
        alike.setdefault(_answers(aspects, names), []).append(f"**{request}**")
    return [f"* {', '.join(requests)}\n{answers}" for answers, requests in alike.items()]


def _answers(aspects: Sequence[Difference], names: Mapping[str, str]) -> str:
    theirs, ours = [], []
    for one in aspects:
        libvirt, here = one.libvirt, one.ours
        if one.aspect == "commands":
            libvirt, here = without_common(libvirt, here)
        theirs.append(_shown(one.aspect, libvirt, names))
        ours.append(_shown(one.aspect, here, names))
    return f"  * libvirt: {'; '.join(theirs)}\n  * here: {'; '.join(ours)}\n"


def without_common(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    """Two sequences, with dots where both begin and end in the same way."""
    head = _common(left, right)
    tail = _common(left[head:][::-1], right[head:][::-1])
    first, second = (
        ["…"] * (head > 0) + one[head : len(one) - tail] + ["…"] * (tail > 0)
        for one in (left, right)
    )
    return (["…"] if first == ["…", "…"] else first), (["…"] if second == ["…", "…"] else second)


def _common(left: list[str], right: list[str]) -> int:
    """How many commands both begin with."""
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _names_of_long_commands(known: Iterable[Difference]) -> dict[str, str]:
    """Long commands that are shown more than once, and what they are called instead."""
    shown = Counter(
        command
        for one in known
        if one.aspect == "commands"
        for side in without_common(one.libvirt, one.ours)
        for command in side
    )
    names: dict[str, str] = {}
    for command, count in shown.items():
        if count > 1 and len(command) > LONG:
            name = command.partition(" ")[0]
            number = sum(other.partition(" ")[0] == name for other in names) + 1
            names[command] = f"`{name}` ({number})"
    return names


def _reflowed(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _shown(aspect: str, value: Any, names: Mapping[str, str]) -> str:
    if aspect == "state":
        return _shown_state(value)
    if aspect == "error":
        return f"{value[0]} “{value[1]}”" if value else "no error"
    if not value:
        return f"no {aspect}"
    if aspect == "events":
        return "tells " + _ARROW.join(in_words(tuple(row)) for row in value)
    return _ARROW.join(names.get(row) or _shown_command(row) for row in value)


def _shown_state(value: Any) -> str:
    if value is None:
        return "there is no domain"
    state = DomainState(value[0])
    return f"it is {DomainStatus(state, REASONS_OF_STATES[state](value[1]))}"


def _shown_command(command: str) -> str:
    return command if command == "…" else f"`{command.removesuffix(' {}')}`"
