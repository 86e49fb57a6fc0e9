"""``<iotune>``: how much a guest may read and write of a disk in a second."""

from __future__ import annotations

import attrs

from pyvirt_trio.errors import DefinitionError
from pyvirt_trio.models.iotune import MAX_RATE, IoTune
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader, parse_number, quoted


def read_iotune(reader: Reader) -> IoTune | None:
    """The limits in an ``<iotune>``; ``None`` when there are none in it."""
    values: dict[str, int | str] = {}
    for name in attrs.fields_dict(IoTune):
        found = reader.child(name)
        if found is None:
            continue
        if name == "group_name":
            values[name] = found.text
            continue
        number = parse_number(found.text)
        if number is None or number > MAX_RATE:
            raise found.wrong(
                f"invalid number {quoted(found.text)}, expected one from 0 to {MAX_RATE}"
            )
        values[name] = number
    tune = IoTune(**values)  # type: ignore[arg-type]  # each is of its field's type
    try:
        tune.require_sense()
    except DefinitionError as error:
        raise DefinitionError(error.args[0], path=reader.path, code=error.code) from None
    return tune if tune != IoTune() else None


def write_iotune(tune: IoTune | None) -> Element | None:
    """The element that `read_iotune` reads."""
    if tune is None:
        return None
    limits = {name: value for name, value in attrs.asdict(tune).items() if value}
    return element("iotune", None, *(Element(name, text=str(limits[name])) for name in limits))
