"""`python -m tests.image`: the image is built, begun, asked, stopped and looked at.

Where nothing can be built, its steps are executed as they stand. What is installed is installed
from the lock, the command begins as the image's user, its health check says when it serves, its
stop signal ends it, and it can write nowhere but to its own folder. The wheel is that of `dist/`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from tests.image.built import Builder, Built, NoBuilderError
from tests.image.containerfile import Settings
from tests.image.steps import Steps

PATIENCE_S = 60.0
ASK_AGAIN_S = 0.2
ROOM = 4 * 10**9
"""In bytes: more than a build takes, with a copy of all for each of its steps."""

TENANT = """\
[erp]
url = "http://127.0.0.1:9/K3Cloud/"
acct_id = "acme"
username = "webapi"
password = { env = "NOBODY_ASKS" }
[ledger]
url = "sqlite:////var/lib/k3push/ledger.db"
[serve]
password = { file = "/run/secrets/dashboard" }
[routes.in]
source = "PUR_PurchaseOrder"
target = "STK_InStock"
rule = "PUR_PurchaseOrder-STK_InStock"
"""


class Image(Protocol):
    """What the Containerfile makes, built or not."""

    @property
    def root(self) -> str:
        """Where its root is, as its commands see it."""

    @property
    def runs_as_its_user(self) -> bool:
        """Whether its commands begin as its own user."""

    def begin(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command in it, with *options* of Popen."""

    def mount(self, place: str, text: str) -> None:
        """Give it a file."""


def assert_serves(image: Image, settings: Settings) -> None:
    """Begin what *image* begins, wait until it is healthy, and stop it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    image.mount("/etc/k3push/tenants/acme.toml", TENANT)
    image.mount("/run/secrets/dashboard", "correct horse")
    # There is no network of its own here, so another program may hold its port.
    words = [port if word == settings.port else word for word in settings.command]
    asked = [word.replace(f":{settings.port}/", f":{port}/") for word in settings.health]
    begun = ("/bin/sh", "-c", 'echo $$; exec "$@"', "sh", *words)
    with image.begin(*begun, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            pid = process.stdout.readline().strip()
            ends_s = time.monotonic() + PATIENCE_S
            while image.begin(*asked, stderr=subprocess.DEVNULL).wait():
                assert process.poll() is None, "it ended by itself"
                assert time.monotonic() < ends_s, "it never was healthy"
                time.sleep(ASK_AGAIN_S)
            # From inside, since its builder stands between, and its user may be another's.
            signal = settings.stop.removeprefix("SIG")
            assert image.begin("/bin/sh", "-c", f"kill -s {signal} {pid}").wait() == 0
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


def assert_writes_to_its_own_folder_alone(image: Image, settings: Settings) -> None:
    """See what its user may write to, beside the folders for all that any Debian has."""
    but = ["!", "-type", "l", "!", "(", "-type", "d", "-perm", "-1000", ")"]
    look = image.begin(
        *("find", image.root, "-xdev", "-writable", *but, "-printf", "/%P\\n"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # folders that it may not even read
    )
    found = look.communicate()[0].splitlines()
    assert settings.state in found, "nothing was looked at"
    outside = [each for each in found if not Path(each).is_relative_to(settings.state)]
    assert not outside, outside


def check(image: Image, settings: Settings) -> None:
    """See that *image* does what it is for."""
    assert settings.user == "10001:10001"
    assert_serves(image, settings)
    if image.runs_as_its_user:
        assert_writes_to_its_own_folder_alone(image, settings)


def _quick_folder() -> str | None:
    """Return a folder in memory if one has room: a disk is slow with so many small files."""
    memory = "/dev/shm"  # noqa: S108  # a folder of its own is made there
    with suppress(OSError):
        about = os.statvfs(memory)
        if about.f_bavail * about.f_frsize > ROOM and not about.f_flag & os.ST_NOEXEC:
            return memory
    return None


def main() -> None:
    """Build the image where that can be done, else execute its steps, and check what is made."""
    settings = Settings.of_file()
    with tempfile.TemporaryDirectory(dir=_quick_folder(), ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the image's user enters it
        os.environ["TMPDIR"] = folder
        try:
            builder = Builder(Path(folder))
        except NoBuilderError as why:
            check(Steps(Path(folder)), settings)
            done = f"The image was not built: {why}. Its steps were executed as they stand"
        else:
            try:
                built = Built(builder)
                built.assert_says_what_the_file_says()
                built.assert_keeps_no_secret()
                check(built, settings)
            finally:
                builder.clear()
            done = "The image was built by buildah"
    sys.stdout.write(f"{done}, begun, found healthy, and stopped.\n")


if __name__ == "__main__":
    main()
