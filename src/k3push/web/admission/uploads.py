"""Lists that a browser sends: read with bounds on everything, and kept for their owner only."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from k3push.runs.kept_in_ledger.request_stages import PASTED

# A list of a million numbers has some 15 MB.
MOST_UPLOAD_BYTES = 32 << 20
MOST_PASTED_BYTES = 2 << 20
MOST_FIELDS = 20

LONGEST_NAME = 80
BLOCK_BYTES = 1 << 20

_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


# What the parser would print of a form that cannot be read, our answers say.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())


class TooLargeError(Exception):
    """More was sent than is taken."""


@dataclass(slots=True)
class Upload:
    """A form that may bring a file along.

    Attributes:
        fields: Its texts; of one that is there twice, the last counts.
        file: The file; None where none was chosen.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    file: UploadFile | None = None


@asynccontextmanager
async def read_upload(request: Request) -> AsyncIterator[Upload]:
    """Read a multipart form; one that cannot be read has no parts. Its file goes with the block.

    Raises:
        TooLargeError: It has more bytes than are taken.
    """
    try:
        async with aclosing(_bounded(request)) as parts:
            parser = MultiPartParser(
                request.headers,
                parts,
                max_files=1,
                max_fields=MOST_FIELDS,
                max_part_size=MOST_PASTED_BYTES,
            )
            form = await parser.parse()
    except MultiPartException as error:
        if "exceeded" in error.message:
            raise TooLargeError from error
        yield Upload()
        return
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    files = [value for value in form.values() if isinstance(value, UploadFile)]
    try:
        chosen = [each for each in files if each.filename or each.size]
        yield Upload(fields, chosen[0] if chosen else None)
    finally:
        for each in files:
            await each.close()


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async with aclosing(request.stream()) as parts:
        async for part in parts:
            size += len(part)
            if size > MOST_UPLOAD_BYTES:
                raise TooLargeError
            yield part


def fit_name(name: str) -> str:
    r"""Return a file's name as it can stand in a folder of ours, whatever a browser has sent.

    >>> fit_name("../../etc/passwd"), fit_name("C:\\fakepath\\采购 订单.xlsx"), fit_name("..")
    ('passwd', '采购 订单.xlsx', 'list')
    >>> fit_name("con.csv"), fit_name("a" * 300 + ".csv")[-10:]
    ('_con.csv', 'aaaaaa.csv')
    """
    last = re.split(r"[/\\]", name)[-1]
    fit = _UNFIT.sub("_", last).strip(" .")
    stem, suffix = os.path.splitext(fit)  # noqa: PTH122  # a text, not a path
    fit = stem[: LONGEST_NAME - len(suffix[:10])] + suffix[:10]
    if _RESERVED.fullmatch(fit):
        fit = f"_{fit}"
    return fit or "list"


def keep_bytes(path: Path, content: bytes) -> None:
    """Write a file into a folder of its own, whole or not at all; again, it is the same.

    Raises:
        OSError: The disk refused.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


async def digest_of(upload: Upload, kept: Path | None) -> str:
    """Return what tells an upload from others: what it holds and is called, and what was chosen.

    Args:
        kept: The list that an earlier try has left, where the form brings none.

    Raises:
        OSError: That one cannot be read.
    """
    told = hashlib.sha256()
    for name, text in sorted(upload.fields.items()):
        if name != "seal":
            told.update(f"{name}={text}\n".encode(errors="replace"))
    if upload.file is not None:
        told.update(f"{upload.file.filename}\n".encode(errors="replace"))
        while block := await upload.file.read(BLOCK_BYTES):
            told.update(block)
        await upload.file.seek(0)
    elif kept is not None:
        told.update(f"{kept.name}\n".encode(errors="replace"))
        told.update(await anyio.Path(kept).read_bytes())
    return told.hexdigest()


async def keep(folder: Path, upload: Upload, kept: Path | None = None) -> Path:
    """Write an upload, or else what was pasted or *kept*, into a folder; return the file.

    A folder that is there holds the same already, and is left as it is.

    Raises:
        OSError: The disk refused.
    """
    named = fit_name(upload.file.filename or "") if upload.file is not None else ""
    name = named or (kept.name if kept else PASTED)
    begun = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")

    def begin() -> None:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        begun.mkdir(mode=0o700)

    await to_thread.run_sync(begin)
    try:
        await _write(begun / name, upload, kept)
        await to_thread.run_sync(begun.rename, folder)
    except OSError:
        await to_thread.run_sync(partial(shutil.rmtree, begun, ignore_errors=True))
        if not await anyio.Path(folder / name).is_file():
            raise
    return folder / name


async def _write(path: Path, upload: Upload, kept: Path | None) -> None:
    await anyio.Path(path).touch(0o600)
    async with await anyio.open_file(path, "wb") as written:
        if upload.file is not None:
            while block := await upload.file.read(BLOCK_BYTES):
                await written.write(block)
        elif kept is not None:
            await written.write(await anyio.Path(kept).read_bytes())
        else:
            await written.write(upload.fields.get("text", "").encode(errors="replace"))
