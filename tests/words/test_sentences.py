"""Every sentence is written in both languages, used, and given just the facts that it mentions."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import jinja2
from jinja2 import nodes

import k3push
from k3push.words import FAMILIES
from k3push.words.language import LANGUAGES, speaker

PACKAGE = Path(k3push.__file__).parent

MODULES = {name: import_module(f"k3push.words.{name}").WORDS for name in FAMILIES}
SENTENCES: dict[str, tuple[str, str]] = {
    key: words for sentences in MODULES.values() for key, words in sentences.items()
}

# Functions whose first argument is the key of a sentence, and whose others are its facts.
SPEAKERS = {"say", "remark", "warn", "tell"}

# In `cli/commands/`, functions whose first argument is the key of a command's help; `.short` behind
# it is the key of the line about it in the list of commands.
COMMANDS = {"command", "command_group"}

# Stands for what a key is put together from.
ANY = "([^.]+)"

# They hand on a key that somebody else has written.
FORWARDERS = {
    "cli/actions/enqueue_lists.py",
    "cli/actions/init.py",
    "cli/command_decorator.py",
    "cli/console/terminal.py",
    "cli/framework.py",
    "config/invalid_values.py",
    "core/advice/diagnosis.py",
    "fleet/work.py",
    "reporting/page.py",
    "reporting/summary.py",
    "reporting/templates/shared.html",
    "web/api/named_requests.py",
    "web/api/push_lookups.py",
    "web/api/push_status.py",
    "web/pages/list_words.py",
    "web/pages/number_pages.py",
    "web/pages/page_context.py",
    "web/pages/page_frame.py",
    "web/pages/plan_pages.py",
    "web/pages/run_status.py",
    "web/templates/number.html",
    "web/templates/parts.html",
    "words/language.py",
    "web/execution/request_fulfilment.py",
    "web/execution/request_plan.py",
    "web/execution/served_schedules.py",
}


@dataclass(frozen=True)
class Call:
    """A sentence that the code says.

    Attributes:
        keys: Patterns of the keys that are meant; none where the key is somebody else's.
        facts: Names of the facts that are given.
        open: Whether more facts may be given, which a reader of the call does not see.
    """

    place: str
    keys: tuple[str, ...]
    facts: frozenset[str]
    open: bool


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def _parsed(path: Path) -> nodes.Template:
    return jinja2.Environment(autoescape=True).parse(path.read_text("utf-8"))


def _python(path: Path) -> Iterator[Call]:
    place = path.relative_to(PACKAGE).as_posix()
    for node in ast.walk(_tree(path)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        match node.func:
            case ast.Attribute(attr=attribute):
                name = attribute.replace("_say", "say")
            case ast.Name(id=name):
                pass
            case _:
                continue
        if name in SPEAKERS:
            facts = frozenset(each.arg for each in node.keywords if each.arg)
            spread = any(each.arg is None for each in node.keywords)
            where = f"{place}:{node.lineno}"
            yield Call(where, tuple(_patterns(node.args[0])), facts, spread)
        elif name in COMMANDS and path.parent.name == "commands":
            keys = tuple(key + end for key in _patterns(node.args[0]) for end in ("", r"\.short"))
            yield Call(f"{place}:{node.lineno}", keys, frozenset(), open=False)


def _patterns(key: ast.expr) -> Iterator[str]:
    match key:
        case ast.Constant(str(text)):
            yield re.escape(text)
        case ast.IfExp(body=one, orelse=other):
            yield from (*_patterns(one), *_patterns(other))
        case ast.JoinedStr(parts):
            texts = (part.value if isinstance(part, ast.Constant) else None for part in parts)
            yield "".join(ANY if text is None else re.escape(str(text)) for text in texts)


def _template(path: Path) -> Iterator[Call]:
    place = path.relative_to(PACKAGE).as_posix()
    tree = _parsed(path)
    for node in tree.find_all(nodes.Call):
        named = isinstance(node.node, nodes.Name) and node.node.name in SPEAKERS
        if named and node.args:
            facts = frozenset(each.key for each in node.kwargs)
            yield Call(f"{place}:{node.lineno}", tuple(_forms(node.args[0])), facts, open=False)


def _forms(key: nodes.Node) -> Iterator[str]:
    match key:
        case nodes.Const():
            yield re.escape(str(key.value))
        case nodes.CondExpr():
            yield from _forms(key.expr1)
            yield from _forms(key.expr2 or nodes.Const(""))
        case nodes.Concat():
            parts = (each.value if isinstance(each, nodes.Const) else None for each in key.nodes)
            yield "".join(ANY if part is None else re.escape(str(part)) for part in parts)


def _sources() -> list[Path]:
    found = [path for path in PACKAGE.rglob("*.py") if "simulator" not in path.parts]
    return [path for path in found if path.parent.name != "words" or path.stem == "language"]


@cache
def _calls() -> list[Call]:
    return [
        *(call for path in _sources() for call in _python(path)),
        *(call for path in PACKAGE.rglob("*.html") for call in _template(path)),
    ]


def _constants() -> set[str]:
    """Return all texts, numbers and names that the code holds, apart from the sentences."""
    trees = [_tree(path) for path in _sources() if path.parent.name != "words"]
    every = [node for tree in trees for node in ast.walk(tree)]
    found = {str(node.value) for node in every if isinstance(node, ast.Constant)}
    # Members of an enum are meant by their names.
    found |= {node.id for node in every if isinstance(node, ast.Name)}
    for path in PACKAGE.rglob("*.html"):
        tree = _parsed(path)
        found |= {str(node.value) for node in tree.find_all(nodes.Const)}
    for path in PACKAGE.rglob("*.sql"):
        found |= set(re.findall(r"-- name: (\w+)", path.read_text("utf-8")))
    return {each.lower() for each in found}


def _pieces(path: Path) -> Iterator[str]:
    """Yield the patterns of all texts that are put together and look like a key."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.JoinedStr):
            yield from (each for each in _patterns(node) if re.match(r"[a-z]+\\.", each))


