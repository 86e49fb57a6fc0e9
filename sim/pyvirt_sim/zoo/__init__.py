"""One documented bug per file, each a mutant of a correct program that a checker must catch.

A mutant replaces one part for the length of a block; the library itself contains no bug switches.
"""

from pyvirt_sim.zoo.mutant import Mutant as Mutant
from pyvirt_sim.zoo.mutant import mutant_named as mutant_named
from pyvirt_sim.zoo.mutant import mutant_slugs as mutant_slugs
