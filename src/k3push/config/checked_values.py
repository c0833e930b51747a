"""What a single key may hold: values that are checked, and completed where they may be short."""

from __future__ import annotations

import re
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticKnownError

from k3push.core.control_words import Key, size_of
from k3push.core.cron import check_cron, zone_of
from k3push.core.pacing.halting import HaltRule
from k3push.core.pacing.window import Window
from k3push.core.protocol.selection import check_where
from k3push.core.remark import remark
from k3push.core.web_addresses import is_confidential

MOST_SECONDS = 7 * 24 * 3600
"""The longest wait that a setting may ask for; what is longer was meant in other units."""

# Names of a document's own number and id, in any letter case (P 6).
OWN_FIELDS = frozenset({"fbillno", "fid"})

MOST_WHOLE = (1 << 63) - 1
"""The largest whole number that the ledger and the ERP's JSON can hold."""

LONGEST_URL = 2000

FEWEST_DAYS = 30

LONGEST_SHOWN = 40

LONGEST_HOST = 253
"""Characters of the longest name of a host (RFC 1035)."""

_SERVED = re.compile(r"[0-9A-Za-z._-]+")
# What a browser shows when somebody is in the ERP: all up to the folder of its site.
_OF_BROWSER = re.compile(r"(https?://[^/?#]+(?:/[^/?#]+)*?/k3cloud)(?=[/?#]|$)", re.IGNORECASE)

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def _check_host(host: str) -> None:
    """Refuse a name that no resolver takes; looking it up would fail in odd ways.

    >>> _check_host("erp.example.com"), _check_host("2001:db8::1")
    (None, None)

    Raises:
        ValueError: It is neither a name nor an address.
    """
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            ip_address(host)
        except ValueError as error:
            raise ValueError(remark("url.bad_host", host=_shortened(host))) from error
        return
    name = host.removesuffix(".")
    if not name.isascii():
        import idna  # noqa: PLC0415  # few hosts need it

        try:
            name = idna.encode(name).decode("ascii")
        except UnicodeError:
            name = ""
    if len(name) > LONGEST_HOST or not all(map(_LABEL.fullmatch, name.split("."))):
        raise ValueError(remark("url.bad_host", host=_shortened(host)))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:  # a bracket that is not closed
        raise ValueError(remark("url.no_address")) from error


def _has_host(parts: SplitResult) -> bool:
    try:
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number
        return False


def _base_url(url: str) -> str:
    """Complete a server's address (P 1.1), or shorten one that was copied from a browser.

    >>> _base_url("https://erp.example.com")
    'https://erp.example.com/K3Cloud/'
    >>> _base_url("https://erp.example.com/k3cloud/html5/index.aspx?ud=1#a")
    'https://erp.example.com/k3cloud/'
    """
    if found := _OF_BROWSER.match(url):
        url = found[1]
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(remark("url.scheme"))
    if len(url) > LONGEST_URL or not url.isprintable():
        raise ValueError(remark("url.no_address"))
    parts = _split(url)
    if not _has_host(parts):
        raise ValueError(remark("url.no_host"))
    if parts.username is not None or parts.password is not None:
        raise ValueError(remark("url.user"))
    if parts.query or parts.fragment or any(character.isspace() for character in url):
        raise ValueError(remark("url.end"))
    _check_host(str(parts.hostname))
    url = url.rstrip("/")
    return f"{url}/" if url.lower().endswith("/k3cloud") else f"{url}/K3Cloud/"


def _yes_or_no(value: Any) -> Any:
    """Read the words for yes and no, which come as text from the environment."""
    words = {"true": True, "1": True, "false": False, "0": False}
    return words.get(value.strip().lower(), value) if isinstance(value, str) else value


def _quantity(value: Any, otherwise: Literal["int_type", "float_type"]) -> Any:
    # A bool is an int to Python, and no quantity to anybody.
    if isinstance(value, bool):
        raise PydanticKnownError(otherwise)
    return value


