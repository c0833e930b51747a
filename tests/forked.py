"""Commands that begin at once: a process that has imported what they need forks itself for each.

Importing what `k3push` needs takes longer than most commands of the tests do. A *nursery* imports
it once. Each command is then a process of its own with the arguments, the folder, the environment
and the streams that it was given, and begins as `python -m MODULE` or `python SCRIPT` begins. A
process can be waited for by its parent alone, so the nursery waits, and hands on how it ended.

There are two nurseries. That of `Forked` has imported k3push, for the command `k3push`. That of
`ForkedWithoutOurs` has imported what k3push and the tests take from others, and nothing of
theirs: each command reads these anew, from wherever its PYTHONPATH says.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any, TextIO

ROOT = Path(__file__).parents[1]
# What an interpreter goes by when it starts; a fork has started already.
_READ_AT_START = ("PYTHON", "LC_", "LD_", "FAKETIME")
_LARGEST_MESSAGE = 100_000
# What is told of a command: its process id, then its wait status.
_FIGURE = b"%10d"
# Streams of a command: what it reads, what it writes, its errors.
_STANDARD = (0, 1, 2)
_OURS = ("k3push", "tests")
# What commands import when they need it, or others for them.
_LATE = (
    "anyio._backends._asyncio",
    "encodings.idna",
    "encodings.utf_8_sig",
    "rich._emoji_codes",
    "structlog.dev",
    "typer._adapters",
    "uvicorn.lifespan.off",
)


class Forked(subprocess.Popen[str]):
    """A command of Python that the nursery forks, used like any process.

    What `Popen` asks of the system about its child, this asks of the nursery.
    """

    imports_ours = True
    _ending: int

    def _execute_child(self, args: Sequence[str], *more: Any) -> None:  # as given
        cwd, env, pipes = more[4], more[5], more[9:15]
        self._ending, theirs = os.pipe()
        order = {"words": args[1:], "cwd": os.fspath(cwd), "env": env}
        try:
            streams = [pipes[0], pipes[3], pipes[5], theirs]
            nursery = _nursery(imports_ours=self.imports_ours)
            socket.send_fds(nursery, [json.dumps(order).encode()], streams)
        finally:
            os.close(theirs)
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]  # private, as is all here
        self.pid = int(os.read(self._ending, len(_FIGURE % 0)))
        self._child_created = True

    def _ended(self, patience_s: float | None) -> int | None:
        """Return the wait status of the command, once it has ended."""
        if not select.select([self._ending], [], [], patience_s)[0]:
            return None
        status = int(os.read(self._ending, len(_FIGURE % 0)))
        os.close(self._ending)
        return status

    def _try_wait(self, flags: int) -> tuple[int, int]:
        status = self._ended(0 if flags & os.WNOHANG else None)
        return (0, 0) if status is None else (self.pid, status)

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        if self.returncode is None:
            status = self._ended(0)
            if status is not None:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class ForkedWithoutOurs(Forked):
    """The same, with k3push and the tests still to be imported."""

    imports_ours = False


def can_be_forked(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Say whether a fork does what a new interpreter would do."""
    if not hasattr(os, "fork") or list(command[:3]) != [sys.executable, "-m", "k3push"]:
        return False
    usual = not any(name.startswith(_READ_AT_START) for name in environment)
    size = sum(map(len, command)) + sum(map(len, environment.values()))
    return usual and environment.get("LANG") == "C.UTF-8" and size < _LARGEST_MESSAGE


def path_of_ours(*first: Path) -> dict[str, str]:
    """Return what has a command read the k3push that the tests read, where a path says which.

    Args:
        first: Folders whose modules it reads before those of any other.
    """
    ours = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*map(str, first), *([ours] if ours else [])])
    return {"PYTHONPATH": path} if path else {}


