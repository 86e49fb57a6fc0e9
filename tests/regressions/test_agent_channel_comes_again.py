"""The agent's channel is unplugged while it is open, and another one gets its name.

QEMU says nothing of the port of a device that is unplugged. So the new channel counted as open
before any agent had opened it, calls went into the old socket, and the agent's real coming was
taken for a restart. The state of a channel belongs to the channel: it leaves with it.
"""

from __future__ import annotations

import pytest
import trio

from pyvirt_trio.errors import AgentUnavailableError
from tests.simulated.driver.test_agent import CHANNEL, agent_of, booted
from tests.simulated.driver.world import Clock

ANOTHER = CHANNEL.replace("agent.sock", "other.sock")


async def test_it_is_closed_until_an_agent_opens_it(autojump_clock: Clock) -> None:
    async with booted() as world:
        agent = world.domain.agent
        await agent.ping()
        await world.domain.detach_device("channel0")
        assert world.domain.view.open_channels == frozenset()
        channel = await world.domain.attach_device(ANOTHER)
        assert channel.alias == "channel0"
        assert not agent.is_connected
        with pytest.raises(AgentUnavailableError, match="not connected"):
            await agent.ping()
        agent_of(world).system_is_up()  # udev starts one for the new port
        await trio.sleep(1)  # the event is on its way
        await agent.ping()
