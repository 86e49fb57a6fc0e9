"""Rule-based machines whose rules are asynchronous, and whose concurrency is drawn too."""

from pyvirt_sim.machines.domains import DomainMachine as DomainMachine
from pyvirt_sim.machines.machine import Call as Call
from pyvirt_sim.machines.machine import Machine as Machine
from pyvirt_sim.machines.machine import invariant as invariant
from pyvirt_sim.machines.machine import play as play
from pyvirt_sim.machines.machine import programs as programs
from pyvirt_sim.machines.machine import rule as rule
