"""The ledger that the settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from typing import TYPE_CHECKING

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.config.settings import Settings
from k3push.core.remark import remark
from k3push.ports import Ledger, LedgerAwayError, LedgerLostError
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem, innermost

if TYPE_CHECKING:
    from k3push.adapters.ledger.connection_places import ConnectionPlaces


@contextmanager
def beginning() -> Iterator[None]:
    """Say of a ledger that cannot be reached as a command begins that nothing was begun."""
    try:
        yield
    except LedgerLostError as error:
        if type(error) is not LedgerLostError:
            raise
        raise LedgerAwayError(*error.args) from error


@contextmanager
def staying() -> Iterator[None]:
    """Have a service started again whose database is away as it begins.

    No setting is wrong, so the exit is not that of one (2), after which systemd starts nothing.

    Raises:
        Problem: The database is away.
    """
    try:
        yield
    except Exception as error:
        cause = innermost(error)
        if not isinstance(cause, LedgerAwayError):
            raise
        raise Problem(remark("error.ledger_away", why=str(cause)), Exit.STOPPED) from error


def ledger_of(
    settings: Settings, *, create: bool = False, places: ConnectionPlaces | None = None
) -> AbstractAsyncContextManager[Ledger]:
    """Open the ledger for the account of the settings; a command that only reads makes none.

    What is entered raises `LedgerLostError` where the ledger cannot be opened (`beginning`).

    Args:
        create: Make it if it is missing.
        places: For the connections to all servers, where others are open beside it.

    Raises:
        Problem: There is none yet, or a package is missing.
    """
    account = settings.erp.acct_id
    path = settings.ledger_path
    if path is None:
        with needs_postgres():
            from k3push.adapters.ledger.postgres import open_postgres  # noqa: PLC0415
        password = ledger_password(settings)
        return _begun(
            open_postgres(
                settings.ledger.url,
                account=account,
                password=password,
                create=create,
                places=places,
            )
        )
    if not create and not path.exists():
        raise Problem(remark("error.no_ledger", path=path))
    return _begun(open_sqlite(path, account=account, create=create))


@asynccontextmanager
async def _begun(opening: AbstractAsyncContextManager[Ledger]) -> AsyncIterator[Ledger]:
    async with AsyncExitStack() as stack:
        with beginning():
            ledger = await stack.enter_async_context(opening)
        yield ledger


async def is_there(settings: Settings) -> bool:
    """Say whether there is a ledger already."""
    path = settings.ledger_path
    if path is None:
        with needs_postgres():
            from k3push.adapters.ledger import postgres  # noqa: PLC0415
        with beginning():
            return await postgres.is_there(settings.ledger.url, ledger_password(settings))
    return path.exists()


@asynccontextmanager
async def ledger_if_there(settings: Settings) -> AsyncIterator[Ledger | None]:
    """Open the ledger for the account of the settings, if there is one already."""
    if not await is_there(settings):
        yield None
        return
    async with ledger_of(settings) as ledger:
        yield ledger


def ledger_password(settings: Settings) -> str:
    """Return the password of `[ledger]`; libpq looks for others itself."""
    secret = settings.ledger.password
    return secret.resolve("ledger.password", settings.file) if secret else ""


@contextmanager
def needs_postgres() -> Iterator[None]:
    """Say which extra is missing, where an import of PostgreSQL's adapter fails."""
    try:
        yield
    except ImportError as missing:
        raise Problem(remark("error.no_postgres", why=missing)) from None
