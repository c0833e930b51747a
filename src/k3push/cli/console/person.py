"""Who sits at the terminal, for the ledger: what they have done is written down with it."""

from __future__ import annotations

import getpass
import os
import socket
import sys

if sys.platform == "win32":

    def _user() -> str:
        return getpass.getuser()

else:
    import pwd

    def _user() -> str:
        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # as in a container that was given a number
            return str(os.getuid())


def person_here() -> str:
    """Return the user and the machine, such as `wang@erp-2`.

    The user is the one that the process runs as: what the environment says of it is anybody's.
    """
    return f"{_user()}@{socket.gethostname()}"
