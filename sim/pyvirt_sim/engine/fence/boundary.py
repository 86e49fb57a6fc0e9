"""The boundary of the simulation as data: what is refused, and what to use instead.

The code, the page ``docs/reference/boundary.md`` and the tests all read these tables.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["REFUSED_CALLS", "REFUSED_EVENTS", "Refusal"]


@attrs.frozen
class Refusal:
    """A call that would leave the simulation.

    Attributes:
        what: the call as a user writes it.
        instead: what to use in its place.
    """

    what: str
    instead: str


_SOCKET: Final = (
    "use trio.socket, trio.open_tcp_stream or trio.serve_tcp inside a simulated network"
)
_PROCESS: Final = "hand the program a function that starts it, and a simulated one in tests"
_THREAD: Final = "use trio.to_thread.run_sync, which the engine schedules"
_SIGNAL: Final = "let a task of the test call what the signal would trigger"
_FILE: Final = "hand the program an object that stores, and one in memory in tests"
_ENVIRONMENT: Final = "pass the value to the program as an argument"
_NAME: Final = "use trio.socket.getaddrinfo inside a simulated network"
_SLEEP: Final = "use trio.sleep, which waits in virtual time"
_INPUT: Final = "pass the text to the program as an argument"

# Calls that Python reports to audit hooks, by the name of the event. These are met however the
# program got hold of the function.
REFUSED_EVENTS: Final = {
    "builtins.input": Refusal("input()", _INPUT),
    "open": Refusal("open() for writing", _FILE),
    "os.chdir": Refusal("os.chdir()", _ENVIRONMENT),
    "os.chmod": Refusal("os.chmod()", _FILE),
    "os.chown": Refusal("os.chown()", _FILE),
    "os.exec": Refusal("os.exec*()", _PROCESS),
    "os.fork": Refusal("os.fork()", _PROCESS),
    "os.forkpty": Refusal("os.forkpty()", _PROCESS),
    "os.kill": Refusal("os.kill()", _SIGNAL),
    "os.killpg": Refusal("os.killpg()", _SIGNAL),
    "os.link": Refusal("os.link()", _FILE),
    "os.mkdir": Refusal("os.mkdir()", _FILE),
    "os.posix_spawn": Refusal("os.posix_spawn()", _PROCESS),
    "os.putenv": Refusal("os.environ[...] = ...", _ENVIRONMENT),
    "os.remove": Refusal("os.remove()", _FILE),
    "os.rename": Refusal("os.rename()", _FILE),
    "os.rmdir": Refusal("os.rmdir()", _FILE),
    "os.symlink": Refusal("os.symlink()", _FILE),
    "os.system": Refusal("os.system()", _PROCESS),
    "os.truncate": Refusal("os.truncate()", _FILE),
    "os.unsetenv": Refusal("del os.environ[...]", _ENVIRONMENT),
    "os.utime": Refusal("os.utime()", _FILE),
    "signal.pthread_kill": Refusal("signal.pthread_kill()", _SIGNAL),
    "socket.__new__": Refusal("socket.socket()", _SOCKET),
    "socket.bind": Refusal("socket.bind()", _SOCKET),
    "socket.connect": Refusal("socket.connect()", _SOCKET),
    "socket.gethostbyaddr": Refusal("socket.gethostbyaddr()", _NAME),
    "socket.gethostbyname": Refusal("socket.gethostbyname()", _NAME),
    "socket.gethostname": Refusal("socket.gethostname()", _ENVIRONMENT),
    "socket.sendmsg": Refusal("socket.sendmsg()", _SOCKET),
    "socket.sendto": Refusal("socket.sendto()", _SOCKET),
    "sqlite3.connect": Refusal("sqlite3.connect() to a file", _FILE),
    "subprocess.Popen": Refusal("subprocess.Popen()", _PROCESS),
    "syslog.syslog": Refusal("syslog.syslog()", _FILE),
    "time.sleep": Refusal("time.sleep()", _SLEEP),
}

# Calls that Python does not report in every version supported, by module and name. They are
# replaced in that module; a program that took the original function before is not met.
REFUSED_CALLS: Final = {
    "_posixsubprocess.fork_exec": Refusal("multiprocessing.Process.start()", _PROCESS),
    "_signal.signal": Refusal("signal.signal()", _SIGNAL),
    "_socket.getaddrinfo": Refusal("socket.getaddrinfo()", _NAME),
    "_thread.start_new_thread": Refusal("_thread.start_new_thread()", _THREAD),
    "os.mkfifo": Refusal("os.mkfifo()", _FILE),
    "os.mknod": Refusal("os.mknod()", _FILE),
    "select.select": Refusal("select.select()", _SLEEP),
    "signal.alarm": Refusal("signal.alarm()", _SIGNAL),
    "signal.pause": Refusal("signal.pause()", _SIGNAL),
    "signal.raise_signal": Refusal("signal.raise_signal()", _SIGNAL),
    "signal.set_wakeup_fd": Refusal("signal.set_wakeup_fd()", _SIGNAL),
    "signal.setitimer": Refusal("signal.setitimer()", _SIGNAL),
    "threading._start_joinable_thread": Refusal("threading.Thread.start()", _THREAD),
    "threading._start_new_thread": Refusal("threading.Thread.start()", _THREAD),
    "time.sleep": Refusal("time.sleep()", _SLEEP),
}
