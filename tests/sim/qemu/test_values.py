"""Words given for properties are read as QEMU reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_sim.qemu import properties, throttling
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.options import as_options

WIDTHS = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}


@given(kind=st.sampled_from(sorted(WIDTHS)), number=st.integers(0, (1 << 64) - 1))
def test_an_integer_is_taken_exactly_when_it_fits(kind, number):
    fits = number < 1 << WIDTHS[kind]
    for text in (str(number), hex(number), f"  {number}", f"+{number}"):
        if fits:
            assert properties.read("x", kind, None, text) == number
        else:
            with pytest.raises(QmpError, match=f"Parameter 'x' expects {kind}_t"):
                properties.read("x", kind, None, text)


@given(number=st.integers(0, (1 << 64) - 1))
def test_octal_and_hexadecimal_are_read_as_c_does(number):
    assert properties.parse_integer(f"0{number:o}") == number
    assert properties.parse_integer(f"0x{number:x}") == number


@given(text=st.text(max_size=6))
def test_no_text_breaks_the_reader(text):
    for kind, description in (("uint32", None), ("size", None), ("bool", None), ("Q", "a/b")):
        complaint = None
        try:
            properties.read("x", kind, description, text)
        except QmpError as error:
            complaint = error.description
        assert complaint is None or complaint.startswith("Parameter 'x' ")


@given(members=st.dictionaries(st.text(max_size=5), st.booleans() | st.none() | st.integers()))
def test_options_are_words_and_nothing_is_added(members):
    options = as_options(members)
    assert options.keys() == {name for name, value in members.items() if value is not None}
    assert all(isinstance(word, str) for word in options.values())


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"iops-total": 5}, None),
        ({"iops-total": 5, "iops-read": 5}, "cannot be used at the same time"),
        ({"bps-read-max": 5}, "require corresponding"),
        ({"bps-read": 9, "bps-read-max": 5}, "cannot be lower"),
        ({"bps-write-max-length": 0}, "cannot be 0"),
        ({"iops-size": 5}, "requires an iops value"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(limits, problem):
    if problem is None:
        throttling.check(limits)
        return
    with pytest.raises(QmpError, match=problem):
        throttling.check(limits)