def _auto_or(value: Any, key: Key) -> Any:
    size = size_of("" if isinstance(value, bool) else str(value), key)
    return "auto" if size is None else size


def _halt_rule(text: str) -> str:
    HaltRule.typed(text)
    return text


def _collector(url: str) -> str:
    if url:
        parts = _split(url)
        if parts.scheme not in {"http", "https"} or not _has_host(parts):
            raise ValueError(remark("metrics.address"))
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError(remark("metrics.secret"))
        _check_host(str(parts.hostname))
    return url.rstrip("/")


def _name(text: str) -> str:
    if not text.isprintable():
        raise ValueError(remark("setting.unseen"))
    return text


def _bare_name(text: str) -> str:
    return _name(text.strip())


def _header_name(name: str) -> str:
    if name and re.fullmatch(r"[A-Za-z0-9-]+", name) is None:
        raise ValueError(remark("setting.header"))
    return name


def _whole(number: int) -> int:
    if number > MOST_WHOLE:
        raise ValueError(remark("setting.bits"))
    return number


def _issuer(url: str) -> str:
    """Refuse an address that somebody between could answer for.

    >>> _issuer("https://id.example.com/realms/erp")
    'https://id.example.com/realms/erp'
    """
    if url:
        parts = _split(url)
        if not is_confidential(url) or parts.username is not None or parts.query or parts.fragment:
            raise ValueError(remark("setting.issuer"))
    return url


def _networks(proxies: tuple[str, ...]) -> tuple[str, ...]:
    for each in proxies:
        try:
            ip_network(each)
        except ValueError as error:
            raise ValueError(remark("setting.network", text=each)) from error
    return proxies


def _source_field(name: str | None) -> str | None:
    if name is not None and name.strip().casefold() in OWN_FIELDS:
        raise ValueError(remark("route.own_field", name=name.strip()))
    return name


def _steps(steps: tuple[str, ...]) -> tuple[str, ...]:
    if steps not in {(), ("submit",), ("submit", "audit")}:
        raise ValueError(remark("route.follow"))
    return steps


def _window(text: str) -> str:
    if text:
        Window.parse(text)
    return text


def _cron(text: str) -> str:
    if text:
        check_cron(text)
    return text


def _days(text: str) -> str:
    """Refuse what is no number of days, or so few that a person may still look for the run.

    >>> _days("400d"), _days("")
    ('400d', '')
    """
    found = re.fullmatch(r"([0-9]{1,5})d", text)
    if text and (found is None or int(found[1]) < FEWEST_DAYS):
        raise ValueError(remark("setting.days", fewest=FEWEST_DAYS))
    return text


def _zone(text: str) -> str:
    zone_of(text)
    return text


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _not_blank(text: str) -> str:
    # An empty path is the configuration's own folder, with all that lies there.
    if not text.strip():
        raise ValueError(remark("setting.empty"))
    return text


def _served_name(host: str) -> str:
    """Check a name by which the dashboard is reached, as a browser sends it, without the port.

    >>> _served_name("erp.example.com"), _served_name("fd00::5")
    ('erp.example.com', 'fd00::5')
    """
    if _SERVED.fullmatch(host):
        return host
    try:
        return str(IPv6Address(host))
    except ValueError as error:
        raise ValueError(remark("setting.served_name", text=host)) from error


def parts_of_database(url: str) -> SplitResult | None:
    """Return the parts of a URL of PostgreSQL; None if it is none.

    A password with `/`, `?`, `#` or `[` in it must be written in %-codes, or it ends too early,
    and what is left of it passes for a host or a database.

    >>> parts_of_database("postgresql://u:a/b@db/k"), parts_of_database("postgresql://u:a[b@db/k")
    (None, None)
    >>> parts_of_database("postgresql://u:a%2Fb@one:1,two:2/k").username
    'u'
    """
    try:
        parts = urlsplit(url)
        if "," not in parts.netloc:
            _ = parts.port  # raises for what is no number
    except ValueError:
        return None
    rest = (parts.path, parts.query, parts.fragment)
    astray = any("@" in each for each in rest) or parts.netloc.count("@") > 1 or parts.fragment
    return None if astray else parts


