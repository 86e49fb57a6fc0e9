"""Whatever is written into sysfs, what it shows stays consistent, and its limits are said."""

from __future__ import annotations

import errno

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_sim.conformance.kernel import scene
from pyvirt_sim.engine import RandomWalk, simulate
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host import HostPlan, SimHost, SimMachine, open_sim_host
from tests.sim.host.running import CARD, SYSFS, VFIO, run_on_machine

DEVICES, DRIVERS = "/sys/bus/pci/devices", "/sys/bus/pci/drivers"
ADDRESSES = (scene.CARD, scene.TWIN, scene.OTHER_TWIN, scene.OLD_CARD, scene.UNWANTED, scene.DISK)
# A driver is only ever made to look at what it knows: the rest is a gap, not a kernel.
OVERRIDES = ("vfio-pci", "pci-stub", "\n", "nosuch")

_addresses = st.sampled_from((*ADDRESSES, scene.FUNCTION, "junk"))
writes = st.one_of(
    st.tuples(
        _addresses.map(lambda a: f"{DEVICES}/{a}/driver_override"), st.sampled_from(OVERRIDES)
    ),
    st.tuples(_addresses.map(lambda a: f"{DEVICES}/{a}/driver/unbind"), _addresses),
    st.tuples(
        st.sampled_from(("vfio-pci", "e1000e", "pci-stub", "nvme")).flatmap(
            lambda d: st.sampled_from((f"{DRIVERS}/{d}/bind", f"{DRIVERS}/{d}/unbind"))
        ),
        _addresses,
    ),
    st.tuples(st.just("/sys/bus/pci/drivers_probe"), _addresses),
    st.tuples(_addresses.map(lambda a: f"{DEVICES}/{a}/reset"), st.sampled_from(("1", "0"))),
    st.tuples(
        st.just(f"{DEVICES}/{scene.DISK}/sriov_numvfs"), st.sampled_from(("0", "1", "2", "9"))
    ),
)


async def require_consistent(host: SimHost) -> None:
    """One view of who has which device, whichever file is asked."""
    drivers: dict[str, str] = {}
    for address in await host.list_directory(DEVICES):
        if await host.exists(f"{DEVICES}/{address}/driver"):
            link = await host.read_link(f"{DEVICES}/{address}/driver")
            drivers[address] = link.rpartition("/")[2]
    for driver in await host.list_directory(DRIVERS):
        found = [name for name in await host.list_directory(f"{DRIVERS}/{driver}") if ":" in name]
        assert found == [address for address, name in drivers.items() if name == driver]
    groups: set[str] = set()
    for address, driver in drivers.items():
        number = (await host.read_link(f"{DEVICES}/{address}/iommu_group")).rpartition("/")[2]
        groups |= {number} if driver == "vfio-pci" else set()
        has_vfio = await host.exists(f"{DEVICES}/{address}/vfio-dev")
        assert has_vfio == (driver == "vfio-pci")
    assert set(await host.list_directory("/dev/vfio")) == groups | {"vfio"}


@settings(max_examples=60)
@given(
    st.lists(st.lists(writes, min_size=1, max_size=6), min_size=1, max_size=3), st.integers(0, 99)
)
def test_the_files_agree_after_any_writes_by_several_tasks(
    tasks: list[list[tuple[str, str]]], seed: int
) -> None:
    async def write(host: SimHost, program: list[tuple[str, str]]) -> None:
        for path, text in program:
            try:
                await host.write_attribute(path, text)
            except OSError as error:
                assert error.errno in {  # noqa: PT017 - an error is one answer of two
                    errno.ENODEV,
                    errno.ENOENT,
                    errno.EBUSY,
                    errno.EINVAL,
                    errno.ERANGE,
                    errno.ENOTTY,
                    errno.EIO,
                }
            except ModelGapError:
                return

    async def program() -> None:
        live = frozenset({"sysfs", "probe-fails"})
        async with open_sim_host(HostPlan(live=live)) as host:
            for device in scene.devices():
                host.add_pci_device(device)
            async with trio.open_nursery() as nursery:
                for one in tasks:
                    nursery.start_soon(write, host, one)
            await require_consistent(host)

    run = simulate(program, chooser=RandomWalk(seed))
    if run.error is not None:
        raise run.error


def test_a_driver_may_decline_a_device() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        await host.write_attribute(f"{SYSFS}/driver_override", "vfio-pci")
        await host.write_attribute(f"{SYSFS}/driver/unbind", str(CARD))
        await host.write_attribute("/sys/bus/pci/drivers_probe", str(CARD))
        assert not await host.exists(f"{SYSFS}/driver")
        with pytest.raises(OSError, match="Input/output error"):
            await host.write_attribute(f"{VFIO}/bind", str(CARD))

    run_on_machine(body, "probe-fails", answers={"probe-fails": 3})


def test_what_is_not_modelled_says_so() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        for call in (
            host.read_text(f"{SYSFS}/config"),
            host.write_attribute(f"{SYSFS}/remove", "1"),
            host.list_directory(SYSFS),
            host.exists("/sys/module/vfio_pci"),
            host.write_attribute(f"{VFIO}/new_id", "8086 10d3 8086 0000"),
            host.write_attribute(f"{VFIO}/uevent", "add"),
        ):
            with pytest.raises(ModelGapError):
                await call

    run_on_machine(body)


def test_a_driver_made_to_look_at_a_strange_device_is_a_gap() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        for device in (d for d in scene.devices() if str(d.address) != str(CARD)):
            host.add_pci_device(device)
        folder = f"{DEVICES}/{scene.UNWANTED}"
        await host.write_attribute(f"{folder}/driver_override", "nvme")
        with pytest.raises(ModelGapError, match="nvme is made to look at a device"):
            await host.write_attribute("/sys/bus/pci/drivers_probe", scene.UNWANTED)

    run_on_machine(body)


def test_a_waiting_write_is_not_undone_by_cancellation() -> None:
    async def body(machine: SimMachine) -> None:
        host = machine.host
        await host.write_attribute(f"{SYSFS}/driver_override", "vfio-pci")
        await host.write_attribute(f"{SYSFS}/driver/unbind", str(CARD))
        await host.write_attribute("/sys/bus/pci/drivers_probe", str(CARD))
        asked: list[str] = []
        opened = host.open_vfio(str(CARD), 1001, lambda: asked.append("please"))
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(1) as scope:
                nursery.start_soon(_close_after, opened.close, 5)
                await host.write_attribute(f"{VFIO}/unbind", str(CARD))
            assert trio.current_time() == 5
            assert not scope.cancelled_caught
        assert asked == ["please"]
        assert not await host.exists(f"{SYSFS}/driver")

    run_on_machine(body)


async def _close_after(close: object, delay_s: float) -> None:
    await trio.sleep(delay_s)
    assert callable(close)
    close()
