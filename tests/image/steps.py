"""The steps of the Containerfile, executed as they stand where no image can be built.

They are executed below a folder in the place of the image's root, with the packages and the
interpreter of this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.image.containerfile import ROOT, Settings, instructions


class Steps:
    """What the steps make, below a folder.

    Attributes:
        root: Stands for the image's own root.
    """

    def __init__(self, folder: Path) -> None:
        """Execute the steps below *folder*."""
        self.root = str(folder)
        for word, rest in instructions():
            if word == "RUN":
                # What is mounted for a step here is the machine's own.
                step = re.sub(r"--mount=\S+", "", rest)
                if os.geteuid():  # who may give nothing away to the image's user
                    step = re.sub(r" -[og] \d+", "", step)
                subprocess.run(["/bin/sh", "-ec", self._below(step)], check=True)  # noqa: S603  # our own steps
            elif word == "COPY":
                self._copy(*rest.split())
        self._settings = Settings.of_file()
        self._user = self._find_user()

    @property
    def runs_as_its_user(self) -> bool:
        """Whether it could be begun as the image's user."""
        return bool(self._user)

    def begin(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command of the image, with *options* of Popen."""
        variables = (self._below(each).split("=", 1) for each in self._settings.environment)
        return subprocess.Popen(  # noqa: S603
            [self._below(word) for word in words],
            cwd=self._below(self._settings.state),
            env={"PATH": os.environ["PATH"], **dict(variables)},
            text=True,
            **self._user,
            **options,
        )

    def mount(self, place: str, text: str) -> None:
        """Put a file there that a container would be given."""
        path = Path(self._below(place))
        path.parent.mkdir(parents=True)
        path.write_text(self._below(text), "utf-8")

    def _below(self, text: str) -> str:
        """Let paths of the image begin at its folder."""
        return re.sub(r"(?<![\w.:/])/(?=(?:opt|build|var|etc|run)\b)", f"{self.root}/", text)

    def _copy(self, *words: str) -> None:
        if words[0].startswith("--from="):
            assert Path(self._below(words[1])).is_dir(), "both stages have one folder here"
            return
        (source,), place = list(ROOT.glob(words[0])), Path(self._below(words[1]))
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)

    def _find_user(self) -> dict[str, Any]:
        """Return who begins it: the image's user, unless that is not ours to say."""
        user, group = map(int, self._settings.user.split(":"))
        ids = {"user": user, "group": group, "extra_groups": ()}
        python = Path(self._below(self._settings.command[0])).with_name("python")
        # An interpreter in a person's own folder can be begun by nobody else.
        with suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([python, "-V"], check=True, capture_output=True, **ids)  # type: ignore[call-overload]  # noqa: S603
            return ids
        sys.stderr.write(f"as the user of this process, since {user} cannot be had\n")
        return {}
