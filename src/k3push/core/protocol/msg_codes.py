"""MsgCodes by which something is decided (P 4.3)."""

from __future__ import annotations

NO_RIGHT = "2"
EDIT_LOCK = "13"
CALL_LIMIT = "14"
LICENCE = "7"
ABOUT_NO_BILL = frozenset({CALL_LIMIT, LICENCE})
"""Codes of a limit on calls, and of one on licences in use.

Either may pass by itself, and need not be about any bill.
"""
TRY_LATER_CODES = frozenset({EDIT_LOCK}) | ABOUT_NO_BILL
