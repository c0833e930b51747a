"""`python -m tests.documents`: make the documents say what the code does now.

generate            the parts that are made from the code
play PAGE...        the commands of pages, and what they print; without PAGE, of all
pictures            the pictures, from a real run in a real browser
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.documents import pictures
from tests.documents.generated import generated
from tests.documents.pages import LANGUAGES, Page, pages
from tests.documents.playing import Clone, needs_postgres, renewed
from tests.postgres import PostgresServer


def main() -> None:
    """Renew what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.documents", description=__doc__)
    parser.add_argument("what", choices=["generate", "play", "pictures"])
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE")
    parser.add_argument(
        "--all", action="store_true", help="also blocks that differ in times and ids alone"
    )
    given = parser.parse_intermixed_args()
    if given.what == "pictures":
        for lang in LANGUAGES:
            with TemporaryDirectory() as folder:
                pictures.take(lang, Path(folder))
        return
    chosen = [Page(path.resolve()) for path in given.pages] or pages()
    for page in chosen:
        match given.what:
            case "generate":
                write(page, generated(page))
            case "play":
                play(page, all_blocks=given.all)


def play(page: Page, *, all_blocks: bool) -> None:
    """Play a page, and write what it prints now."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        environment = {}
        if needs_postgres(page):
            server = PostgresServer()
            stack.callback(server.close)
            environment["K3PUSH_LEDGER__URL"] = server.url
        clone = stack.enter_context(Clone(folder, page.lang, environment))
        write(page, renewed(page, clone.play(page), all_blocks=all_blocks))


def write(page: Page, text: str) -> None:
    """Write a page that has changed, and say so."""
    if text != page.text:
        page.path.write_text(text, "utf-8")
        print(page.name)  # noqa: T201  # a command prints


if __name__ == "__main__":
    main()
