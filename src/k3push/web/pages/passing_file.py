"""A file that is made to be taken away, and is gone once it was sent."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from anyio import to_thread
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from k3push.web.pages.page_frame import as_file


class _PassingFile(FileResponse):
    """A file in a folder of its own, which is gone once it was sent, or could not be."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(shutil.rmtree, Path(self.path).parent)


async def passing_file(
    name: str, write: Callable[[Path], Awaitable[None]], *, saved_as: str, media: str | None = None
) -> Response:
    """Return a file to be taken away: whole, since nothing of it is sent before it is written.

    Args:
        write: Writes it; what it raises is raised, and no file is left.
        saved_as: The name under which a browser keeps it.
        media: Its type; None is found out by its name.
    """
    folder = Path(await to_thread.run_sync(tempfile.mkdtemp, "", "k3push-"))
    try:
        await write(folder / name)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(shutil.rmtree, folder)
        raise
    return _PassingFile(folder / name, headers=as_file(saved_as), media_type=media)
