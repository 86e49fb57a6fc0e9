"""A real guest changes its card's address, twice: each time QEMU is asked, and so tells again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.agent.test_real_agent import definition
from tests.conformance.scenarios.test_guest_events_two_arms import started

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
        life = domain.running_life()
        execute = life.execute
        seen: list[str] = []

        async def listen(command: str, *arguments: Any) -> Any:
            answer = await execute(command, *arguments)
            if command == "query-rx-filter":
                seen.append(answer[0]["main-mac"])
            return answer

        monkeypatch.setattr(life, "execute", listen)
        for mac in MACS:
            done = await domain.agent.run("ip", ["link", "set", "eth0", "address", mac])
            assert done.exit_code == 0, done
            while mac not in seen:
                await domain.agent.ping()
        assert [mac for mac in dict.fromkeys(seen) if mac in MACS] == list(MACS)
