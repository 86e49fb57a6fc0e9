"""Each refusal of libvirt's, in its words and with its number; nothing has changed afterwards.

The texts of many are held to a real libvirt in ``tests/conformance/libvirt``.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import trio
import trio.testing

from pyvirt_sim.host import open_sim_host
from pyvirt_sim.qemu.image_head import ImageHead
from pyvirt_trio import DeviceRemovalFailed, Domain, open_hypervisor
from pyvirt_trio.errors import PyvirtError
from tests.simulated.driver.refusals import REFUSALS, Refusal
from tests.simulated.driver.refused_devices import PRESENT
from tests.simulated.driver.test_pluggable_types import FILES, PATIENCE_S, definition


def domain_with(devices: Iterable[str]) -> str:
    """A domain with ports for all of them, and one more."""
    ports = "".join(
        f"<controller type='pci' index='{number}' model='pcie-root-port'/>" for number in (6, 7, 8)
    )
    text = definition().replace(" memAccess='shared'", "")
    return text.replace("</devices>", f"{ports}{''.join(devices)}</devices>")


async def ask(domain: Domain, refusal: Refusal) -> None:
    calls = {
        "attach": domain.attach_device,
        "detach": domain.detach_device,
        "update": domain.update_device,
    }
    await calls[refusal.call](refusal.xml, refusal.impact)


def named(refusal: Refusal) -> str:
    return f"{refusal.call} {refusal.fact}"


@pytest.mark.parametrize("refusal", REFUSALS, ids=named)
async def test_a_request_is_refused_and_nothing_changes(
    refusal: Refusal, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_sim_host() as host:
            for path in (*FILES, "/images/base"):
                host.add_file(path)
            host.add_file("/images/top", ImageHead(4 << 20, "/images/base").encode())
            async with open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor:
                domain = await hypervisor.define(
                    domain_with(xml for xml in PRESENT if xml != refusal.without)
                )
                await domain.start(paused=True)
                await refusal.given(host, domain)
                before, events = hypervisor.subscribe()
                with pytest.raises(PyvirtError) as caught:
                    await ask(domain, refusal)
                path = getattr(caught.value, "path", "")
                text = str(caught.value).removeprefix(f"{path}: ")
                assert (refusal.code, refusal.text) == (caught.value.code, text)
                assert events is not None
                if refusal.is_announced:
                    assert isinstance(events.receive_nowait().event, DeviceRemovalFailed)
                else:
                    assert before == hypervisor.view()
                with pytest.raises(trio.WouldBlock):
                    events.receive_nowait()
                await domain.destroy()
