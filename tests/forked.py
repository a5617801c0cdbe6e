"""Runs ``python -m sasrec …`` and ``python -c …`` in processes that are forked, not started anew.

A new Python process takes two to four seconds to import PyTorch and the other libraries, which was
most of the time of the tests of commands. Here a server process imports everything once and forks
for each command. A command still has a process of its own, with its own folder, environment,
streams, signals and exit code, and shares no state with another command. The server only imports:
it starts no thread that works, because threads do not survive a fork.

Two kinds of tests use ``subprocess`` instead: those about starting up (time, imports, memory), and
those of commands that start processes themselves.
"""

import atexit
import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import sasrec

LIBRARIES = (
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "optuna", "scipy.stats"),
    *("torch._dynamo", "rich.console", "rich.table", "rich.progress"),
)
"""Large libraries that sasrec imports inside functions, so importing sasrec does not load them."""
LIMIT = 600
"""Seconds after which a command that still runs is aborted: it hangs, and its test has to fail."""


class Started:
    """A running process, with the part of ``subprocess.Popen`` that the tests use."""

    def __init__(self, report: int, stderr: IO[str] | None) -> None:
        self._report = os.fdopen(report, "rb", buffering=0)
        self.pid = int(self._report.readline())
        self.stderr = stderr
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._report], [], [], LIMIT if timeout is None else timeout)[0]:
                if timeout is not None:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout)
                os.kill(self.pid, signal.SIGABRT)  # faulthandler prints what each thread does
            self.returncode = int(self._report.readline())
            self._report.close()
        return self.returncode

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self) -> tuple[None, str | None]:
        message = None
        if self.stderr is not None:
            message = self.stderr.read()
            self.stderr.close()
        self.wait()
        return None, message


def ran(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; return its exit code and what it printed.

    Args:
        words: What follows ``python``: ``-m`` and a module, or ``-c`` and code; then their words.
        cwd: Folder it runs in.
        variables: Environment variables to add to those of this process.

    Returns:
        What ``subprocess.run`` returns with ``capture_output`` and ``text``.
    """
    if sys.platform != "linux":
        return subprocess.run(
            [sys.executable, *words],
            cwd=cwd,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, **variables},
        )
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        code = _begun(words, cwd, variables, stdout.fileno(), stderr.fileno(), None).wait()
        texts = []
        for file in (stdout, stderr):
            file.seek(0)
            texts.append(file.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess([sys.executable, *words], code, *texts)


def started(
    *words: str, cwd: Path, stderr: int = subprocess.DEVNULL
) -> Started | subprocess.Popen[str]:
    """Start a command; what it prints to standard output is discarded.

    Args:
        words: As for ``ran``.
        cwd: Folder it runs in.
        stderr: ``subprocess.PIPE`` to read it; it is discarded otherwise.

    Returns:
        The running process.
    """
    if sys.platform != "linux":
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=cwd,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
        )
    with open(os.devnull, "w") as nowhere:
        if stderr == subprocess.DEVNULL:
            return _begun(words, cwd, {}, nowhere.fileno(), nowhere.fileno(), None)
        read, write = os.pipe()
        try:
            return _begun(words, cwd, {}, nowhere.fileno(), write, os.fdopen(read, "r"))
        finally:
            os.close(write)


def _begun(
    words: tuple[str, ...],
    cwd: Path,
    variables: dict[str, str],
    stdout: int,
    stderr: int,
    reading: IO[str] | None,
) -> Started:
    request = {"words": words, "cwd": str(cwd), "environment": {**os.environ, **variables}}
    read, write = os.pipe()
    try:
        text = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(_server(), [text], [stdout, stderr, write])
        _server().sendall(text[sent:])
    finally:
        os.close(write)
    return Started(read, reading)


_servers: dict[int, tuple[socket.socket, subprocess.Popen[bytes]]] = {}
"""By process: each has a server of its own."""


def _server() -> socket.socket:
    """Return the socket to the server of this process; the first call starts the server."""
    if os.getpid() not in _servers:
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            # Without this, Polars' memory allocator starts threads when it is imported.
            variables = {**os.environ, "_RJEM_MALLOC_CONF": "background_thread:false"}
            process = subprocess.Popen(
                [sys.executable, __file__, str(number)],
                pass_fds=[number],
                env=variables,
                start_new_session=True,
            )
        _servers[os.getpid()] = ours, process
        atexit.register(_stop_server)
    return _servers[os.getpid()][0]


def _stop_server() -> None:
    """Stop the server of this process, if there is one, and the commands still running."""
    line, process = _servers.pop(os.getpid(), (None, None))
    if line is not None and process is not None:
        line.close()
        process.wait()


def _serve(line: socket.socket) -> None:
    """Fork for each request until the tests close the socket; then end all commands."""
    while True:
        text, files, _, _ = socket.recv_fds(line, 2**16, 3)
        while text and not text.endswith(b"\n"):
            text += line.recv(2**16)
        if not text:
            break
        if os.fork() == 0:
            line.close()
            _run(json.loads(text), *files)
        for file in files:
            os.close(file)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    os.killpg(0, signal.SIGKILL)  # this process and the commands that a failed test left


def _run(request: dict[str, Any], stdout: int, stderr: int, report: int) -> None:
    """Run what is asked in a child process; report its process number, then its exit code."""
    child = os.fork()
    if child:
        os.write(report, b"%d\n" % child)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(report, b"%d\n" % code)
        os._exit(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, 2**10)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    encoding = os.environ.get("PYTHONIOENCODING", sys.stdout.encoding)
    sys.stdout = open(1, "w", encoding=encoding)  # noqa: SIM115 - until this process ends
    sys.stderr = open(2, "w", 1, encoding, "backslashreplace")  # noqa: SIM115
    kind, what, *words = request["words"]
    faulthandler.enable(sys.stderr)
    sys.path[0] = request["cwd"] if kind == "-m" else ""
    sys.argv = [what if kind == "-m" else kind, *words]
    os._exit(_code_of(kind, what))


def _code_of(kind: str, what: str) -> int:
    """Run a module or code; return its exit code after the steps with which Python ends."""
    code: object = 0
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(what, main.__dict__)
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        traceback.print_exc()
        code = 1
    # All of Python's steps but the clearing of modules, which takes a second and a half.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code or 0


def _import_all() -> None:
    """Import what commands need. Nothing is called, so no thread starts."""
    for module in pkgutil.walk_packages(sasrec.__path__, "sasrec."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # the collector leaves these objects alone, so their memory stays shared


if __name__ == "__main__":
    _import_all()
    _serve(socket.socket(fileno=int(sys.argv[1])))
