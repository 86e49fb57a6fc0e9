"""Run a program in a process of its own, with another hash seed and another time zone."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs

from pyvirt_sim.engine.determinism.lines import LineTracer
from pyvirt_sim.engine.determinism.observation import Observation
from pyvirt_sim.engine.run import replay
from pyvirt_sim.engine.tape import Tape

__all__ = ["Request", "observe", "observe_elsewhere", "why_not_importable"]

# No place on earth: what depends on the zone of the machine differs for sure.
_ZONE: Final = "XXX-3:21"


@attrs.frozen
class Request:
    """What a child runs.

    Attributes:
        module: the module of the program.
        qualname: its name there.
        file: where the module was loaded from, for one that cannot be imported by its name.
        args: passed to the program.
        tapes: one run each.
        max_steps: as for ``simulate``.
        has_lines: whether to trace lines.
    """

    module: str
    qualname: str
    file: str
    args: tuple[Any, ...]
    tapes: tuple[str, ...]
    max_steps: int
    has_lines: bool


def observe(
    program: Callable[..., Any], args: Sequence[Any], tape: Tape, max_steps: int, has_lines: bool
) -> Observation:
    """Run ``program`` as ``tape`` says, as far as it fits, and return what it did."""
    options: Any = {"strict": False, "max_steps": max_steps, "detail": True}
    if not has_lines:
        return Observation.of(replay(program, tape, *args, **options))
    with LineTracer() as tracer:
        run = replay(program, tape, *args, **options)
    return Observation.of(run, tracer.lines)


def why_not_importable(program: Callable[..., Any]) -> str:
    """Return why a child cannot import ``program``; empty if it can."""
    name = getattr(program, "__qualname__", "")
    if not name:
        return f"{program!r} has no name"
    if "<" in name:
        return f"{name} cannot be imported by that name; define it with def at the top of a module"
    return ""


def _program_name(program: Callable[..., Any]) -> tuple[str, str, str]:
    module = program.__module__
    found = sys.modules.get(module)
    spec = getattr(found, "__spec__", None)
    if module == "__main__" and spec is not None:  # python -m package.module
        module = str(spec.name)
    file = getattr(found, "__file__", None)
    return module, program.__qualname__, str(file or "")


def observe_elsewhere(
    program: Callable[..., Any],
    args: tuple[Any, ...],
    tapes: Sequence[Tape],
    max_steps: int,
    hash_seed: int,
    *,
    has_lines: bool = False,
) -> list[Observation]:
    """Run ``program`` once per tape in a child process and return what it did there.

    Raises:
        RuntimeError: the child failed; its last words are in the message.
    """
    texts = tuple(tape.to_text() for tape in tapes)
    request = Request(*_program_name(program), args, texts, max_steps, has_lines)
    environment = {
        **os.environ,
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path),
        "TZ": _ZONE,
    }
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "request", Path(folder) / "answer"
        asked.write_bytes(pickle.dumps(request))
        code = f"from {__name__} import main; main({str(asked)!r}, {str(answered)!r})"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode or not answered.exists():
            raise RuntimeError(
                f"the child process could not run the program:\n{done.stderr[-2000:]}"
            )
        observations: list[Observation] = pickle.loads(answered.read_bytes())
    return observations


def _load(request: Request) -> ModuleType:
    if request.module != "__main__":
        try:
            return importlib.import_module(request.module)
        except ImportError:
            if not request.file:
                raise
    # As multiprocessing does: under another name, so that `if __name__ == "__main__"` stays shut.
    spec = importlib.util.spec_from_file_location("__program__", request.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {request.module} from {request.file!r}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["__program__"] = module
    spec.loader.exec_module(module)
    return module


def main(asked: str, answered: str) -> None:
    """Do what the request in file ``asked`` says; the child's side."""
    request: Request = pickle.loads(Path(asked).read_bytes())
    program: Any = _load(request)
    for name in request.qualname.split("."):
        program = getattr(program, name)
    observations = [
        observe(program, request.args, Tape.from_text(text), request.max_steps, request.has_lines)
        for text in request.tapes
    ]
    Path(answered).write_bytes(pickle.dumps(observations))
