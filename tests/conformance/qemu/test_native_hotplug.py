"""Unplugging with five seconds of blinking, through ACPI, at a reset, and the power button."""

from __future__ import annotations

import pytest

from pyvirt_sim.conformance.compare import run_program
from pyvirt_sim.conformance.program import Execute, Pause, Program, Step, Transcript

pytestmark = pytest.mark.real_qemu

# Until Linux has powered the slot, a fifth of a second, and bound a driver; longer on a busy
# machine.
BIND = "2.5"


def scripted(words: str) -> tuple[Step, ...]:
    """Steps from words: a command and its arguments, ``+`` a device, ``-`` it, or seconds."""
    return tuple(map(step, words.split("; ")))


def step(words: str) -> Step:
    if words[0].isdigit():
        return Pause(float(words))
    if words.startswith("-"):
        return Execute("device_del", {"id": words[1:]})
    name, *arguments = words.split(" ")
    given = dict(argument.split("=") for argument in arguments)
    if name.startswith("+"):
        device = {"driver": "virtio-rng-pci", "rng": "rng0", "id": name[1:]}
        return Execute("device_add", {**device, **given})
    return Execute(name, given)


def compare(shape: str, script: str) -> Transcript:
    outcome = run_program(Program(shape, scripted(script)))
    assert outcome.gaps == ()
    assert outcome.difference is None, outcome.difference.as_text()
    return outcome.simulated


def texts(transcript: Transcript) -> list[str]:
    """What the errors say, and which named devices are gone, in order."""
    said: list[str] = []
    for message in (message for part in transcript.heard for message in part):
        if "error" in message:
            said.append(message["error"]["desc"])
        elif message.get("event") == "DEVICE_DELETED" and "device" in message["data"]:
            said.append(f"{message['data']['device']} gone")
    return said


def events(transcript: Transcript) -> list[str]:
    """The events, in order."""
    messages = (message for part in transcript.heard for message in part)
    return [message["event"] for message in messages if "event" in message]


BUSY = "Hot-unplug failed: guest is busy (power indicator blinking)"


def pending(name: str) -> str:
    return f"Device {name} is already in the process of unplug"


def test_a_second_request_is_refused_while_linux_blinks():
    said = compare(
        "q35-native-linux",
        f"+a bus=pci.1; {BIND}; -a; 0.5; -a; 4.9; -a; 1.5; -a; +a bus=pci.1; query-status",
    )
    assert texts(said) == [pending("a"), BUSY, "a gone", "Device 'a' not found"]


def test_linux_blinks_only_while_its_processors_run():
    said = compare(
        "q35-native-linux",
        "+b bus=pci.2 addr=0.1; +a bus=pci.2 multifunction=on; "
        f"{BIND}; stop; -b; -b; -a; cont; 1.0; stop; 2.0; -b; cont; 4.5; query-status; 1.5",
    )
    assert texts(said) == [pending("b"), pending("b"), "a gone", "b gone"]


def test_a_reset_forgets_a_request_that_linux_was_blinking_for():
    said = compare(
        "q35-native-linux",
        f"+a bus=pci.1; {BIND}; -a; 0.5; stop; +b bus=pci.2; -b; system_reset; -a; 0.3; "
        "qom-list path=/machine/peripheral; query-status",
    )
    assert texts(said) == ["b gone", pending("a")]


def test_the_power_button_is_obeyed_while_linux_blinks():
    said = compare("q35-native-linux", f"+a bus=pci.1; {BIND}; -a; 0.5; system_powerdown; 1.0")
    assert texts(said) == []
    assert events(said)[-2:] == ["POWERDOWN", "SHUTDOWN"]