@cache
def _named(pattern: str) -> list[str]:
    return [key for key in SENTENCES if re.fullmatch(pattern, key)]


def _facts(sentence: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(sentence) if name)


def test_a_sentence_mentions_the_same_facts_in_both_languages() -> None:
    """Who reads Chinese is told as much as who reads English."""
    assert [key for key, words in SENTENCES.items() if not all(words)] == []
    assert [key for key, words in SENTENCES.items() if len(set(map(_facts, words))) > 1] == []


# A number, at most one word, and the plural of what is counted.
_COUNTED = re.compile(
    r"\{(\w+)(?::(?!\?)[^}]*)?\} (?:more |rejected |unknown )?"
    r"(?:bills|calls|chunks|documents|files|findings|lines|numbers|reasons|requests|rows|rules|runs)\b"
)

# Of these there are never fewer than two.
_ALWAYS_SEVERAL = {
    "audit.double",
    "error.many_runs",
    "notice.resume_all",
    "status.beside",
    "why.follow",
    "why.sessions",
}


def test_one_is_said_as_one_in_english() -> None:
    """`1 numbers` stands nowhere: what is counted is written as `{n} {n:?number|numbers}`."""
    plain = [key for key, (english, _) in SENTENCES.items() if _COUNTED.search(english)]
    assert set(plain) - _ALWAYS_SEVERAL == set()
    assert speaker("en")("report.found", n=1) == "1 number"
    assert speaker("en")("report.found", n="2") == "2 numbers"


def test_each_family_is_at_home_in_one_module() -> None:
    """A sentence is looked for where its family is."""
    for module, sentences in MODULES.items():
        assert {key.partition(".")[0] for key in sentences} == set(FAMILIES[module])
    homes = [family for families in FAMILIES.values() for family in families]
    assert len(homes) == len(set(homes))
    files = {path.stem for path in (PACKAGE / "words").glob("*.py") if "WORDS" in path.read_text()}
    assert files - {"__init__"} == set(FAMILIES)


def test_each_key_that_the_code_uses_is_there() -> None:
    """A sentence that is missing is found here, and not by an operator at night."""
    missing = [(c.place, key) for c in _calls() for key in c.keys if not _named(key)]
    assert missing == []


