"""How fast the simulated QEMU answers beside a real one, and how it grows with many domains.

``python -m tests.benchmarks --only simulator`` prints the rows. Commands a second: the same client
task, one command after the other, to a real QEMU over a unix socket and to ours in this process, in
short rounds; the ratio is the median of those within each round.

``python -m tests.benchmarks.simulator N`` manages N simulated domains in one process, with the
library: all are started and live at once, each is given four devices and has them unplugged, and
all are destroyed. It prints how long that took, how much of it this process had a processor, and
the peak of resident memory. Growth is judged by processor time: a busy machine changes the other.
The garbage collector rests meanwhile, as it does in a run of the engine.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import attrs
import trio
import trio.testing

from pyvirt_sim.engine import simulate
from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_trio import Domain, Hypervisor, open_hypervisor
from tests.benchmarks.qmp import qemu
from tests.benchmarks.table import Row

ROUNDS = 9
COMMANDS = 400
SIZES = (100, 300, 1000)
DEVICES = 4

_PORTS = "".join(
    f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, DEVICES + 1)
)
_XML = """<domain type='qemu'><name>vm{n}</name>
<memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/boot/vmlinuz</kernel></os>
<devices><controller type='pci' index='0' model='pcie-root'/>{ports}</devices></domain>"""
_RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"


@attrs.frozen
class Fleet:
    """What some domains took: wall time, processor time, peak of resident memory."""

    seconds: float
    cpu_s: float
    peak_kib: float


def rows() -> list[Row]:
    """Measure commands a second of both QEMUs, and the growth with the number of domains."""
    real: list[float] = []
    plain: list[float] = []
    engine: list[float] = []
    with qemu() as path:
        for _ in range(ROUNDS):
            real.append(trio.run(_rate_real, path))
            plain.append(trio.run(_rate_simulated))
            engine.append(_rate_under_engine())
    fleets = {size: _fleet_in_a_process(size) for size in (0, *SIZES)}
    return [
        _rate_row("simulated QEMU, plain Trio", plain, real),
        _rate_row("simulated QEMU, under the engine", engine, real),
        *(_growth_row(size, fleets) for size in SIZES),
        _memory_row(fleets),
    ]


def _rate_row(name: str, ours: list[float], real: list[float]) -> Row:
    return Row(
        name=name,
        ours=statistics.median(ours),
        unit="commands/s",
        peer="real QEMU, unix socket",
        peer_value=statistics.median(real),
        ratio=statistics.median(a / b for a, b in zip(ours, real, strict=True)),
        aim=">= 1",
    )


def _growth_row(size: int, fleets: dict[int, Fleet]) -> Row:
    each = {count: one.cpu_s / count for count, one in fleets.items() if count}
    return Row(
        name=f"{size} domains, {DEVICES} devices each, plugged, unplugged, destroyed",
        ours=1000 * each[size],
        unit=f"CPU ms a domain ({fleets[size].seconds:.1f} s in all)",
        peer=f"{SIZES[0]} domains",
        peer_value=1000 * each[SIZES[0]],
        ratio=each[SIZES[0]] / each[size],
        aim="about 1: linear",
    )


def _memory_row(fleets: dict[int, Fleet]) -> Row:
    def each(size: int) -> float:
        return (fleets[size].peak_kib - fleets[0].peak_kib) / size

    most, least = SIZES[-1], SIZES[0]
    return Row(
        name=f"peak memory of {most} domains alive at once",
        ours=each(most),
        unit=f"KiB a domain ({fleets[most].peak_kib / 1024:.0f} MiB in all)",
        peer=f"{least} domains",
        peer_value=each(least),
        ratio=each(least) / each(most),
        aim="about 1: linear",
    )


# -- commands a second ----------------------------------------------------------------------------


async def _rate_real(path: Path) -> float:
    async with await trio.open_unix_socket(path) as stream:
        return await _rate(stream)


async def _rate_simulated() -> float:
    async with open_sim_host() as host:
        return await _rate(await _monitor(host))


def _rate_under_engine() -> float:
    async def program() -> None:
        async with open_sim_host() as host:
            await _exchange(await _monitor(host))

    # Wall time is out of reach inside the run, whose beginning and end are counted too.
    start = time.perf_counter()
    run = simulate(program, max_steps=10_000_000)
    assert run.error is None, run.error
    return COMMANDS / (time.perf_counter() - start)


async def _monitor(host: SimHost) -> trio.abc.Stream:
    await host.make_directory("/q")
    monitor = ["-chardev", "socket,id=m,path=/q/m,server=on,wait=off"]
    monitor += ["-mon", "chardev=m,mode=control"]
    argv = ["qemu-system-x86_64", "-machine", "q35", "-S", "-nodefaults", *monitor]
    await host.start_process(argv, log_file="/q/log")
    while not await host.exists("/q/m"):
        await trio.sleep(0.01)
    return await host.open_stream("unix:/q/m")


async def _rate(stream: trio.abc.Stream) -> float:
    start = time.perf_counter()
    await _exchange(stream)
    return COMMANDS / (time.perf_counter() - start)


async def _exchange(stream: trio.abc.Stream) -> None:
    rest = await _line(stream, b"")
    await stream.send_all(b'{"execute":"qmp_capabilities"}\n')
    rest = await _line(stream, rest)
    for number in range(COMMANDS):
        await stream.send_all(b'{"execute":"query-status","id":%d}\n' % number)
        rest = await _line(stream, rest)


async def _line(stream: trio.abc.Stream, rest: bytes) -> bytes:
    while b"\n" not in rest:
        rest += await stream.receive_some()
    line, _, rest = rest.partition(b"\n")
    assert b'"error"' not in line, line
    return rest


# -- many domains ---------------------------------------------------------------------------------


def _fleet_in_a_process(size: int) -> Fleet:
    command = [sys.executable, "-m", "tests.benchmarks.simulator", str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Fleet(**json.loads(done.stdout))


async def fleet(size: int) -> None:
    """Start domains, plug and unplug devices in each, destroy them."""
    async with open_sim_host() as host:
        host.add_file("/boot/vmlinuz")
        async with open_hypervisor("qemu:///embed?root=/vms", host=host) as hypervisor:
            domains = [await _start(hypervisor, number) for number in range(size)]
            await trio.sleep(60)  # virtual: every guest has booted
            async with trio.open_nursery() as nursery:
                for domain in domains:
                    nursery.start_soon(_plug_and_unplug, domain)
            for domain in domains:
                await domain.destroy()


async def _start(hypervisor: Hypervisor, number: int) -> Domain:
    domain = await hypervisor.define(_XML.format(n=number, ports=_PORTS))
    await domain.start()
    return domain


async def _plug_and_unplug(domain: Domain) -> None:
    devices = [await domain.attach_device(_RNG) for _ in range(DEVICES)]
    for device in devices:
        assert device.alias is not None
        await domain.detach_device(device.alias)


def _peak_kib() -> float:
    # Not getrusage: there a process begins with the peak of the one that started it.
    text = Path("/proc/self/status").read_text()
    return float(text.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Measure one fleet and print what it took."""
    gc.disable()
    start, cpu_start_s = time.perf_counter(), time.process_time()
    trio.run(fleet, int(sys.argv[1]), clock=trio.testing.MockClock(autojump_threshold=0))
    took = Fleet(
        seconds=time.perf_counter() - start,
        cpu_s=time.process_time() - cpu_start_s,
        peak_kib=_peak_kib(),
    )
    print(json.dumps(attrs.asdict(took)))


if __name__ == "__main__":
    main()
