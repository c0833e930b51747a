"""Tokens of programs, as a person makes and revokes them."""

from __future__ import annotations

import json
import re

from tests.cli.terminal import SALES_ROUTE, Desk


def test_a_token_is_printed_once_and_listed_without_itself(desk: Desk) -> None:
    """Standard output holds the token alone, so that a script can take it."""
    desk.configure("http://127.0.0.1:9/K3Cloud/")
    made = desk.k3push("token", "add", "wms", "--role", "approve", "--rate", "60")
    assert made.exit == 0, made
    token = made.out.strip()
    assert re.fullmatch(r"k3push_[A-Za-z0-9_-]{43}", token)
    assert "po-instock" in made.err
    listed = desk.k3push("token", "list")
    assert ("wms" in listed.out, token in listed.text) == (True, False)
    (told,) = json.loads(desk.k3push("token", "list", "--json").out)
    assert (told["route"], told["role"], told["rate"], told["revoked_at"]) == (
        "po-instock",
        "approve",
        60,
        None,
    )
    again = desk.k3push("token", "add", "wms", "--role", "view")
    assert (again.exit, "Revoke it first" in again.err) == (2, True)
    assert desk.k3push("token", "revoke", "wms").exit == 0
    (told,) = json.loads(desk.k3push("token", "list", "--json").out)
    assert told["revoked_at"]


def test_a_list_of_nobody_says_how_a_program_gets_a_token(desk: Desk) -> None:
    """Where nothing is printed, nobody knows whether the command has worked."""
    desk.configure("http://127.0.0.1:9/K3Cloud/")
    assert desk.k3push("run", desk.job(["CGDD0000001"])).exit == 6
    none = desk.k3push("token", "list")
    assert (none.exit, none.out, "k3push token add" in none.err) == (0, "", True), none
    assert desk.k3push("token", "list", "--json").out == "[]\n"


def test_the_list_is_cut_nowhere_and_says_times_alike(desk: Desk) -> None:
    """A terminal of eighty columns, or a pipe, shows each name, role and time whole."""
    desk.configure("http://127.0.0.1:9/K3Cloud/")
    name = "warehouse-management-system.of-the-north"
    assert desk.k3push("token", "add", name, "--role", "approve").exit == 0
    assert desk.k3push("token", "revoke", name).exit == 0
    head, line = desk.k3push("token", "list").out.splitlines()
    assert head.split() == ["program", "route", "role", "a", "minute", "made", "revoked"]
    day = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{name} +po-instock +approve +600 +{day} +{day}", line.strip())


def test_what_a_token_may_not_say_is_refused(desk: Desk) -> None:
    """A program pushes by one route, which must be there and, of several, be named."""
    desk.configure("http://127.0.0.1:9/K3Cloud/")
    desk.write("config.toml", (desk.folder / "config.toml").read_bytes() + SALES_ROUTE.encode())
    unnamed = desk.k3push("token", "add", "wms", "--role", "view")
    assert (unnamed.exit, "po-instock" in unnamed.err) == (2, True)
    assert desk.k3push("token", "add", "wms", "--role", "view", "--route", "none").exit == 2
    assert desk.k3push("token", "add", "wms", "--role", "all", "--route", "po-instock").exit == 2
    assert desk.k3push("token", "add", "a b", "--role", "view", "--route", "po-instock").exit == 2
    assert desk.k3push("token", "add", "w", "--role", "view", "--route", "so-outstock").exit == 0
    assert desk.k3push("token", "revoke", "nobody").exit == 2
