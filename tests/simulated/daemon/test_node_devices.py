"""Node devices from far away, and as a person types them: the same calls, answers and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from pyvirt_sim.host import SimPciDevice
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, HOSTDEV_XML
from pyvirt_trio import DefinitionError, InvalidStateError, PciAddress
from pyvirt_trio.cli import app
from pyvirt_trio.cli.session import Session
from tests.simulated.daemon.test_serve import client_of
from tests.simulated.driver.world import Clock, open_world

NAME = ADDRESS.node_device_name
OTHER = PciAddress.parse("0000:03:00.0")


async def test_a_device_goes_and_comes_back_and_the_list_says_where_it_is(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, client_of(world) as remote:

        async def row() -> tuple[str | None, str | None]:
            (one,) = await remote.call("nodedev-list")
            return one["driver"], one["list"]

        assert await row() == ("e1000e", None)
        await remote.call("nodedev-detach", device=NAME)
        assert await row() == ("vfio-pci", "inactive")
        await world.boot()
        await remote.call("attach-device", domain="demo", xml=HOSTDEV_XML)
        assert await row() == ("vfio-pci", "active")
        await remote.call("detach-device", domain="demo", device="hostdev0")
        await remote.call("nodedev-reset", device=NAME)
        await remote.call("nodedev-reattach", device=NAME)
        assert await row() == ("e1000e", None)


async def test_force_crosses_the_wire_and_flags_are_refused(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        host = world.host
        host.add_pci_device(
            SimPciDevice(address=OTHER, driver="e1000e", iommu_group=9, network_interface="eth0")
        )
        host.default_route = "eth0"
        device = OTHER.node_device_name
        for flags in (1, "x", None):
            with pytest.raises(DefinitionError, match="unsupported flags") as caught:
                await remote.call("nodedev-detach", device=device, flags=flags)
            assert caught.value.code == 8
        with pytest.raises(DefinitionError, match="unknown driver name 'pciback'"):
            await remote.call("nodedev-detach", device=device, driver="pciback")
        for method in ("nodedev-detach", "nodedev-reset"):
            with pytest.raises(InvalidStateError, match="the interface of a default route"):
                await remote.call(method, device=device)
        await remote.call("nodedev-reset", device=device, force=True)
        await remote.call("nodedev-reattach", device=device, force=True)
        await remote.call("nodedev-detach", device=device, force=True)
        assert world.hypervisor.host_devices.inactive == (OTHER,)


async def test_its_xml_names_all_that_share_its_iommu_group(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        world.host.add_pci_device(SimPciDevice(address=OTHER, iommu_group=7))
        xml = await remote.call("nodedev-dumpxml", device=NAME)
        assert "<iommuGroup number='7'>" in xml
        assert "<address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/>" in xml


async def test_a_list_leaves_out_what_vanishes_while_it_is_made(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        host = world.host
        host.add_pci_device(SimPciDevice(address=OTHER, iommu_group=9))
        original = host.read_text

        async def read_text(path: str) -> str:
            host.pci.devices.pop(str(OTHER), None)
            return await original(path)

        host.read_text = read_text  # type: ignore[method-assign]
        assert [one["name"] for one in await remote.call("nodedev-list")] == [NAME]


@pytest.mark.parametrize(
    ("words", "method", "params", "said"),
    [
        (
            ["nodedev-detach", NAME],
            "nodedev-detach",
            {"device": NAME, "driver": None, "force": False},
            f"Device {NAME} detached",
        ),
        (
            ["nodedev-detach", NAME, "--driver", "vfio", "--force"],
            "nodedev-detach",
            {"device": NAME, "driver": "vfio", "force": True},
            f"Device {NAME} detached",
        ),
        (
            ["nodedev-reattach", NAME, "--force"],
            "nodedev-reattach",
            {"device": NAME, "force": True},
            f"Device {NAME} re-attached",
        ),
        (
            ["nodedev-reset", NAME],
            "nodedev-reset",
            {"device": NAME, "force": False},
            f"Device {NAME} reset",
        ),
    ],
)
def test_what_is_typed_is_what_is_called(
    words: list[str],
    method: str,
    params: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    called: list[tuple[str, dict[str, Any]]] = []

    def call(_self: Session, say: Any, method: str, **params: Any) -> None:
        called.append((method, params))
        print(say(None))

    monkeypatch.setattr(Session, "call", call)
    assert app.run(words) == 0
    assert called == [(method, params)]
    assert capsys.readouterr().out == f"{said}\n"
