"""The commands in `--help`, in groups by what a person is about to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

if TYPE_CHECKING:
    from k3push.words.language import Say

GROUPS: dict[str, tuple[str, ...]] = {
    "begin": ("demo", "sandbox", "init", "login", "check", "completion"),
    "push": ("select", "plan", "apply", "run", "resume", "retry", "settle", "follow"),
    "look": ("status", "runs", "explain", "report", "export", "audit-dups", "rules"),
    "steer": ("control", "serve", "token"),
    "operate": ("schedule", "ledger"),
    "tenants": ("enqueue", "worker", "fleet"),
}
"""The commands of each group, in the order in which they are shown."""


def grouped(say: Say) -> type[TyperGroup]:
    """Return the class of a command whose commands are shown in groups."""

    class Grouped(TyperGroup):
        def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # typer's own
            width = max(map(len, self.commands))
            for group, names in GROUPS.items():
                limit = formatter.width - 6 - width
                rows = [
                    (name.ljust(width), self.commands[name].get_short_help_str(limit))
                    for name in names
                ]
                with formatter.section(say(f"framework.group.{group}")):
                    formatter.write_dl(rows)

    return Grouped
