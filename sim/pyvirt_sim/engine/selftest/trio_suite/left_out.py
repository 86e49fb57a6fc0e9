"""Which of Trio's own tests do not run under the engine, and why: data, one reason per entry.

An entry names a test, ``_tests/test_x.py::test_y`` for all its parameters, or a whole module. An
entry that passes after all must go: ``python -m pyvirt_sim.engine.selftest.trio_suite --verify``.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["LEFT_OUT", "NEED_BATCHES", "LeftOut", "reason_of"]


@attrs.frozen
class LeftOut:
    """Tests that do not run under the engine.

    Attributes:
        reason: why not.
        needs_world: whether they need something real, which a simulation has not.
        names: the tests, or modules.
        is_collected: false if these modules cannot even be imported everywhere.
    """

    reason: str
    needs_world: bool
    names: tuple[str, ...]
    is_collected: bool = True


_DEPRECATIONS: Final = "_tests/test_deprecate_strict_exception_groups_false.py"

LEFT_OUT: Final = (
    LeftOut(
        "descriptors, pipes and sockets of the kernel, made without Trio",
        True,
        (
            "_core/_tests/test_io.py",
            "_tests/test_highlevel_open_tcp_listeners.py::test_open_tcp_listeners_rebind",
            "_tests/test_socket.py::test_SocketType_basics",
            "_tests/test_socket.py::test_SocketType_connect_paths",
            "_tests/test_socket.py::test_SocketType_non_blocking_paths",
            "_tests/test_socket.py::test_custom_socket_factory",
            "_tests/test_socket.py::test_from_fd",
            "_tests/test_socket.py::test_from_stdlib_socket",
            "_tests/test_socket.py::test_interrupted_by_close",
            "_tests/test_socket.py::test_many_sockets",
            "_tests/test_socket.py::test_sniff_sockopts",
            "_tests/test_unix_pipes.py::test_close_at_bad_time_for_receive_some",
            "_tests/test_unix_pipes.py::test_close_at_bad_time_for_send_all",
            "_tests/test_unix_pipes.py::test_misdirected_aclose_regression",
            "_tests/test_unix_pipes.py::test_pipe_fully",
            "_tests/test_unix_pipes.py::test_pipes_combined",
        ),
    ),
    LeftOut(
        "what the simulated network has not: datagrams, names of services, every option, and "
        "resolving through a function that the test puts into the socket module",
        False,
        (
            "_tests/test_highlevel_socket.py::test_SocketListener",
            "_tests/test_highlevel_socket.py::test_SocketStream_basics",
            "_tests/test_socket.py::test_SocketType_setsockopt",
            "_tests/test_socket.py::test_custom_hostname_resolver",
            "_tests/test_socket.py::test_getaddrinfo",
            "_tests/test_socket.py::test_idna",
            "_tests/test_socket.py::test_send_recv_variants",
            "_tests/test_socket.py::test_socket_v6",
        ),
    ),
    LeftOut(
        "real sockets, and certificates made by a library that need not be installed",
        True,
        ("_tests/test_dtls.py", "_tests/test_highlevel_ssl_helpers.py", "_tests/test_ssl.py"),
        is_collected=False,
    ),
    LeftOut(
        "removes the file that a bound Unix socket leaves on the real disk",
        True,
        ("_tests/test_highlevel_open_unix_stream.py::test_open_unix_socket",),
    ),
    LeftOut("real child processes are the subject", True, ("_tests/test_subprocess.py",)),
    LeftOut(
        "threads started without Trio, or waiting for each other: here one thread runs at a time",
        True,
        (
            "_core/_tests/test_run.py::test_TrioToken_run_sync_soon_threaded_stress_test",
            "_tests/test_threads.py::test_await_in_trio_thread_while_main_exits",
            "_tests/test_threads.py::test_do_in_trio_thread",
            "_tests/test_threads.py::test_from_thread_check_cancelled_abandon_on_cancel",
            "_tests/test_threads.py::test_from_thread_check_cancelled_no_abandon",
            "_tests/test_threads.py::test_from_thread_host_cancelled",
            "_tests/test_threads.py::test_run_in_trio_thread_ki",
            "_tests/test_threads.py::test_run_in_worker_thread_abandoned",
            "_tests/test_threads.py::test_run_in_worker_thread_cancellation",
            "_tests/test_threads.py::test_run_in_worker_thread_limiter",
        ),
    ),
    LeftOut(
        "repeats something that takes no time until a timeout, and here only waiting takes time",
        False,
        ("_tests/test_threads.py::test_reentry_doesnt_deadlock",),
    ),
    LeftOut(
        "how Trio's own pool starts and names its threads; a simulated run has a pool of its own",
        False,
        (
            "_tests/test_threads.py::test_named_thread",
            "_tests/test_threads.py::test_named_thread_os",
            "_tests/test_threads.py::test_run_in_worker_thread",
            "_tests/test_threads.py::test_run_in_worker_thread_fail_to_spawn",
        ),
    ),
    LeftOut(
        "Ctrl-C: the engine leaves SIGINT to whoever called it",
        True,
        (
            "_core/_tests/test_cancelled.py::test_reason_delayed_ki",
            "_core/_tests/test_ki.py::test_ki_protection_works",
            "_core/_tests/test_ki.py::test_ki_with_broken_threads",
            "_tests/test_repl.py::test_KI_interrupts",
            "_tests/test_repl.py::test_ki_in_repl",
        ),
    ),
    LeftOut(
        "real time: a clock of the operating system must agree with Trio's",
        True,
        ("_core/_tests/test_run.py::test_current_time",),
    ),
    LeftOut(
        "the public names of the package, seen by tools of Trio's developers; nothing runs",
        True,
        ("_tests/test_exports.py",),
        is_collected=False,
    ),
    LeftOut(
        "guest mode: another loop drives Trio's; under the engine only the engine does",
        False,
        (
            "_core/_tests/test_guest_mode.py",
            f"{_DEPRECATIONS}::test_deprecation_warning_start_guest_run",
        ),
    ),
    LeftOut(
        "wants a cushion of wait_all_tasks_blocked in real time beside a mock clock; here is one "
        "time, and a cushion takes it",
        False,
        ("_core/_tests/test_mock_clock.py::test_mock_clock_autojump",),
    ),
    LeftOut(
        "wants the scheduler not to be deterministic",
        False,
        ("_tests/test_scheduler_determinism.py::test_the_trio_scheduler_is_not_deterministic",),
    ),
    LeftOut(
        "wants a memory address in the name of a task",
        False,
        ("_core/_tests/test_cancelled.py::test_Cancelled_str",),
    ),
    LeftOut(
        "aims at an instant inside Trio's own shutdown, between two nurseries that are one here",
        False,
        ("_core/_tests/test_asyncgen.py::test_last_minute_gc_edge_case",),
    ),
)

# These pass on Trio because each runnable task takes one step before any takes two, which Trio
# does and does not promise. They run under the policy `batch`, and under `any` canonically.
NEED_BATCHES: Final = (
    "_core/_tests/test_instrumentation.py::test_instruments_interleave",
    "_core/_tests/test_run.py::test_TrioToken_run_sync_soon_starvation_resistance",
    "_core/_tests/test_run.py::test_asyncexitstack_nursery_misnest_cleanup",
    "_core/_tests/test_run.py::test_basic_interleave",
    "_tests/test_sync.py::test_generic_lock_fifo_fairness",
    "_tests/test_testing.py::test_MemorySendStream",
)


def reason_of(name: str) -> LeftOut | None:
    """Return why a test, or a module, is left out; None if it is not."""
    bare = name.partition("[")[0]
    module = bare.partition("::")[0]
    for entry in LEFT_OUT:
        if bare in entry.names or module in entry.names:
            return entry
    return None
