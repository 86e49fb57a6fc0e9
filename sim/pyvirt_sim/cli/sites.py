"""``pyvirt-sim sites``."""

from __future__ import annotations

import json
from typing import Annotated

import cyclopts

from pyvirt_sim.host import LATENCIES_S, SITES, Site


def sites(*, as_json: Annotated[bool, cyclopts.Parameter("--json", negative="")] = False) -> int:
    """List the named places where a simulated machine may be slow or something may go wrong.

    Args:
        as_json: Print JSON instead of text.
    """
    if as_json:
        print(json.dumps([_as_json(site) for site in SITES.values()], indent=2))
        return 0
    width = max(len(name) for name in SITES)
    for kind, title in (("latency", "May be late"), ("fault", "May go wrong")):
        print(f"{title}:")
        for site in SITES.values():
            if site.kind == kind:
                speed = f" [{site.speed}]" if site.speed else ""
                print(f"  {site.name:{width}}  {site.what}{speed}")
    print("Classes of latency, in seconds:")
    for name, steps in LATENCIES_S.items():
        print(f"  {name:{width}}  {', '.join(f'{step:g}' for step in steps)}")
    return 0


def _as_json(site: Site) -> dict[str, object]:
    found: dict[str, object] = {"name": site.name, "kind": site.kind, "what": site.what}
    if site.speed:
        found |= {"class": site.speed, "seconds": list(LATENCIES_S[site.speed])}
    return found