def password_in(url: str) -> bool:
    """Say whether a URL of PostgreSQL holds a password.

    >>> password_in("postgresql://u:a@db/k"), password_in("postgresql://u@db/k")
    (True, False)
    """
    parts = parts_of_database(url)
    return parts is not None and bool(parts.password or "password" in parse_qs(parts.query))


def without_password(url: str) -> str:
    """Return a URL as it may be shown.

    >>> without_password("postgresql://k3push:secret@db:5432/k3push?password=secret")
    'postgresql://k3push@db:5432/k3push'
    >>> without_password("postgresql:///k3push?host=/run/postgresql")
    'postgresql:///run/postgresql/k3push'
    >>> without_password("sqlite:///ledger.db")
    'sqlite:///ledger.db'
    >>> without_password("postgresql://k3push:se/cret@db/k3push")
    'postgresql://…'
    """
    scheme = url.partition("://")[0]
    if scheme not in {"postgresql", "postgres"}:
        return url
    parts = parts_of_database(url)
    if parts is None:  # where its password begins and ends, nobody knows
        return "postgresql://…"
    user = f"{parts.username}@" if parts.username else ""
    # A socket's folder stands in the query, and so may a password.
    host = parts.netloc.rpartition("@")[2] or "".join(parse_qs(parts.query).get("host", []))
    return f"postgresql://{user}{host}{parts.path}"


Name = Annotated[str, AfterValidator(_name)]
Days = Annotated[str, AfterValidator(_days)]
FormName = Annotated[str, AfterValidator(_bare_name), Field(min_length=1)]
"""Of an account or a form. A database may pass over blanks around it, so it has none here."""
Whole = Annotated[int, BeforeValidator(partial(_quantity, otherwise="int_type"))]
Real = Annotated[float, BeforeValidator(partial(_quantity, otherwise="float_type"))]
Seconds = Annotated[Real, Field(ge=0, le=MOST_SECONDS)]
SomeSeconds = Annotated[Real, Field(gt=0, le=MOST_SECONDS)]

ErpUrl = Annotated[str, AfterValidator(_base_url)]
LedgerUrl = Annotated[str, Field(repr=False), PlainSerializer(without_password)]
CollectorUrl = Annotated[str, AfterValidator(_collector)]
YesNoOrFile = Annotated[bool | str, BeforeValidator(_yes_or_no)]
Issuer = Annotated[str, AfterValidator(_issuer)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
Networks = Annotated[tuple[str, ...], AfterValidator(_networks)]

ChunkSize = Annotated[Literal["auto"] | int, BeforeValidator(partial(_auto_or, key=Key.CHUNK_SIZE))]
Concurrency = Annotated[
    Literal["auto"] | int, BeforeValidator(partial(_auto_or, key=Key.CONCURRENCY))
]
Halt = Annotated[str, AfterValidator(_halt_rule)]
TimesOfDay = Annotated[str, AfterValidator(_window)]
CronText = Annotated[str, AfterValidator(_cron)]
TimeZone = Annotated[str, AfterValidator(_zone)]
WholeNumber = Annotated[Whole, AfterValidator(_whole), Field(ge=0)]
NotBlank = Annotated[str, AfterValidator(_not_blank)]
OneOrMore = Annotated[tuple[NotBlank, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
ServedName = Annotated[str, AfterValidator(_served_name)]

SourceField = Annotated[str | None, AfterValidator(_source_field)]
Where = Annotated[str, AfterValidator(check_where)]
Steps = Annotated[tuple[Literal["submit", "audit"], ...], AfterValidator(_steps)]
