"""The command line itself: global options, the way an error is told, and the exit status."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from pyvirt_trio.cli import (
    agent,
    blocks,
    domains,
    events,
    guest,
    lifecycle,
    looking,
    nodedevs,
    vcpus,
)
from pyvirt_trio.cli.session import Session
from pyvirt_trio.errors import PyvirtError
from pyvirt_trio.rpc.jsonrpc import error_to_json

app = App(
    name="pyvirt",
    help="Manage QEMU virtual machines below one directory, with virsh's words.",
    help_format="plaintext",
)
app.meta.group_parameters = app.group_parameters
for module in (domains, looking, lifecycle, vcpus, blocks, agent, guest, events, nodedevs):
    for name, command in module.COMMANDS.items():
        app.command(command, name=name)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    root: Annotated[Path, Parameter(env_var="PYVIRT_ROOT")] = Path("~/.local/state/pyvirt"),
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
) -> Any:
    """Parse the options that every command has, then run the command.

    Args:
        tokens: The command and its arguments.
        root: State directory of the hypervisor.
        as_json: Print JSON.
    """
    command, bound, ignored = app.parse_args(tokens)
    if "session" in ignored:
        bound.arguments["session"] = Session(str(root.expanduser().absolute()), as_json)
    return command(*bound.args, **bound.kwargs)


def run(tokens: list[str] | None = None) -> int:
    """Run one command.

    Args:
        tokens: The words of the command line; those of this process when ``None``.

    Returns:
        0, or 1 after an error, which has been printed.
    """
    words = sys.argv[1:] if tokens is None else tokens
    try:
        app.meta(words, result_action="return_value")
    except PyvirtError as error:
        if "--json" in words:
            print(json.dumps({"error": error_to_json(error)}))
        else:
            print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
