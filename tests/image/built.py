"""The image, built by buildah, which needs no service and no registry.

Its base is made here, of Debian's packages: of the release, and with the Python, that the
Containerfile's own base has. It is a Debian of apt's own sources on this machine.
"""

from __future__ import annotations

import ast
import json
import re
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.image.containerfile import CONTAINERFILE, ROOT, Settings, instructions

BASE, IMAGE = "localhost/base", "localhost/k3push"
BASE_PACKAGES = "python-is-python3,python3-pip,python3-venv,ca-certificates"
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
"""Whom the base trusts; what this machine trusts is mounted there while pip asks."""

FROM_INDEX = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout")


class NoBuilderError(Exception):
    """Nothing can be built here."""


class Builder:
    """buildah, with a store of its own and a base.

    Attributes:
        folder: Holds the store, and what is mounted.
    """

    def __init__(self, folder: Path) -> None:
        """Make the base, and begin something in it.

        Raises:
            NoBuilderError: A program is missing, or may not do that here.
        """
        if missing := [each for each in ("buildah", "mmdebstrap") if not shutil.which(each)]:
            raise NoBuilderError(f"there is no {' and no '.join(missing)}")
        self.folder = folder
        self._program = ["buildah", "--root", f"{folder}/store", "--runroot", f"{folder}/run"]
        try:
            self._make_base()
        except subprocess.CalledProcessError as fault:
            words = fault.stderr.strip().splitlines() or [str(fault)]
            told = next((line for line in words if line.startswith("E: ")), words[-1])
            raise NoBuilderError(f"no base could be made ({told})") from None

    def words(self, command: str, *words: str) -> list[str]:
        """Return a command of buildah's."""
        return [*self._program, command, *words]

    def tell(self, command: str, *words: str) -> str:
        """Have a command carried out, and return what it says."""
        return _output(*self.words(command, *words))

    def container(self, image: str) -> str:
        """Make a container of *image*, and return its name."""
        return self.tell("from", "--pull=never", *_limits(), image).strip()

    def clear(self) -> None:
        """Remove all, also what belongs to users that only buildah may act for."""
        self.tell("rm", "--all")
        self.tell("rmi", "--all", "--force")

    def _make_base(self) -> None:
        archive = str(self.folder / "base.tar")
        (release,) = re.findall(r"-slim-(\w+)@sha256:", dict(instructions())["ARG"])
        # No power is lost on something that is thrown away.
        hasty = "--dpkgopt=force-unsafe-io"
        packages = f"--include={BASE_PACKAGES}"
        made = ("mmdebstrap", "--variant=essential", hasty, packages, release, archive, "-")
        _output(*made, stdin=_sources(release))
        container = self.container("scratch")
        self.tell("add", container, archive, "/")
        user = Settings.of_file().user
        self.tell("run", "--isolation", "chroot", "--user", user, container, "--", "python", "-V")
        self.tell("commit", "--rm", container, BASE)


class Built:
    """The image that is built.

    Attributes:
        root: Its own root.
        runs_as_its_user: It always does.
    """

    root = "/"
    runs_as_its_user = True

    def __init__(self, builder: Builder) -> None:
        """Build it with *builder*."""
        self._builder = builder
        self._mounts: list[str] = []
        pip = _configuration_of_pip()
        conf = builder.folder / "pip.conf"
        self._token = uuid4().hex
        told = [f"{key} = {pip[key]}" for key in FROM_INDEX if key in pip]
        conf.write_text("\n".join(["[global]", f"# {self._token}", *told, ""]), "utf-8")
        trusted = ["--volume", f"{pip['cert']}:{TRUSTED}:ro"] if "cert" in pip else []
        # OCI's own format has no room for the health check.
        how = ["--isolation", "chroot", "--format", "docker", "--pull=never", *_limits()]
        handed = ["--build-arg", f"BASE={BASE}", "--secret", f"id=pip.conf,src={conf}", *trusted]
        what = ["--file", str(CONTAINERFILE), "--tag", IMAGE, str(ROOT)]
        subprocess.run(builder.words("build", *how, *handed, *what), check=True)  # noqa: S603
        self._busy: dict[str, subprocess.Popen[str]] = {}

    def begin(self, *words: str, user: str = "", **options: Any) -> subprocess.Popen[str]:
        """Begin a command in a container of the image, with *options* of Popen."""
        who = ["--user", user] if user else []
        how = ["--isolation", "chroot", *self._mounts, *who]
        container = self._free_container()
        run = self._builder.words("run", *how, container, "--", *words)
        self._busy[container] = subprocess.Popen(run, text=True, **options)  # noqa: S603
        return self._busy[container]

    def mount(self, place: str, text: str) -> None:
        """Mount a file into what begins from now on."""
        path = self._builder.folder / Path(place).name
        path.write_text(text, "utf-8")
        path.chmod(0o644)
        self._mounts += ["--volume", f"{path}:{place}:ro"]

    def assert_says_what_the_file_says(self) -> None:
        """See that who begins it begins what the Containerfile says."""
        assert Settings.of_image(self._inspect()["config"]) == Settings.of_file()

    def assert_keeps_no_secret(self) -> None:
        """See that what was handed to the builder ended in no layer, nor in what is told of it."""
        told = json.dumps(self._inspect())
        assert self._token not in told
        for address in re.findall(r"\w+://[^\s'\"\\]+", told):
            assert address.startswith("http://127.0.0.1:"), "an address that belongs to one machine"
        places = ["/etc", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var"]  # noqa: S108
        look = ("grep", "--recursive", "--files-with-matches", "--fixed-strings", "--", self._token)
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        looked = self.begin(*look, *places, user="0:0", **both)
        found, _ = looked.communicate()
        assert (found, looked.returncode) == ("", 1), "what was handed in is in a file of the image"

    def _free_container(self) -> str:
        """Return a container in which nothing runs: a second command may bring the first's down."""
        for name, process in self._busy.items():
            if process.poll() is not None:
                return name
        return self._builder.container(IMAGE)

    def _inspect(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._builder.tell("inspect", "--type", "image", IMAGE))
        docker: dict[str, Any] = told["Docker"]
        return docker


def _output(*words: str, stdin: str = "") -> str:
    """Have a program do something, and return what it says."""
    return subprocess.run(  # noqa: S603
        words, input=stdin, check=True, capture_output=True, text=True
    ).stdout


def _sources(release: str) -> str:
    """Return where apt of this machine finds a release of Debian, a line for each source."""
    line = "$(CODENAME) deb [signed-by=$(SIGNED_BY)] $(REPO_URI) $(RELEASE) $(COMPONENT)"
    only = ("Created-By: Packages", "Origin: Debian")
    told = _output("apt-get", "indextargets", "--format", line, *only)
    lines = (line.partition(" ") for line in told.splitlines())
    return "".join(
        f"{source.replace('[signed-by=] ', '')}\n"
        for name, _, source in lines
        if re.fullmatch(rf"{release}(-\w+)?", name)
    )


def _configuration_of_pip() -> dict[str, str]:
    """Return what pip of this machine is told, by option: what its environment says comes first."""
    pairs = (line.partition("=") for line in _output("pip", "config", "list").splitlines())
    said = sorted((key.startswith(":env:"), key, value) for key, _, value in pairs)
    return {key.rpartition(".")[2]: str(ast.literal_eval(value)) for _, key, value in said}


def _limits() -> list[str]:
    """Return options that leave the limits as they are; buildah would raise them, and may not."""
    limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    return [
        word
        for name, which in limits.items()
        for word in ("--ulimit", "{}={}:{}".format(name, *resource.getrlimit(which)))
    ]
