"""The command `k3push`, and `python -m k3push`."""

import sys

INTERRUPTED = 130
"""The exit code of Ctrl-C where nothing has begun, as shells have it."""


def main() -> None:
    """Run the command line; Ctrl-C ends it in silence, while it is being loaded as well."""
    try:
        from k3push.cli.app import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
