"""A domain: the thing a user holds, defines, starts, changes and listens to."""

from __future__ import annotations

from pyvirt_trio.driver.block_calls import BlockCalls
from pyvirt_trio.driver.console import ConsoleCalls
from pyvirt_trio.driver.device_calls import DeviceCalls
from pyvirt_trio.driver.domain_core import DomainView as DomainView
from pyvirt_trio.driver.dumping import DumpingCalls
from pyvirt_trio.driver.job_calls import JobCalls
from pyvirt_trio.driver.lifecycle import LifecycleCalls
from pyvirt_trio.driver.metadata import MetadataCalls
from pyvirt_trio.driver.renaming import RenamingCalls
from pyvirt_trio.driver.screens import ScreenCalls
from pyvirt_trio.driver.statistics import StatisticsCalls
from pyvirt_trio.driver.tuning import TuningCalls
from pyvirt_trio.driver.vcpus import VcpuCalls


class Domain(
    LifecycleCalls,
    DeviceCalls,
    BlockCalls,
    DumpingCalls,
    ConsoleCalls,
    JobCalls,
    MetadataCalls,
    RenamingCalls,
    ScreenCalls,
    StatisticsCalls,
    TuningCalls,
    VcpuCalls,
):
    """A domain of one hypervisor. Two handles of one domain are the same object.

    Questions (`view`, `status`, `xml`) are answered at once and never wait for a change that is
    under way. Changes take the domain's job, one after another.
    """
