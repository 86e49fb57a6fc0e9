"""The founding story holds on machines that are slow and where small things go wrong."""

from __future__ import annotations

from pyvirt_sim.engine import RandomWalk, simulate
from pyvirt_sim.host import SITES
from pyvirt_sim.scenarios.hot_unplug_swarm import SCENARIO, UNBEARABLE

RUNS = 120
MET = {
    *("file", "sysfs", "connect", "process-start", "process-exit", "monitor-command", "rcu"),
    *("guest-boot", "guest-notices", "guest-unplug", "split-reads", "exit-leaves-socket"),
}
"""Sites that the story passes. The rest need a second process, a new device, a power button."""


def test_the_promise_holds_in_a_swarm_of_machines() -> None:
    walk = RandomWalk(1)
    drawn: set[str] = set()
    struck: set[str] = set()
    for _ in range(RUNS):
        run = simulate(SCENARIO.program, chooser=walk)
        if run.error is not None:
            run.error.add_note(run.tape.to_text())
            raise run.error
        assert run.notes[0].action == "draws its sites"
        for stream in ("faults", "latency"):
            columns = run.tape.streams.get(stream)
            if columns is not None and columns.labels is not None:
                pairs = zip(columns.labels, columns.values, strict=True)
                struck |= {label for label, value in pairs if value}
        drawn |= {part.split(" (")[0] for part in str(run.notes[0].data["live"]).split(", ")}
    assert drawn == set(SITES) - set(UNBEARABLE)
    assert struck >= MET