def test_without_a_system_only_slots_that_are_off_let_go():
    said = compare(
        "q35-native",
        "+a bus=pci.1; -a; 0.2; +b bus=pci.2 addr=1; -b; 0.2; +d bus=pci.3 addr=0.1; "
        "+c bus=pci.3 multifunction=on; -d; 0.2; +e bus=pci.3; system_reset; -e; -e; system_reset; "
        "-e; cont; 0.5; -e; +f bus=pci.1; -f; 0.2; qom-list path=/machine/peripheral",
    )
    at_once = [f"{name} gone" for name in "abcd"]
    # A reset has turned on the slot of e, and nobody hears its button.
    assert texts(said) == [*at_once, pending("e"), pending("e"), pending("e"), "f gone"]


def test_what_was_there_from_the_start_is_asked_for_and_a_fixed_port_refuses():
    said = compare("q35-native", "-cold; 0.2; -cold; -kept; +x bus=fixed addr=1; -fixed")
    words = "unsupported by the port device 'fixed'"
    refused = [f"Hot-unplug failed: {words}", f"Hot-plug failed: {words}"]
    assert texts(said)[:3] == [pending("cold"), *refused]


def test_a_hotplugged_port_has_a_slot_of_its_own_and_keeps_it_over_a_reset():
    port = "device_add driver=pcie-root-port id=late bus=pci.1 chassis=8"
    for shape in ("q35-native", "q35"):
        device = "device_add driver=e1000 id=inner bus=late"
        said = compare(
            shape, f"{port}; {device}; -inner; 0.2; {device}; system_reset; -inner; -inner; 0.2"
        )
        assert texts(said) == ["inner gone", pending("inner")]


def test_a_port_does_not_look_at_the_index_that_is_for_acpi():
    port = "/machine/peripheral/pci.1"
    compare(
        "q35-native",
        f"qom-get path={port} property=x-native-hotplug; qom-get path={port} property=hotplug; "
        "+a bus=pci.1 acpi-index=7; +b bus=pci.2 acpi-index=7; +c bus=pci.3 acpi-index=20000; "
        "+d bus=pcie.0 acpi-index=7; -pci.1; qom-list path=/machine/peripheral",
    )


def test_the_chip_of_acpi_has_nothing_for_ports_that_handle_hotplug_themselves():
    chip = "/machine/unattached/device[2]"
    compare(
        "q35-native",
        f"qom-list path={chip}; qom-list path={chip}/acpi-pci-hotplug[0]; "
        f"qom-get path={chip} property=acpi-pcihp-io-len; qom-list path=/machine/q35/mch",
    )


def test_an_index_behind_a_hotplugged_port_is_free_for_acpi():
    device = "driver=e1000 acpi-index"
    compare(
        "q35",
        "device_add driver=pcie-root-port id=late bus=pci.1 chassis=9; "
        f"device_add {device}=7 bus=late; device_add {device}=7 bus=pci.2; "
        f"device_add {device}=7 bus=pci.3; device_add {device}=20000 bus=pci.3; query-status",
    )


def test_with_acpi_a_reset_completes_a_pending_unplug():
    said = compare("q35-linux", f"+a bus=pci.1; {BIND}; stop; -a; -a; system_reset; query-status")
    assert texts(said)[-1] == "a gone"


@pytest.mark.parametrize(
    "script", ["system_powerdown; 0.5", "stop; system_powerdown; 0.5; query-status; cont; 0.5"]
)
def test_linux_obeys_the_power_button_at_once_or_when_it_runs_again(script: str):
    said = compare("q35-linux", script)
    assert events(said)[-2:] in (["POWERDOWN", "SHUTDOWN"], ["RESUME", "SHUTDOWN"])


def test_a_linux_that_hears_no_button_ignores_both_and_may_be_asked_again():
    said = compare(
        "q35-native-deaf",
        "system_powerdown; -cold; 0.5; -cold; 4.8; -cold; -cold; query-status",
    )
    assert texts(said) == [pending("cold"), pending("cold")]
    assert events(said) == ["POWERDOWN"]


def test_a_firmware_ignores_the_power_button():
    said = compare("q35-native", "cont; 0.5; system_powerdown; 0.5; query-status")
    assert said.heard[-1][-1]["return"]["status"] == "running"
