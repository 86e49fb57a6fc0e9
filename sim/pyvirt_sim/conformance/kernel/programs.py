"""Random programs of steps: what nobody thought of writing into the script.

A program starts from, and cleans up to, the devices as the machine has them. It never makes a call
that would wait: those that do are in the script, where something ends the wait. And it keeps within
what is modelled: no driver is made to look at a device that it does not know, and no physical
function loses its driver while it has virtual ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random

from pyvirt_sim.conformance.kernel.scene import (
    CARD,
    DISK,
    FUNCTION,
    OLD_CARD,
    OTHER_TWIN,
    TWIN,
    UNWANTED,
)
from pyvirt_sim.conformance.kernel.steps import DEVICES, DRIVERS, Step

_ADDRESSES = (CARD, TWIN, OTHER_TWIN, OLD_CARD, UNWANTED, FUNCTION)
_STUBS = ("vfio-pci", "pci-stub")
_DRIVERS = (*_STUBS, "e1000e", "e1000")
_OVERRIDES = ("vfio-pci", "vfio-pci", "vfio-pci", "pci-stub", "\n", "nosuch")
_KINDS = {"8086 10d3": (CARD, TWIN, OTHER_TWIN), "1234 11e8": (UNWANTED,)}
_NAMES = ("one", "two")
_PROBE = "/sys/bus/pci/drivers_probe"
_VF_COUNT = f"{DEVICES}/{DISK}/sriov_numvfs"
_VF_AUTOPROBE = f"{DEVICES}/{DISK}/sriov_drivers_autoprobe"
_LENGTH = (6, 18)
_FOCUS = 0.8


def _write(path: str, text: str) -> Step:
    return Step("write", path, text)


class _Writer:
    """Writes one program, keeping in mind what is open and what has been touched.

    A program is about two devices, most of the time: with all of them at once nothing would meet.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._focus = random.sample(_ADDRESSES, 2)
        self._touched: dict[str, None] = {}
        self._open: dict[str, set[str]] = {}
        self._calls: Sequence[tuple[Callable[[], Iterable[Step]], int]] = (
            (self._give, 3),
            (self._override, 3),
            (self._unbind, 4),
            (self._bind, 4),
            (self._probe, 4),
            (self._kind, 1),
            (self._functions, 1),
            (self._reset, 1),
            (self._look, 3),
            (self._open_group, 4),
            (self._in_group, 8),
        )

    def steps(self) -> Iterator[Step]:
        """The program."""
        yield _write(_VF_AUTOPROBE, "0")
        if FUNCTION in self._focus:
            yield _write(_VF_COUNT, "1")
        calls = [call for call, _ in self._calls]
        weights = [weight for _, weight in self._calls]
        for _ in range(self._random.randint(*_LENGTH)):
            (call,) = self._random.choices(calls, weights)
            yield from call()
        yield from self._clean_up()

    def _address(self) -> str:
        among = self._focus if self._random.random() < _FOCUS else _ADDRESSES
        address = self._random.choice(among)
        self._touched[address] = None
        return address

    def _is_held(self, address: str) -> bool:
        return any(address in opened for opened in self._open.values())

    def _give(self) -> Iterator[Step]:
        """Give a device to vfio-pci, as libvirt does."""
        address = self._address()
        if not self._is_held(address):
            yield _write(f"{DEVICES}/{address}/driver_override", "vfio-pci")
            yield _write(f"{DEVICES}/{address}/driver/unbind", address)
            yield _write(_PROBE, address)

    def _override(self) -> Iterator[Step]:
        path = f"{DEVICES}/{self._address()}/driver_override"
        yield _write(path, self._random.choice(_OVERRIDES))

    def _unbind(self) -> Iterator[Step]:
        address = self._address()
        if not self._is_held(address):
            driver = self._random.choice((*_DRIVERS, None, None, None))
            where = f"{DEVICES}/{address}/driver" if driver is None else f"{DRIVERS}/{driver}"
            yield _write(f"{where}/unbind", address)

    def _bind(self) -> Iterator[Step]:
        yield _write(f"{DRIVERS}/{self._random.choice(_DRIVERS)}/bind", self._address())

    def _probe(self) -> Iterator[Step]:
        # The disk's own driver finds that a function does not answer, and leaves it when it likes.
        address = self._address()
        if address != FUNCTION:
            yield _write(_PROBE, address)

    def _kind(self) -> Iterator[Step]:
        file = self._random.choice(("new_id", "new_id", "remove_id"))
        kind = self._random.choice(list(_KINDS))
        self._touched.update(dict.fromkeys(_KINDS[kind]))
        yield _write(f"{DRIVERS}/{self._random.choice(_STUBS)}/{file}", kind)

    def _functions(self) -> Iterator[Step]:
        count = self._random.choice(("0", "1", "2", "5"))
        if count != "0" or not self._is_held(FUNCTION):
            yield _write(_VF_COUNT, count)

    def _reset(self) -> Iterator[Step]:
        yield _write(f"{DEVICES}/{self._address()}/reset", "1")

    def _look(self) -> Iterator[Step]:
        address = self._address()
        looks = (
            Step("link", f"{DEVICES}/{address}/driver"),
            Step("read", f"{DEVICES}/{address}/driver_override"),
            Step("list", f"{DEVICES}/{address}/vfio-dev"),
            Step("list", f"{DRIVERS}/{self._random.choice(_DRIVERS)}"),
            Step("nodes"),
        )
        yield self._random.choice(looks)

    def _open_group(self) -> Iterator[Step]:
        name = self._random.choice(_NAMES)
        if name not in self._open:
            self._open[name] = set()
            address = self._address()
            yield Step("open", address, "", name)
            if self._random.random() < _FOCUS:
                self._open[name].add(address)
                yield Step("attach", "", "", name)
                yield Step("device", address, "", name)

    def _in_group(self) -> Iterator[Step]:
        if self._open:
            name = self._random.choice(list(self._open))
            calls = ("viable", "attach", "detach", "device", "asked", "release", "close")
            call, address = self._random.choice(calls), self._address()
            if call == "device":
                self._open[name].add(address)
            elif call == "release":
                self._open[name].discard(address)
            elif call == "close":
                del self._open[name]
            yield Step(call, address, "", name)

    def _clean_up(self) -> Iterator[Step]:
        yield from (Step("close", "", "", name) for name in self._open)
        for driver in _STUBS:
            yield from (_write(f"{DRIVERS}/{driver}/remove_id", kind) for kind in _KINDS)
        yield _write(_VF_COUNT, "0")
        for address in self._touched:
            yield _write(f"{DEVICES}/{address}/driver_override", "\n")
            yield from (_write(f"{DRIVERS}/{driver}/unbind", address) for driver in _STUBS)
        yield from (_write(_PROBE, address) for address in self._touched)
        yield Step("nodes")


def programs(count: int, seed: int) -> Mapping[str, Sequence[Step]]:
    """The programs of a seed, by name; more of them begin with the same ones."""
    found: dict[str, Sequence[Step]] = {}
    for number in range(count):
        random = Random(f"{seed}/{number}")
        found[f"program {number + 1} of seed {seed}"] = tuple(_Writer(random).steps())
    return found
