"""Hypothesis strategies for worlds and workloads: what a test of management code starts from.

@pytest.mark.simulated
@given(plan=host_plans(), devices=st.lists(device_xml(), max_size=3))
async def test_devices_come_and_go(plan, devices): ...
"""

from pyvirt_sim.strategies.definitions import DISK_IMAGES as DISK_IMAGES
from pyvirt_sim.strategies.definitions import FILES as FILES
from pyvirt_sim.strategies.definitions import KERNEL as KERNEL
from pyvirt_sim.strategies.definitions import PLUGGABLE as PLUGGABLE
from pyvirt_sim.strategies.definitions import SPARE_PORTS as SPARE_PORTS
from pyvirt_sim.strategies.definitions import device_xml as device_xml
from pyvirt_sim.strategies.definitions import domain_xml as domain_xml
from pyvirt_sim.strategies.worlds import guest_behaviours as guest_behaviours
from pyvirt_sim.strategies.worlds import guest_times as guest_times
from pyvirt_sim.strategies.worlds import host_devices as host_devices
from pyvirt_sim.strategies.worlds import host_plans as host_plans
