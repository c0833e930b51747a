"""The command `k3push`, and `python -m k3push`."""

import signal
import sys
import threading
from types import FrameType

INTERRUPTED = 130
"""The exit code of Ctrl-C where nothing has begun, as shells have it."""

AGAIN_S = 0.02


def main() -> None:
    """Run the command line; Ctrl-C ends it in silence, while it is being loaded as well."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not in the background
        signal.signal(signal.SIGINT, interrupt)
    try:
        from k3push.cli.app import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but not in the midst of an import; then a moment later.

    There Python may lose it, or keep a lock that each later import waits for.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            again = threading.Timer(AGAIN_S, _send, [number])
            again.daemon = True
            again.start()
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _send(number: int) -> None:
    """Send a signal to the main thread, so that what it waits for ends."""
    if sys.platform == "win32":
        signal.raise_signal(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)


if __name__ == "__main__":
    main()
