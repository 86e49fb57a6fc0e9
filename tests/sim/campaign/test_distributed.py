"""The same campaign on a Dask cluster of separate processes, one of which is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import attrs
import distributed
import pytest

from pyvirt_sim.campaign import ChunkResult, Plan, run_all, search

PLAN = Plan(
    subjects=("hostdev-removed-before-active-cleared",),
    strategies=("random-walk", "pct-2"),
    schedules=20,
    chunk=4,
)


@pytest.fixture
def cluster() -> Iterator[Any]:
    dask: Any = distributed  # it ships few types
    with dask.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made:
        yield made


def timeless(result: ChunkResult) -> ChunkResult:
    catches = tuple(attrs.evolve(one, shrink_s=0.0) for one in result.catches)
    return attrs.evolve(result, seconds=0.0, catches=catches)


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(cluster: Any) -> None:
    with cluster.get_client() as client:
        pids = list(client.run(os.getpid).values())
    assert len(set(pids)) == 2
    done: list[ChunkResult] = []
    for result in run_all(search, PLAN.chunks(), scheduler=cluster.scheduler_address):
        if not done:
            os.kill(pids[0], signal.SIGKILL)
        done.append(timeless(result))
    here = [timeless(one) for one in run_all(search, PLAN.chunks(), workers=1)]
    assert sorted(here, key=name) == sorted(done, key=name)
    assert any(one.failures for one in here)


def name(result: ChunkResult) -> str:
    return result.chunk.name