@cache
def _nursery(*, imports_ours: bool) -> socket.socket:
    """Begin a nursery of this process, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, "-m", "tests.forked", str(theirs.fileno()), "ours"[: 4 * imports_ours]],
        cwd=ROOT,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", **path_of_ours()},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(orders: socket.socket) -> dict[str, Any] | None:
    """Fork a command for each order until there are no more, and return as one.

    Returns:
        In a command's process, what it is to do; in the nursery, None.
    """
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)  # noqa: FBT003  # the wakeup of signals asks for it
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    endings: dict[int, int] = {}
    while True:
        ready = select.select([orders, woken], [], [])[0]
        if woken in ready:
            woken.recv(_LARGEST_MESSAGE)
            _tell_ends(endings)
        if orders not in ready:
            continue
        message, streams, _, _ = socket.recv_fds(orders, 2 * _LARGEST_MESSAGE, 4)
        if not message:
            return None
        ending = streams.pop()
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for ours in (orders, woken, wakes):
                ours.close()
            _take_place(streams, [ending, *endings.values()])
            order: dict[str, Any] = json.loads(message)
            return order
        endings[child] = ending
        os.write(ending, _FIGURE % child)
        for stream in streams:
            os.close(stream)


def _take_place(streams: Sequence[int], not_ours: Sequence[int]) -> None:
    """Have a command's streams where a process has them, and nothing of other commands."""
    for other in not_ours:
        os.close(other)
    for stream, number in zip(streams, _STANDARD, strict=True):
        os.dup2(stream, number)
        os.close(stream)


def _tell_ends(endings: dict[int, int]) -> None:
    """Wait for the commands that have ended, and tell each one's wait status where it is read."""
    while endings:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        ending = endings.pop(child)
        with suppress(BrokenPipeError):
            os.write(ending, _FIGURE % status)
        os.close(ending)


def _begin(order: Mapping[str, Any]) -> None:
    """Be what `python -m MODULE` is, or `python SCRIPT`."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.stdin = _stream(sys.stdin)
    sys.stdout = _stream(sys.stdout)
    sys.stderr = _stream(sys.stderr)
    words = order["words"]
    sys.orig_argv[:] = [sys.executable, *words]
    sys.argv = words[words[0] == "-m" :]
    try:
        if words[0] == "-m":
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ending:
        if isinstance(ending.code, int):
            _end(ending.code)
        raise


def _end(code: int) -> None:
    """End as an interpreter does, but leave in its place what the nursery has imported.

    To take that down piece by piece takes longer than most commands do. A stream that cannot
    be written to is left to the interpreter, which says so in its own way.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # private, as is the next
    atexit._run_exitfuncs()
    gc.collect()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _stream(like: TextIO) -> IO[Any]:
    """Return a stream with nothing in its buffer, as an interpreter makes it."""
    return open(  # for as long as the process lives
        like.fileno(),
        like.mode,
        buffering=1 if like.line_buffering else -1,
        encoding=like.encoding,
        errors=like.errors,
        closefd=False,
    )


def _import_ours() -> None:
    """Import what commands import when they run; make the command line and the report's page."""
    import k3push  # noqa: PLC0415  # only here

    for module in pkgutil.walk_packages(k3push.__path__, "k3push."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in _LATE:
        with suppress(ImportError):
            import_module(name)
    for lang in ("en", "zh"):
        import_module("k3push.cli.app").command_line(lang)
    templates = import_module("k3push.reporting.html_templates").environment("k3push.reporting")
    templates.get_template("report.html")


def _import_what_ours_need() -> None:
    """Import what k3push, the campaign and pytest take from others.

    A fork imports all, and tells the names of what is not ours.
    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        _import_ours()
        import_module("tests.simulate")
        for plugin in entry_points(group="pytest11"):
            plugin.load()
        for shared in (ROOT / "tests").rglob("conftest.py"):
            import_module(".".join(shared.relative_to(ROOT).with_suffix("").parts))
        names = [name for name in sys.modules if name.partition(".")[0] not in _OURS]
        with os.fdopen(writing, "w", encoding="utf-8") as telling:
            telling.write("\n".join(names))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        for name in told.read().split():
            # Some are made by others when these are imported, and cannot be asked for by name.
            with suppress(ImportError):
                import_module(name)
    os.wait()


if __name__ == "__main__":
    if sys.argv[2]:
        _import_ours()
    else:
        _import_what_ours_need()
    gc.collect()
    gc.freeze()  # so that a command looks for garbage in what is its own
    found = _serve(socket.socket(fileno=int(sys.argv[1])))
    if found is not None:
        _begin(found)
