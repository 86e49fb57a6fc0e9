"""What was recorded of QEMU's types and objects is what the QEMU of this machine says."""

from __future__ import annotations

import json

import pytest

from pyvirt_sim.qemu import recorded_devices as recorded
from tests.real import record_devices

pytestmark = pytest.mark.real_qemu


def test_types_and_buses_are_those_of_this_qemu():
    types, buses = record_devices.record_types()
    assert types == recorded.TYPES
    assert buses == recorded.BUSES


def test_refusals_are_those_of_this_qemu():
    asked = record_devices.device_types(dict(recorded.TYPES))[::40]
    found = record_devices.record_refusals(asked)
    assert found == {name: text for name, text in recorded.REFUSALS.items() if name in asked}
    assert len(found) >= 3


@pytest.mark.parametrize("driver", ["virtio-rng-pci", "scsi-hd", "usb-tablet"])
def test_a_plugged_device_is_the_recorded_one(driver):
    how = record_devices.PCI.get(driver)
    bus = "rp" if how is not None else None
    found = record_devices.record_model(driver, how or record_devices.OTHER[driver], bus)
    known = recorded.MODELS[driver]
    assert found["properties"] == known["properties"]
    for path, rows in found["tree"].items():
        assert json.loads(json.dumps(rows)) == recorded.rows(known["tree"], path)


def test_the_fixed_answers_are_those_of_this_qemu():
    queries = record_devices.record_queries()
    assert queries["fresh"] == recorded.QUERIES
    assert queries["loaded"] == recorded.QUERIES_WITH_MODULES
