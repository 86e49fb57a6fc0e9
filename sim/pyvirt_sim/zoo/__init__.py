"""One documented bug per file, each a mutant of a correct program that a checker must catch.

A mutant replaces one part for the length of a block; the library itself contains no bug switches.
What is replaced is a part of the library, of the simulated QEMU, or of a client program out of
`pyvirt_sim.clients`.
"""

from pyvirt_sim.zoo.mutant import BugClass as BugClass
from pyvirt_sim.zoo.mutant import Mutant as Mutant
from pyvirt_sim.zoo.mutant import mutant_named as mutant_named
from pyvirt_sim.zoo.mutant import mutant_slugs as mutant_slugs
