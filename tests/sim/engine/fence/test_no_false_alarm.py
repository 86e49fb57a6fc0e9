"""What a program may do: import, read, log, warn, show tracebacks, make contexts and pairs."""

from __future__ import annotations

import importlib
import io
import linecache
import logging
import os
import socket
import sqlite3
import ssl
import sys
import traceback
import warnings
from pathlib import Path

import pytest
import trio

from pyvirt_sim.engine import simulate


def logs() -> None:
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("no_false_alarm")
    logger.addHandler(handler)
    logger.error("hello")
    logger.removeHandler(handler)


def warns() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning, stacklevel=1)
    assert len(caught) == 1


def shows_a_traceback() -> None:
    linecache.clearcache()
    try:
        raise ValueError
    except ValueError:
        assert "raise ValueError" in traceback.format_exc()


def throws_text_away() -> None:
    with Path(os.devnull).open("w") as nowhere:
        nowhere.write("text")


def makes_a_pair() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.send(b"x")
        assert other.recv(1) == b"x"


def keeps_a_table_in_memory() -> None:
    sqlite3.connect(":memory:").close()


def reads() -> None:
    assert Path(__file__).read_text().startswith('"""')
    assert Path(__file__) in Path(__file__).parent.iterdir()


@pytest.mark.parametrize(
    "harmless",
    [
        logs,
        warns,
        shows_a_traceback,
        throws_text_away,
        makes_a_pair,
        keeps_a_table_in_memory,
        reads,
        ssl.create_default_context,
        lambda: socket.getaddrinfo("127.0.0.1", 80),
        lambda: socket.getaddrinfo("::1", "80"),
        lambda: io.StringIO("x").read(),
    ],
)
def test_it_is_no_escape(harmless):
    async def program():
        harmless()

    assert simulate(program).error is None


def test_a_numeric_name_is_no_escape_in_trio():
    async def program():
        return await trio.socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)

    assert simulate(program).unwrap()[0][4] == ("127.0.0.1", 80)


def test_an_import_may_keep_its_byte_code(tmp_path, monkeypatch):
    (tmp_path / "imported_inside_a_run.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    async def program():
        return importlib.import_module("imported_inside_a_run").answer

    assert simulate(program).unwrap() == 42
    assert list((tmp_path / "__pycache__").iterdir())
