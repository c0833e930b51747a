"""Where the list of a request comes from, and how it is read: particulars that it carries along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from k3push.core.model import FolderFile
from k3push.runs.kept_in_ledger.request_stages import Request
from k3push.wiring.job_lists import JobOptions

_READING = ("route", "column", "sheet", "skip_bad_lines")


def reading_of(request: Request) -> JobOptions:
    """Return how the lists of a request are read."""
    return JobOptions(**{key: request.how[key] for key in _READING if key in request.how})


def origin_of_reading(how: JobOptions) -> dict[str, Any]:
    """Return what says how a list is read."""
    return {key: getattr(how, key) for key in _READING}


def origin_of_selection() -> dict[str, Any]:
    """Return what says that a list is what its route selects."""
    return {"selects": True}


def origin_of_file(file: FolderFile | None) -> dict[str, Any]:
    """Return what says that a list is a file of a folder, which is pushed once."""
    return {"file": asdict(file)} if file else {}


def called(request: Request) -> str:
    """Return what a list is called in place of its file: a program's by its key; "" by the file."""
    return str(request.how.get("called", ""))


def is_selected(request: Request) -> bool:
    """Say whether the list of a request is what its route selects."""
    return bool(request.how.get("selects"))


def file_of(request: Request) -> FolderFile | None:
    """Return the file of a folder that the list of a request is, or None."""
    file: Mapping[str, str] | None = request.how.get("file")
    return FolderFile(**file) if file else None


def to_be_approved(request: Request) -> dict[str, Any]:
    """Return how a request's list is read by a person who asks again, and so needs approval."""
    return {**request.how, "approved": False}
