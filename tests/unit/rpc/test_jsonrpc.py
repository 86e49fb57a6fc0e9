"""Lines, errors and events on their way between processes."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pyvirt_trio import errors
from pyvirt_trio.errors import (
    CommandFailedError,
    DefinitionError,
    ErrorCode,
    NotFoundError,
    OutcomeUnknownError,
    PyvirtError,
    RemoteProtocolError,
    ResyncRequiredError,
)
from pyvirt_trio.rpc.jsonrpc import (
    MAX_LINE_BYTES,
    Lines,
    decode,
    encode,
    error_from_json,
    error_to_json,
)

ERRORS = [
    PyvirtError("p"),
    DefinitionError("wrong", path="/domain/name"),
    NotFoundError("no", code=ErrorCode.NO_NODE_DEVICE),
    CommandFailedError("device_add", "GenericError", "Bus not found"),
    OutcomeUnknownError("device_del was sent", settled_by="Domain.xml"),
    ResyncRequiredError(3),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_what_it_was(error: PyvirtError) -> None:
    arrived = error_from_json(error_to_json(error))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert arrived.code == error.code


def test_an_unknown_class_arrives_as_the_root_of_all() -> None:
    for name in ("NoSuchError", "enum", "ErrorCode"):
        assert hasattr(errors, name) is (name != "NoSuchError")
        arrived = error_from_json({"message": "m", "data": {"type": name}})
        assert type(arrived) is PyvirtError


@given(
    messages=st.lists(st.dictionaries(st.text(), st.one_of(st.text(), st.integers()))),
    size=st.integers(1, 50),
)
def test_any_chunking_gives_the_same_messages(messages: list[dict[str, object]], size: int) -> None:
    data = b"".join(encode({"params": message}) for message in messages)
    lines = Lines()
    found = [
        decode(line)["params"]
        for start in range(0, len(data), size)
        for line in lines.feed(data[start : start + size])
    ]
    assert found == messages


@given(line=st.binary(max_size=40))
def test_a_line_is_an_object_or_a_protocol_error(line: bytes) -> None:
    try:
        assert isinstance(decode(line), dict)
    except RemoteProtocolError:
        pass


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="longer than"):
        Lines().feed(b"x" * (MAX_LINE_BYTES + 1))
