from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.protocol.cookies import can_carry, take_up

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
SESSION = "kdservice-sessionid"


def taken(*lines: bytes, **before: str) -> dict[str, str]:
    """Return the cookies after an answer."""
    cookies = dict(before)
    take_up(cookies, lines, NOW)
    return cookies


@pytest.mark.parametrize(
    "lines",
    [
        (b"kdservice-sessionid=old; path=/", b"kdservice-sessionid=new; path=/K3Cloud"),
        (b"kdservice-sessionid=old; domain=a.example", b"kdservice-sessionid=new"),
        (b"kdservice-sessionid=old", b"\tkdservice-sessionid = new ;HttpOnly"),
        (b"kdservice-sessionid=new", b"kdservice-sessionid"),
        (b"kdservice-sessionid=new", b"kdservice-sessionid=\xe4\xbc\x9a"),
        (b"kdservice-sessionid=new", b"kdservice-sessionid=a\x00b"),
    ],
)
def test_the_last_value_of_a_name_counts(lines: tuple[bytes, ...]) -> None:
    """Whatever path or domain it is for; what cannot be carried is no value."""
    assert taken(*lines) == {SESSION: "new"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b";",
        b"=",
        b"=value",
        b"token",
        b"token; path=/",
        b"a b=1",
        b"a\x7f=1",
        b"a=\xff",
        b"a=\n",
    ],
)
def test_what_no_header_can_carry_is_passed_over(line: bytes) -> None:
    """The session does not depend on it."""
    assert taken(line, kept="1") == {"kept": "1"}


def test_odd_values_that_a_header_can_carry_come_back_as_they_are() -> None:
    """They are the server's own affair."""
    assert taken(b'a="x y"', b"b=", b"c=1=2==", b"d=1,2") == {
        "a": '"x y"',
        "b": "",
        "c": "1=2==",
        "d": "1,2",
    }


@pytest.mark.parametrize(
    ("attributes", "deletes"),
    [
        (b"Max-Age=0", True),
        (b"path=/; max-age = 000", True),
        (b"Max-Age=-1", True),
        (b"Max-Age=60", False),
        (b"Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", False),
        (b"Max-Age=soon; Expires=Thu, 01-Jan-1970 00:00:00 GMT", True),
        (b"Expires=Tue, 12 Oct 1999 00:00:00 GMT", True),
        (b"Expires=Fri, 02 Jan 2099 00:00:00 GMT", False),
        (b"Expires=never", False),
        (b"Expires=", False),
        (b"Max-Age", False),
    ],
)
def test_a_cookie_that_is_over_is_deleted(attributes: bytes, *, deletes: bool) -> None:
    """Servers end a session so."""
    assert taken(b"a=x; " + attributes, a="1") == ({} if deletes else {"a": "x"})


@given(
    st.lists(
        st.binary(max_size=40)
        | st.binary(max_size=40).map(lambda rest: b"a=1; expires=" + rest)
        | st.text("0123456789:,- GMTJanFeb+", max_size=40).map(
            lambda text: f"a=1; expires={text}".encode()
        ),
        max_size=5,
    )
)
def test_any_lines_give_cookies_that_can_be_carried(lines: list[bytes]) -> None:
    """Nothing that a server sets is an error."""
    for name, value in taken(*lines).items():
        assert name.isascii()
        assert name.isprintable()
        assert not set("=; ") & set(name)
        assert can_carry(value)
