"""What the Containerfile says: its instructions, and what whoever begins the image does by them."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "src" / "k3push" / "deployment" / "Containerfile"


def instructions() -> list[tuple[str, str]]:
    """Read the Containerfile: instructions and what follows each."""
    joined = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text("utf-8"), flags=re.MULTILINE)
    lines = joined.replace("\\\n", " ").splitlines()
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line)
    ]


@dataclass(frozen=True)
class Settings:
    """What an image says of how it is begun, asked and stopped.

    Attributes:
        user: Who begins it, as UID:GID.
        environment: What it adds to the environment, as NAME=VALUE.
        state: The folder in which it begins.
        volumes: Folders that outlive a container.
        port: Where it answers.
        health: The command that says whether it is healthy.
        stop: Name of the signal that stops it.
        command: What is begun.
    """

    user: str
    environment: tuple[str, ...]
    state: str
    volumes: tuple[str, ...]
    port: str
    health: tuple[str, ...]
    stop: str
    command: tuple[str, ...]

    @classmethod
    def of_file(cls) -> Settings:
        """Read them in the Containerfile."""
        said = dict(instructions())
        return cls(
            user=said["USER"],
            environment=tuple(shlex.split(said["ENV"])),
            state=said["WORKDIR"],
            volumes=(said["VOLUME"],),
            port=said["EXPOSE"],
            health=tuple(json.loads(said["HEALTHCHECK"].partition("CMD ")[2])),
            stop=said["STOPSIGNAL"],
            command=(*json.loads(said["ENTRYPOINT"]), *json.loads(said["CMD"])),
        )

    @classmethod
    def of_image(cls, config: dict[str, Any]) -> Settings:
        """Read them in the configuration of an image, of Docker's format."""
        how, *health = config["Healthcheck"]["Test"]
        assert how == "CMD", "a shell is asked"
        return cls(
            user=config["User"],
            environment=tuple(each for each in config["Env"] if not each.startswith("PATH=")),
            state=config["WorkingDir"],
            volumes=tuple(config["Volumes"]),
            port="".join(config["ExposedPorts"]).removesuffix("/tcp"),
            health=tuple(health),
            stop=config["StopSignal"],
            command=(*config["Entrypoint"], *config["Cmd"]),
        )
