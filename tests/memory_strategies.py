"""Hypothesis strategies for memory: its nodes, what is behind it, and devices that bring more."""

from __future__ import annotations

import hypothesis.strategies as st

from pyvirt_trio.models import (
    Dimm,
    DimmAddress,
    MemoryBacking,
    MemoryDevice,
    NumaCell,
    Nvdimm,
    VirtioMemory,
    VirtioPmem,
)
from tests.part_strategies import absolute_paths, guest_addresses


def memory_sizes() -> st.SearchStrategy[int]:
    """Sizes in KiB."""
    return st.integers(1, 2**40)


def memory_devices(alias: st.SearchStrategy[str | None]) -> st.SearchStrategy[MemoryDevice]:
    """Modules, and memory on the PCI bus."""
    slot = st.none() | st.builds(
        DimmAddress, slot=st.integers(0, 255), base=st.just(0) | st.integers(1, 2**64 - 1)
    )
    access = st.sampled_from([None, "shared", "private"])
    address = st.none() | guest_addresses()
    node = st.none() | st.integers(0, 127)
    blocks = st.integers(0, 1000)
    return st.one_of(
        st.builds(
            Dimm, alias=alias, address=slot, size_kib=memory_sizes(), access=access, node=node
        ),
        st.builds(
            Nvdimm,
            alias=alias,
            address=slot,
            size_kib=st.integers(1024, 2**40),
            access=access,
            path=absolute_paths(),
            node=node,
            label_kib=st.none() | st.integers(128, 1023),
            is_readonly=st.booleans(),
        ),
        st.builds(
            VirtioPmem,
            alias=alias,
            address=address,
            size_kib=memory_sizes(),
            access=st.just("shared"),
            path=absolute_paths(),
        ),
        st.tuples(st.integers(11, 20), blocks, blocks, st.none() | blocks).flatmap(
            lambda drawn: st.builds(
                VirtioMemory,
                alias=alias,
                address=address,
                access=access,
                node=node,
                block_kib=st.just(1 << drawn[0]),
                size_kib=st.just((max(drawn[1], drawn[2]) + 1) << drawn[0]),
                requested_kib=st.just(min(drawn[1], drawn[2]) << drawn[0]),
                current_kib=st.just(None if drawn[3] is None else drawn[3] << drawn[0]),
            )
        ),
    )


@st.composite
def cells(draw: st.DrawFn) -> tuple[NumaCell, ...]:
    """NUMA nodes that share no processor, of which one at least has some; or none."""
    nodes = draw(st.integers(0, 4))
    homes = draw(st.lists(st.integers(0, nodes - 1), min_size=1, max_size=12)) if nodes else []
    return tuple(
        NumaCell(
            cpus=tuple(cpu for cpu, home in enumerate(homes) if home == node),
            memory_kib=draw(memory_sizes()),
            is_shared=draw(st.none() | st.booleans()),
        )
        for node in range(nodes)
    )


def memory_backings() -> st.SearchStrategy[MemoryBacking]:
    """What may be behind memory."""
    small = st.builds(
        MemoryBacking,
        source=st.sampled_from([None, "anonymous", "memfd", "file"]),
        access=st.sampled_from([None, "shared", "private"]),
        is_locked=st.booleans(),
        shares_pages=st.booleans(),
        allocation=st.sampled_from([None, "immediate", "ondemand"]),
        is_discarded=st.booleans(),
    )
    huge = st.builds(
        MemoryBacking,
        has_huge_pages=st.just(True),
        page_kib=st.sampled_from([None, 2048, 1048576]),
        source=st.sampled_from([None, "memfd", "file"]),
    )
    return st.just(MemoryBacking()) | small | huge
