"""The steps of the Containerfile; and `python -m tests.containerfile`, which takes them.

Where no image can be built, since nobody may mount or there is no base, the steps are taken as they
stand, below a folder in the place of the image's root: what is installed is installed from the
lock, the command begins as the image's does, as its user where that can be, its health check says
when it serves, and its stop signal ends it. The wheel is that of `dist/`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONTAINERFILE = ROOT / "src" / "k3push" / "deployment" / "Containerfile"
PATIENCE_S = 60.0

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


def instructions() -> list[tuple[str, str]]:
    """Read the Containerfile: instructions and what follows each."""
    joined = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text("utf-8"), flags=re.MULTILINE)
    lines = joined.replace("\\\n", " ").splitlines()
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line)
    ]


@dataclass
class Image:
    """What the steps make, below a folder.

    Attributes:
        root: Stands for the image's own root.
        told: What the instructions say that are no steps.
    """

    root: Path
    told: dict[str, str] = field(default_factory=dict)

    def below(self, text: str) -> str:
        """Let paths of the image begin at its folder."""
        return re.sub(r"(?<![\w.:/])/(?=(?:opt|build|var|etc|run)\b)", f"{self.root}/", text)

    def make(self) -> None:
        """Take the steps."""
        for word, rest in instructions():
            if word == "RUN":
                subprocess.run(["/bin/sh", "-ec", self.below(rest)], check=True)  # noqa: S603  # our own steps
            elif word == "COPY":
                self._copy(*rest.split())
            else:
                self.told[word] = rest

    def _copy(self, *words: str) -> None:
        if words[0].startswith("--from="):
            assert Path(self.below(words[1])).is_dir(), "both stages have one folder here"
            return
        (source,), place = list(ROOT.glob(words[0])), Path(self.below(words[1]))
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)

    def served(self) -> None:
        """Begin what the image begins, wait until it is healthy, and stop it."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self._furnish()
        begin = json.loads(self.told["ENTRYPOINT"]) + json.loads(self.told["CMD"])
        words = [self.below(word) if word != self.told["EXPOSE"] else port for word in begin]
        check = json.loads(self.told["HEALTHCHECK"].partition("CMD ")[2])
        asked = [
            self.below(word).replace(f":{self.told['EXPOSE']}/", f":{port}/") for word in check
        ]
        environment = {"PATH": os.environ["PATH"], "HOME": self.below(self.told["ENV"][5:])}
        as_user = self._user(Path(words[0]).with_name("python"))
        process = subprocess.Popen(  # noqa: S603
            words, cwd=self.below(self.told["WORKDIR"]), env=environment, **as_user
        )
        try:
            ends_s = time.monotonic() + PATIENCE_S
            while subprocess.run(asked, check=False, capture_output=True).returncode:  # noqa: S603
                assert process.poll() is None, "it ended by itself"
                assert time.monotonic() < ends_s, "it never was healthy"
                time.sleep(0.2)
            process.send_signal(signal.Signals[self.told["STOPSIGNAL"]])
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()

    def _furnish(self) -> None:
        """Put there what is mounted: a tenant, and the secret of the dashboard."""
        tenant = Path(self.below("/etc/k3push/tenants/acme.toml"))
        secret = Path(self.below("/run/secrets/dashboard"))
        for path, text in ((tenant, self.below(TENANT)), (secret, "correct horse")):
            path.parent.mkdir(parents=True)
            path.write_text(text, "utf-8")

    def _user(self, python: Path) -> dict[str, Any]:
        """Return who begins it: the image's user, unless that is not ours to say."""
        user = int(self.told["USER"].partition(":")[0])
        ids = {"user": user, "group": user, "extra_groups": ()}
        # An interpreter in a person's own folder can be begun by nobody else.
        with suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([python, "-V"], check=True, capture_output=True, **ids)  # type: ignore[call-overload]  # noqa: S603
            return ids
        sys.stderr.write(f"as the user of this process, since {user} cannot be had\n")
        return {}


def main() -> None:
    """Take the steps of the Containerfile, and see that what they make serves."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the image's user enters it
        image = Image(Path(folder))
        image.make()
        image.served()


if __name__ == "__main__":
    main()
