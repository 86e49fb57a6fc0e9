"""The one way in which the simulated world says "I do not know"."""

from __future__ import annotations


class ModelGapError(Exception):
    """The simulated world was asked for something that it does not model.

    Neither the library nor the test is wrong: the simulator is unfinished here, and says so instead
    of giving an answer that the real world might not give. It ends the run.
    """
