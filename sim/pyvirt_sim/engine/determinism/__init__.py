"""Prove that a program is deterministic, or name the first line at which it is not.

observation   what one run did, in a form that processes can exchange and compare
lines         which lines a run executed, and what they changed
child         the same run in a process with another hash seed
proof         `prove_deterministic`
"""

from pyvirt_sim.engine.determinism.observation import Divergence as Divergence
from pyvirt_sim.engine.determinism.proof import Proof as Proof
from pyvirt_sim.engine.determinism.proof import prove_deterministic as prove_deterministic
