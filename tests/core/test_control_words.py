from __future__ import annotations

import pytest

from k3push.core.control_words import LIMITS, Command, CommandError, Key, Verb

COMMANDS = [
    *(Command(verb) for verb in Verb if verb is not Verb.SET),
    *(Command(Verb.SET, key) for key in Key),
    *(Command(Verb.SET, key, value) for key in Key for value in (LIMITS[key][0], LIMITS[key][-1])),
]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_is_read_as_it_is_written(command: Command) -> None:
    """It travels through the ledger in its words, which anybody can read there."""
    assert Command.parse(str(command).split(" ")) == command


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("", ""),
        ("halt", "halt"),
        ("pause now", "now"),
        ("set", ""),
        ("set concurrency", "concurrency"),
        ("set concurrency=", "concurrency="),
        ("set concurrency=0", "concurrency=0"),
        ("set concurrency=257", "concurrency=257"),
        ("set concurrency=１", "concurrency=１"),
        ("set concurrency=-1", "concurrency=-1"),
        ("set chunk-size=10001", "chunk-size=10001"),
        ("set chunk_size=5", "chunk_size=5"),
        ("set concurrency=2 chunk-size=3", "concurrency=2 chunk-size=3"),
    ],
)
def test_what_is_no_command_names_the_word(words: str, wrong: str) -> None:
    """A person at night sees at once which word it was."""
    with pytest.raises(CommandError) as raised:
        Command.parse(words.split(" ") if words else [])
    assert str(raised.value) == wrong
