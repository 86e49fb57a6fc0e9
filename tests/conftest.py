"""Profiles for Hypothesis, and the rule for real parts: present, or loudly missing.

A test with a ``real_*`` marker runs where its part can be had. Elsewhere it is skipped, the reason
is printed and the skips are counted; under ``CI=true`` a missing part is a failure, so that a green
run there means that the real thing was met.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence

import hypothesis
import pytest

from pyvirt_sim.conformance.real.agent_guest import build_agent_guest
from pyvirt_sim.conformance.real.guest import Guest, build_guest
from pyvirt_sim.conformance.real.nested import NestedMachine, build_nested
from pyvirt_sim.conformance.real.packages import RealPartMissingError
from pyvirt_trio.host import real
from tests.real import parts

_OUTCOMES = ("passed", "failed", "error", "skipped")

# The suite draws the same examples on every machine and run; `explore` looks for new ones. No
# deadline: a busy machine is not a bug. No database: a found example becomes a regression test.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile(
    "explore", deadline=None, database=None, max_examples=2_000, print_blob=True
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def _without(reason: str) -> None:
    """Skip the running test, or fail it where every part is promised."""
    if _is_ci():
        pytest.fail(f"CI=true, and {reason}", pytrace=False)
    pytest.skip(reason)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Ask, before a marked test, whether its real parts are here."""
    for marker, missing in parts.MISSING.items():
        if item.get_closest_marker(marker) is not None:
            reason = missing()
            if reason is not None:
                _without(reason)


NOWHERE = "/sys/bus/pci/devices/ffffffff:ff:1f.7/"
"""A device that no machine has: writing there must fail, and a test sees that it does."""


@pytest.fixture(scope="session", autouse=True)
def this_machine_is_safe() -> Iterator[None]:
    """Nothing that runs here writes into the machine's own /sys or loads modules into its kernel.

    A network card that is unbound and probed again takes the machine off the network. Programs that
    move real devices run inside the nested machine, which has no pytest.
    """
    write, start = real.RealHost.write_attribute, real.RealHost.start_process

    async def write_attribute(self: real.RealHost, path: str, text: str) -> None:
        is_harmless = path.startswith(NOWHERE) or not path.startswith("/sys/")
        assert is_harmless, f"a test writes into {path} of this machine"
        await write(self, path, text)

    async def start_process(
        self: real.RealHost, argv: Sequence[str], *, log_file: str
    ) -> real.RealProcess:
        assert argv[0] != "modprobe", "a test loads a module into the kernel of this machine"
        return await start(self, argv, log_file=log_file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(real.RealHost, "write_attribute", write_attribute)
        patch.setattr(real.RealHost, "start_process", start_process)
        yield


@pytest.fixture(scope="session")
def linux_guest() -> Guest:
    """A small Linux guest for a real QEMU: kernel, initramfs and the line it says when it is up."""
    try:
        return build_guest()
    except RealPartMissingError as error:
        _without(str(error))
        raise


@pytest.fixture(scope="session")
def agent_guest() -> Guest:
    """The same guest with QEMU's guest agent in it, which listens at its channel."""
    try:
        return build_agent_guest()
    except RealPartMissingError as error:
        _without(str(error))
        raise


@pytest.fixture(scope="session")
def nested_machine() -> NestedMachine:
    """A machine with an IOMMU, booted by each run: the real sysfs and vfio, none of this one's."""
    try:
        return build_nested()
    except RealPartMissingError as error:
        _without(str(error))
        raise


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print, for each kind of real part, how many tests met it."""
    counts = {marker: Counter[str]() for marker in parts.MISSING}
    for outcome in _OUTCOMES:
        for report in terminalreporter.getreports(outcome):
            for marker in counts.keys() & set(getattr(report, "keywords", ())):
                counts[marker][outcome] += 1
    for marker, count in counts.items():
        if count:
            told = [o for o in _OUTCOMES if count[o] or o in ("passed", "skipped")]
            numbers = ", ".join(f"{count[outcome]} {outcome}" for outcome in told)
            terminalreporter.write_line(f"{marker}: {numbers}")
    _tell_requests(terminalreporter)


def _tell_requests(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many requests a real libvirt and this library have answered, alike or not."""
    rows = [
        (family, Counter(requests=requests, alike=alike, otherwise=otherwise))
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "real_libvirt"
        for family, requests, alike, otherwise in [value]
    ]
    if rows:
        rows.append(("all", sum((counts for _, counts in rows), Counter[str]())))
    for family, counts in rows:
        numbers = ", ".join(f"{count} {name}" for name, count in counts.items())
        terminalreporter.write_line(f"requests to libvirt and ours, {family}: {numbers}")
