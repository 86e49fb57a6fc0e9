"""Proofs within a stated bound: every schedule of a small scenario, one run per class of them."""

from pyvirt_sim.prove.proof import Effort as Effort
from pyvirt_sim.prove.proof import Part as Part
from pyvirt_sim.prove.proof import Proof as Proof
from pyvirt_sim.prove.proof import Verdict as Verdict
from pyvirt_sim.prove.registry import proof_named as proof_named
from pyvirt_sim.prove.registry import proof_names as proof_names
