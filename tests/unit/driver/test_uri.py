"""Which URIs name a hypervisor, and which domain names a file."""

from __future__ import annotations

import pytest

from pyvirt_trio import DefinitionError, open_hypervisor
from pyvirt_trio.driver.store import require_file_name


@pytest.mark.parametrize(
    "uri",
    [
        "qemu:///system",
        "qemu://remote/embed?root=/srv",
        "qemu:///embed",
        "qemu:///embed?root=relative",
        "qemu:///embed?root=/a&root=/b",
        "xen:///embed?root=/srv",
        "",
    ],
)
async def test_any_other_uri_is_refused_before_anything_is_touched(uri: str) -> None:
    with pytest.raises(DefinitionError, match="is not a URI such as"):
        async with open_hypervisor(uri):
            raise AssertionError("not reached")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "x" * 201, "é" * 101])
def test_names_that_are_no_file_names_are_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="/domain/name"):
        require_file_name(name)


@pytest.mark.parametrize("name", ["demo", "a b", "x" * 200, "...", "-x"])
def test_other_names_are_accepted(name: str) -> None:
    require_file_name(name)
