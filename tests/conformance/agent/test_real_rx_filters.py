"""A real guest changes its card's address, twice: each time QEMU is asked, and so tells again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.agent.test_real_agent import definition
from tests.conformance.scenarios.test_guest_events_two_arms import started
from tests.simulated.driver.test_rx_filters import answers_of

BYTES = 8 << 20
MACS = ("52:54:00:00:00:02", "52:54:00:00:00:03")


@pytest.mark.real_qemu
async def test_a_trusted_guest_s_changes_are_asked_for(
    agent_guest: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").write_bytes(bytes(BYTES))
    card = (
        "<interface type='user' trustGuestRxFilters='yes'>"
        "<mac address='52:54:00:00:00:01'/><model type='virtio'/></interface></devices>"
    )
    xml = definition(agent_guest, tmp_path).replace("</devices>", card)
    async with started(xml, f"qemu:///embed?root={tmp_path}/vms") as (domain, _):
        answers = answers_of(domain, monkeypatch)
        for mac in MACS:
            done = await domain.agent.run("ip", ["link", "set", "eth0", "address", mac])
            assert done.exit_code == 0, done
            while mac not in [one["main-mac"] for one in answers]:
                await domain.agent.ping()
        seen = dict.fromkeys(one["main-mac"] for one in answers)
        assert [mac for mac in seen if mac in MACS] == list(MACS)
