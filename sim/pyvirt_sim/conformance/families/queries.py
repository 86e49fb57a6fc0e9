"""Questions without arguments whose answers the machine's shape decides."""

from __future__ import annotations

from random import Random

from pyvirt_sim.conformance.families.family import Family, Scene
from pyvirt_sim.conformance.program import Execute, Step

_QUERIES = (
    "query-status", "query-version", "query-commands", "query-name", "query-uuid", "query-yank",
    "query-kvm", "query-target", "query-chardev-backends", "query-tpm-models", "query-tpm-types",
    "query-dump", "query-mice", "query-vnc", "query-display-options", "query-replay", "query-sev",
    "query-sgx", "query-colo-status", "query-current-machine", "query-vm-generation-id",
    "query-xen-replication-status", "query-stats-schemas", "query-dump-guest-memory-capability",
    "query-vnc-servers", "query-sev-capabilities", "query-sgx-capabilities",
    "query-cpu-definitions", "query-migrate-capabilities", "query-machines",
    "query-command-line-options", "query-balloon",
    "query-memory-size-summary", "query-cpus-fast", "query-hotpluggable-cpus", "query-block",
)  # fmt: skip


def _generate(random: Random, _scene: Scene) -> list[Step]:
    return [Execute(random.choice(_QUERIES))]


FAMILY = Family(name="queries", generate=_generate)
