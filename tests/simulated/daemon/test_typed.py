"""Commands as they are typed: what is asked, and what is printed of the answer."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from pyvirt_sim.host import SimPciDevice
from pyvirt_trio import DefinitionError, InvalidStateError, NotFoundError, PciAddress
from pyvirt_trio.cli import app, events
from pyvirt_trio.models.event_filter import EVENT_TYPES, virsh_name
from pyvirt_trio.remote.client import RemoteHypervisor
from tests.simulated.daemon.test_serve import client_of
from tests.simulated.daemon.typed import typed
from tests.simulated.driver.test_every_event import equipped
from tests.simulated.driver.world import RNG_XML, Clock, World, open_world

MAC = "52:54:00:00:00:01"
CARD = f"<interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>"
OTHER = PciAddress.parse("0000:05:00.0")
DEVICE = "device 'pci_0000_05_00_0'"


@asynccontextmanager
async def shell() -> AsyncGenerator[tuple[World, RemoteHypervisor]]:
    """A booted domain with disks, a screen and a card, and somebody who types."""
    async with equipped() as world, client_of(world) as remote:
        xml = world.domain.xml().replace("</devices>", f"{CARD}</devices>")
        await world.hypervisor.define(xml)
        await world.boot()
        yield world, remote


async def test_a_domain_is_meant_by_its_name_its_uuid_or_its_number(autojump_clock: Clock) -> None:
    async with shell() as (world, remote):
        uuid = str(world.domain.uuid)
        for text in ("demo", uuid, "1"):
            assert await typed(remote, "domname", text) == "demo"
            assert await typed(remote, "domid", text) == "1"
            assert await typed(remote, "domuuid", text) == uuid
        await typed(remote, "destroy", "1")
        assert await typed(remote, "domid", "demo") == "-"
        with pytest.raises(NotFoundError, match="no domain with matching name '1'"):
            await typed(remote, "domname", "1")


async def test_a_list_shows_what_is_asked_for(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        await world.domain.set_title("a machine")
        assert await typed(remote, "list", "--name") == ""
        for words in (["--all"], ["--inactive"], ["--all", "--persistent"]):
            assert await typed(remote, "list", *words, "--name") == "demo"
        for words in (["--transient"], ["--autostart"], ["--with-managed-save"]):
            assert await typed(remote, "list", "--all", *words, "--name") == ""
        await typed(remote, "autostart", "demo")
        assert await typed(remote, "list", "--all", "--autostart", "--name") == "demo"
        assert await typed(remote, "list", "--all", "--no-autostart", "--name") == ""
        both = ("--autostart", "--no-autostart")
        assert await typed(remote, "list", "--all", *both, "--name") == "demo"
        await world.boot()
        assert await typed(remote, "list", "--uuid") == str(world.domain.uuid)
        assert await typed(remote, "list", "--id") == "1"
        assert await typed(remote, "list", "--inactive", "--name") == ""
        await typed(remote, "managedsave", "demo")
        assert await typed(remote, "list", "--all", "--with-managed-save", "--title") == (
            " Id   Name                 State     Title\n"
            "--------------------------------------------\n"
            " -    demo                 shutoff   a machine"
        )


async def test_disks_and_cards_are_listed(autojump_clock: Clock) -> None:
    async with shell() as (_, remote):
        assert await typed(remote, "domblklist", "demo", "--details") == (
            " Type   Device   Target   Source\n"
            "--------------------------------------\n"
            " file   disk     vda      /images/vda\n"
            " file   cdrom    sda      /images/cd"
        )
        config = await typed(remote, "domblklist", "demo", "--inactive")
        assert re.findall(r"^ (\w+)  +(\S+)$", config, re.MULTILINE)[1:] == [
            ("vda", "/images/vda"),
            ("vdb", "/images/gone"),
            ("sda", "/images/cd"),
        ]
        assert await typed(remote, "domiflist", "demo") == (
            " Interface   Type   Source   Model    MAC\n"
            "--------------------------------------------------------\n"
            f" -           user   -        virtio   {MAC}"
        )


async def test_a_cable_is_pulled_and_put_back(autojump_clock: Clock) -> None:
    async with shell() as (world, remote):
        assert await typed(remote, "domif-getlink", "demo", MAC) == f"{MAC} up"
        said = await typed(remote, "domif-setlink", "demo", MAC, "down")
        assert said == "Device updated successfully"
        assert await typed(remote, "domif-getlink", "demo", MAC) == f"{MAC} down"
        assert await typed(remote, "domif-getlink", "demo", MAC, "--config") == f"{MAC} up"
        await typed(remote, "domif-setlink", "demo", MAC, "down", "--config")
        assert "<link state='down'/>" in world.domain.xml(inactive=True)
        with pytest.raises(DefinitionError, match="invalid link state 'lost'"):
            await typed(remote, "domif-setlink", "demo", MAC, "lost")
        for command in (["domif-getlink", "demo", "eth7"], ["domif-setlink", "demo", "eth7", "up"]):
            with pytest.raises((DefinitionError, NotFoundError), match="eth7"):
                await typed(remote, *command)


async def test_a_medium_is_ejected_inserted_and_changed(autojump_clock: Clock) -> None:
    async with shell() as (world, remote):
        change = ("change-media", "demo", "sda")
        world.host.add_file("/images/other")
        assert await typed(remote, *change, "--eject") == "Successfully ejected media."
        with pytest.raises(DefinitionError, match="'sda' doesn't have media"):
            await typed(remote, *change, "--eject")
        said = await typed(remote, *change, "/images/other", "--insert")
        assert said == "Successfully inserted media."
        with pytest.raises(DefinitionError, match="'sda' already has media"):
            await typed(remote, *change, "/images/cd", "--insert")
        assert await typed(remote, *change, "/images/cd") == "Successfully updated media."
        assert "/images/cd" in world.domain.xml()
        await typed(remote, *change, "/images/other", "--config")
        assert "/images/other" in world.domain.xml(inactive=True)
        for words, complaint in (
            (["demo", "vda", "--eject"], "'vda' is not removable"),
            (["demo", "sda", "--insert"], "No disk source specified for inserting"),
            (["demo", "sda", "/x", "--eject"], "No source is to be specified"),
            (["demo", "sda", "--eject", "--update"], "must be specified exclusively"),
            (["demo", "sdz", "--eject"], "No disk found whose source path or target is sdz"),
        ):
            with pytest.raises((DefinitionError, NotFoundError), match=complaint):
                await typed(remote, "change-media", *words)


async def test_a_screen_s_address_is_printed(autojump_clock: Clock) -> None:
    async with shell() as (world, remote):
        assert await typed(remote, "domdisplay", "demo") == "vnc://127.0.0.1:17"
        assert await typed(remote, "vncdisplay", "demo") == "127.0.0.1:17"
        with pytest.raises(DefinitionError, match="No graphical display found"):
            await typed(remote, "domdisplay", "demo", "--kind", "spice")
        await world.domain.destroy()
        with pytest.raises(InvalidStateError, match="Domain is not running"):
            await typed(remote, "vncdisplay", "demo")
        xml = re.sub("<audio.*?/>", "", world.domain.xml())
        graphics = "<graphics type='vnc'><listen type='socket' socket='/run/vnc'/></graphics>"
        changed = re.sub("<graphics.*</graphics>", graphics, xml, flags=re.DOTALL)
        await world.hypervisor.define(changed)
        await world.domain.start()
        assert await typed(remote, "domdisplay", "demo") == "vnc+unix:///run/vnc"
        assert await typed(remote, "vncdisplay", "demo") == "/run/vnc"
        await world.domain.destroy()
        spice = "<graphics type='spice' port='5930' listen='::1'/>"
        await world.hypervisor.define(re.sub("<graphics.*</graphics>", spice, xml, flags=re.DOTALL))
        await world.domain.start()
        assert await typed(remote, "domdisplay", "demo") == "spice://[::1]:5930"
        with pytest.raises(DefinitionError, match="Is this domain using VNC"):
            await typed(remote, "vncdisplay", "demo")


async def test_a_password_is_printed_only_when_asked_for(autojump_clock: Clock) -> None:
    async with open_world() as world, client_of(world) as remote:
        screen = "<graphics type='vnc' passwd='secret'/></devices>"
        await world.hypervisor.define(world.domain.xml().replace("</devices>", screen))
        assert "secret" not in await typed(remote, "dumpxml", "demo")
        assert "passwd='secret'" in await typed(remote, "dumpxml", "demo", "--security-info")


async def test_who_changes_a_domain_is_told_from_nobody(autojump_clock: Clock) -> None:
    async with shell() as (world, remote):
        assert await typed(remote, "domcontrol", "demo") == "ok"
        async with world.domain.job.hold("a change"):
            assert await typed(remote, "domcontrol", "demo") == "job"


async def test_numbers_are_printed_under_virsh_s_names(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shell() as (world, remote):
        life = world.domain.running_life()
        execute = life.execute
        stats = {
            "rd_operations": 1,
            "rd_bytes": 2,
            "rd_total_time_ns": 3,
            "wr_operations": 4,
            "wr_bytes": 5,
            "wr_total_time_ns": 6,
            "flush_operations": 7,
            "flush_total_time_ns": 8,
        }

        async def counted(command: str, *arguments: Any) -> Any:
            if command == "query-blockstats":  # which the simulated QEMU does not model
                return [{"qdev": "virtio-disk0", "stats": stats}]
            return await execute(command, *arguments)

        monkeypatch.setattr(life, "execute", counted)
        assert await typed(remote, "domblkstat", "demo", "vda") == (
            "vda rd_req 1\nvda rd_bytes 2\nvda wr_req 4\nvda wr_bytes 5\nvda flush_operations 7\n"
            "vda rd_total_times 3\nvda wr_total_times 6\nvda flush_total_times 8"
        )
        with pytest.raises(DefinitionError, match="invalid path: vdz"):
            await typed(remote, "domblkstat", "demo", "vdz")
        assert (await typed(remote, "dommemstat", "demo")).startswith("actual 262144")
        assert re.fullmatch(
            r"Total:\n(\t(cpu|user|system)_time +\d+\.\d{9} seconds\n?){3}",
            await typed(remote, "cpu-stats", "demo"),
        )
        said = await typed(remote, "domstats", "demo", "--state", "--balloon")
        names = {line.partition("=")[0].strip() for line in said.splitlines()[1:]}
        assert {name.partition(".")[0] for name in names} == {"state", "balloon"}
        assert "block.count" in await typed(remote, "domstats", "demo")
        await world.domain.destroy()
        with pytest.raises(DefinitionError, match="domain is not running"):
            await typed(remote, "cpu-stats", "demo")


async def test_a_device_is_asked_for_without_waiting(autojump_clock: Clock, tmp_path: Path) -> None:
    async with open_world() as world, client_of(world) as remote:
        await world.boot()
        (tmp_path / "rng.xml").write_text(RNG_XML)
        said = await typed(remote, "attach-device", "demo", str(tmp_path / "rng.xml"))
        assert said == "Device attached successfully as rng0"
        await world.domain.suspend()
        asked = await typed(remote, "detach-device-alias", "demo", "rng0")
        assert asked == "Device detach request sent successfully for alias rng0"
        assert "rng0" in world.domain.xml()
        await world.domain.resume()
        await trio.sleep(60)
        assert "rng0" not in world.domain.xml()


async def test_a_disk_is_pulled_limited_and_watched(autojump_clock: Clock) -> None:
    async with shell() as (world, remote):
        await typed(remote, "blkdeviotune", "demo", "vda", "total-iops-sec=500")
        limits = await typed(remote, "blkdeviotune", "demo", "vda")
        assert re.search(r"^total_iops_sec +: 500$", limits, re.MULTILINE)
        assert await typed(remote, "domblkthreshold", "demo", "vda", "4096") == ""
        world.guest.write("virtio-disk0", 8192)
        await trio.sleep(1)
        assert "BlockThresholdExceeded" in {type(event).__name__ for event in world.announced()}
        assert await typed(remote, "blockpull", "demo", "vda") == "Block Pull started"
        assert "vda" in await typed(remote, "blockjob", "demo", "vda")


async def test_a_device_is_changed_by_a_file(autojump_clock: Clock, tmp_path: Path) -> None:
    async with shell() as (world, remote):
        file = tmp_path / "card.xml"
        file.write_text(CARD.replace("</interface>", "<link state='down'/></interface>"))
        said = await typed(remote, "update-device", "demo", str(file), "--live")
        assert said == "Device updated successfully as net0"
        assert "<link state='down'/>" in world.domain.xml()


async def test_processors_are_interrupted(autojump_clock: Clock) -> None:
    async with shell() as (world, remote):
        assert await typed(remote, "inject-nmi", "demo") == ""
        await world.domain.destroy()
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await typed(remote, "inject-nmi", "demo")


# -- events ---------------------------------------------------------------------------------------


def connecting(
    remote: RemoteHypervisor,
) -> Callable[..., AbstractAsyncContextManager[RemoteHypervisor]]:
    """In the place of a connection to a keeper."""

    @asynccontextmanager
    async def connect(_root: str, *, starts: bool = True) -> AsyncGenerator[RemoteHypervisor]:
        del starts
        yield remote

    return connect


async def follow(*words: str) -> None:
    """What ``pyvirt WORDS`` does with events."""
    run: list[tuple[Any, ...]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio, "run", lambda *arguments: run.append(arguments))
        app.app.meta(list(words), result_action="return_value")
    ((function, *arguments),) = run
    await function(*arguments)


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            ["--event", "lifecycle"],
            [f"event 'nodedev-lifecycle' for {DEVICE}: NodeDeviceCreated"],
        ),
        (
            ["--event", "update"],
            [f"event 'nodedev-update' for {DEVICE}: NodeDeviceUpdated driver=vfio-pci"],
        ),
        (
            ["--device", "pci_0000_05_00_0", "--event", "lifecycle", "--loop", "--timeout", "90"],
            [
                f"event 'nodedev-lifecycle' for {DEVICE}: NodeDeviceCreated",
                f"event 'nodedev-lifecycle' for {DEVICE}: NodeDeviceDeleted",
            ],
        ),
        (["--device", "pci_0000_77_00_0", "--loop", "--timeout", "90"], []),
    ],
)
async def test_events_of_the_host_s_devices_are_printed(
    autojump_clock: Clock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    lines: list[str],
) -> None:
    async with open_world() as world, client_of(world) as remote:
        monkeypatch.setattr(events, "open_remote", connecting(remote))
        await world.hypervisor.follow_node_devices()
        device = SimPciDevice(address=OTHER, driver="e1000e", iommu_group=9)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, "nodedev-event", *words)
            await trio.sleep(1)
            await world.host.plug_pci_device(device)
            await trio.sleep(1)
            await (await world.hypervisor.node_device(OTHER.node_device_name)).detach()
            await trio.sleep(1)
            await world.host.unplug_pci_device(device)
        assert capsys.readouterr().out.splitlines() == lines


async def test_events_of_a_domain_are_printed(
    autojump_clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world() as world, client_of(world) as remote:
        monkeypatch.setattr(events, "open_remote", connecting(remote))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                follow, "event", "--domain", "demo", "--event", "lifecycle", "--count", "2"
            )
            await trio.sleep(1)
            await world.domain.start()
        assert capsys.readouterr().out.splitlines() == [
            "event 'lifecycle' for domain 'demo': DomainResumed detail=unpaused",
            "event 'lifecycle' for domain 'demo': DomainStarted detail=booted",
        ]


def test_names_of_events_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["nodedev-event", "--list"]) == 0
    assert capsys.readouterr().out.split() == ["lifecycle", "update"]
    assert app.run(["event", "--list"]) == 0
    assert set(capsys.readouterr().out.split()) == {virsh_name(one) for one in EVENT_TYPES.values()}
    assert app.run(["nodedev-event", "--event", "nonsense"]) == 1
    assert "unknown event type nonsense" in capsys.readouterr().err


# -- help -----------------------------------------------------------------------------------------

COMMANDS = sorted(name for name in app.app if not name.startswith("-"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_argument_is_explained(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app.app([name, "--help"], result_action="return_value")
    said = " ".join(capsys.readouterr().out.split())
    command = app.app[name].default_command
    assert command is not None
    assert " ".join((command.__doc__ or "").split("\n\n")[0].split()) in said
    explained = re.findall(r"^        (\w+):", (command.__doc__ or ""), re.MULTILINE)
    assert explained == list(inspect.signature(command).parameters)


def test_every_command_that_calls_is_named_in_a_test() -> None:
    folders = [Path(__file__).parents[1], Path(__file__).parents[2] / "conformance" / "cli"]
    text = "".join(path.read_text() for one in folders for path in one.rglob("test_*.py"))
    assert [name for name in COMMANDS if f'"{name}"' not in text] == []
