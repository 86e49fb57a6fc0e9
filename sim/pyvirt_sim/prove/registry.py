"""All proofs, by name."""

from __future__ import annotations

from collections.abc import Iterator

from pyvirt_sim.prove import agent, restart, unplug, waiting
from pyvirt_sim.prove.proof import Proof


def _all() -> Iterator[Proof]:
    """A proof is registered by a line here."""
    yield from unplug.proofs()
    yield from waiting.proofs()
    yield from agent.proofs()
    yield restart.PROOF


def proof_names() -> tuple[str, ...]:
    """The names of all proofs, in the order in which ``--all`` makes them."""
    return tuple(proof.name for proof in _all())


def proof_named(name: str) -> Proof:
    """The proof called ``name``.

    Raises:
        KeyError: There is none.
    """
    for proof in _all():
        if proof.name == name:
            return proof
    raise KeyError(f"no proof is called {name!r}; there are {', '.join(proof_names())}")
