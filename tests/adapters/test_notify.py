"""Messages to receivers that do not take them as they should."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from threading import Event, Thread

import pytest

# Who sends a message, and gives it up soon.
_SENDER = """
import sys
import anyio
from k3push.adapters import apprise_post as notify
notify.unknown_services(sys.argv[1:])  # which loads all that is needed
notify.MOST_WAIT_S = 1.0
print(anyio.run(notify.notify, sys.argv[1:], "done", "all is well"))
"""


@pytest.fixture
def dripping() -> Iterator[str]:
    """Yield the address of a receiver that answers a byte now and then, and never to the end."""
    listener, over = socket.create_server(("127.0.0.1", 0)), Event()

    def drip() -> None:
        with suppress(OSError):
            taken, _ = listener.accept()
            with taken:
                for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 100_000:
                    taken.sendall(bytes([byte]))
                    if over.wait(0.05):
                        return

    Thread(target=drip, daemon=True).start()
    yield f"json://127.0.0.1:{listener.getsockname()[1]}/x"
    over.set()
    listener.close()


def test_a_receiver_that_never_ends_its_answer_keeps_no_process_from_its_end(dripping: str) -> None:
    """The thread that listens to it is waited for by nobody."""
    sender = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _SENDER, dripping],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert sender.stdout == "['json']\n"
