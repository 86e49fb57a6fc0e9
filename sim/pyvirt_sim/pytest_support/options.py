"""The options of one simulated test: what its markers say, unless the command line says else."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs
import pytest

from pyvirt_sim.engine import Tape, TapeFormatError
from pyvirt_sim.engine.search import Search
from pyvirt_sim_pytest import PROFILES

__all__ = ["reproducing", "search_of", "tape_of"]

_KNOWN = [field.name for field in attrs.fields(Search)]


def search_of(item: pytest.Item) -> Search:
    """Return the search that the markers of ``item`` ask for.

    Markers of a module, a class and the test add up; the nearest wins.

    Raises:
        UsageError: an option is unknown, or its value is not possible.
    """
    options: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("simulated"))):
        if marker.args:
            raise pytest.UsageError(
                f"{item.nodeid}: the marker simulated takes keywords only: {', '.join(_KNOWN)}"
            )
        options |= marker.kwargs
    if getattr(getattr(item, "obj", None), "hypothesis", None) is not None:
        from pyvirt_sim.engine.hypothesis import GIVEN_SCHEDULES

        options = {"schedules": GIVEN_SCHEDULES} | options
    profile = item.config.getoption("--pyvirt-sim-profile")
    if profile is not None:
        factor, _ = PROFILES[profile]
        schedules = options.get("schedules", Search().schedules)
        options["schedules"] = max(1, round(schedules * factor))
    for name in ("seed", "schedules"):
        value = item.config.getoption(f"--pyvirt-sim-{name}")
        if value is not None:
            options[name] = value
    unknown = sorted(options.keys() - set(_KNOWN))
    if unknown:
        raise pytest.UsageError(
            f"{item.nodeid}: the marker simulated does not know {', '.join(unknown)}; "
            f"it knows {', '.join(_KNOWN)}"
        )
    try:
        return Search(**options)
    except ValueError as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None


def tape_of(config: pytest.Config) -> Tape | None:
    """Return the tape of the command line, if there is one.

    Raises:
        UsageError: it is neither a tape nor a file that holds one.
    """
    text = config.getoption("--pyvirt-sim-tape")
    if text is None:
        return None
    try:
        return Tape.from_text(text) if text.startswith("tape") else Tape.load(Path(text))
    except (TapeFormatError, UnicodeDecodeError, OSError) as error:
        raise pytest.UsageError(f"--pyvirt-sim-tape: no usable tape: {error}") from None


@contextmanager
def reproducing(item: pytest.Item) -> Generator[None]:
    """Let Hypothesis draw only the workload that the command line gives, for a replay.

    Raises:
        UsageError: a tape is to be replayed, and nothing says under which workload.
    """
    function: Any = getattr(item, "obj", None)
    config = item.config
    if config.getoption("--pyvirt-sim-tape") is None or not hasattr(function, "hypothesis"):
        yield
        return
    blob = config.getoption("--pyvirt-sim-example")
    if blob is None:
        raise pytest.UsageError(
            f"{item.nodeid}: Hypothesis draws its workload, so that --pyvirt-sim-tape needs "
            "--pyvirt-sim-example as well, as the failure printed it"
        )
    import hypothesis

    # A method of a class stands for its function, which can carry the mark.
    function = getattr(function, "__func__", function)
    name = "_hypothesis_internal_use_reproduce_failure"
    before = getattr(function, name, None)
    version: str = metadata.version("hypothesis")
    hypothesis.reproduce_failure(version, blob.encode())(function)
    try:
        yield
    finally:
        setattr(function, name, before)