def test_each_call_gives_just_the_facts_that_its_sentence_mentions() -> None:
    """One fact less is an error where it is said; one more is a sentence that lost a fact."""
    wrong = []
    for call in _calls():
        for pattern in call.keys:
            if ANY in pattern and ".html:" in call.place:
                continue  # put together from a list beside it, whose sentences mention nothing
            mentioned = [_facts(SENTENCES[key][0]) for key in _named(pattern)]
            alike = ANY not in pattern
            if call.open:
                fits = all(call.facts <= each or not alike for each in mentioned)
            elif alike:
                fits = all(call.facts == each for each in mentioned)
            else:
                fits = all(each <= call.facts for each in mentioned)
            if not fits:
                wrong.append((call.place, pattern, sorted(call.facts)))
    assert wrong == []


def test_no_exception_is_put_behind_other_words_by_hand() -> None:
    """What it says may be a sentence by its key, which nobody would find any more to say it."""
    by_hand = [
        f"{path.relative_to(PACKAGE).as_posix()}:{text.lineno}"
        for path in _sources()
        for handler in ast.walk(_tree(path))
        if isinstance(handler, ast.ExceptHandler | ast.FunctionDef)
        for text in ast.walk(handler)
        if isinstance(text, ast.JoinedStr) and _says_one_of(text, _exceptions(handler))
    ]
    assert by_hand == []


def _exceptions(place: ast.ExceptHandler | ast.FunctionDef) -> set[str]:
    """Return the names that exceptions have in a handler, or as arguments of a function."""
    if isinstance(place, ast.ExceptHandler):
        return {place.name} if place.name else set()
    return {
        each.arg
        for each in place.args.args
        if each.annotation and re.search(r"Exception|Error", ast.unparse(each.annotation))
    }


def _says_one_of(text: ast.JoinedStr, names: set[str]) -> bool:
    said = {ast.unparse(each.value) for each in text.values if isinstance(each, ast.FormattedValue)}
    return not said.isdisjoint(names | {f"str({name})" for name in names})


def test_only_who_hands_on_a_key_does_not_write_it() -> None:
    """A key that is put together from pieces cannot be checked here."""
    unseen = {call.place.partition(":")[0] for call in _calls() if not call.keys}
    assert unseen - FORWARDERS == set()


def test_each_sentence_is_used() -> None:
    """What nobody says is not mended, and misleads who looks for it."""
    constants = _constants()
    patterns = {pattern for path in _sources() for pattern in _pieces(path)}
    patterns |= {pattern for call in _calls() for pattern in call.keys if ANY in pattern}
    plain = {p for call in _calls() for p in call.keys if ANY not in p}
    used = {key for pattern in plain for key in _named(pattern)}
    for pattern in patterns:
        matches = {key: re.fullmatch(pattern, key) for key in _named(pattern)}
        used |= {key for key, m in matches.items() if m and set(m.groups()) <= constants}
    assert [key for key in SENTENCES if key not in used | constants] == []


def test_what_is_wrong_with_an_answer_stands_within_other_sentences() -> None:
    """A full stop of its own would be followed by a second one."""
    told = import_module("k3push.words.bad_answers").WORDS.values()
    assert [words for words in told if words[0].endswith(".") or words[1].endswith("。")] == []


# A whole command, as somebody would type it.
_COMMAND = re.compile("`(k3push [^`]+)`")

# What others say is often a sentence of its own.
_PARTED = re.compile(r"\{(?:why|what|said)\}[.,;。，；]")


def test_a_reason_and_what_follows_it_are_parted_by_one_stop() -> None:
    """`字段不存在。。请检查` stood in a list's refusal: a reason is written as `{why:.}` there."""
    both = {key: "\n".join(words) for key, words in SENTENCES.items()}
    assert [key for key, words in both.items() if _PARTED.search(words)] == []
    for lang in LANGUAGES:
        told = speaker(lang)("select.refused.form", why="字段不存在。", route="r")
        assert not re.search("[.。]{2}|。[.]", told)


def test_a_command_that_a_sentence_names_has_what_its_options_need() -> None:
    """`k3push resume RUN --again`, as a refusal named it, was refused: it needs `--because`."""
    both = {key: "\n".join(words) for key, words in SENTENCES.items()}
    commands = {(key, each) for key, words in both.items() for each in _COMMAND.findall(words)}
    again = {(key, command) for key, command in commands if "--again" in command}
    assert again
    assert {each for each in again if "--because" not in each[1]} == set()
