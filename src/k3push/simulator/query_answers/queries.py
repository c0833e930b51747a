"""ExecuteBillQuery, BillQuery and QueryBusinessInfo over the world's bills (P 6, 15.1).

A query reads bills in the order of the database. Where a filter pins a number or an
id, the store's look-ups give the candidates, so that a query by links stays quick in
a world of many bills; the whole filter is then tested on each candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from k3push.simulator.books.bills import Bill
from k3push.simulator.books.forms import Form
from k3push.simulator.books.orders import SERVICES
from k3push.simulator.books.refusals import MsgCode
from k3push.simulator.books.replica import Replica
from k3push.simulator.books.visibility import Rights
from k3push.simulator.books.world import World
from k3push.simulator.filters import And, Literal, Node, Or, Test
from k3push.simulator.query_answers.fields import Row, fields_of
from k3push.simulator.query_answers.tables import (
    DONE_TASKS,
    INSTANCES,
    OPEN_TASKS,
    RULES,
    Table,
    instances_of,
    rules_of,
    tasks_of,
)
from k3push.simulator.sandbox_options import SandboxOptions
from k3push.simulator.selecting import (
    Dialect,
    Field,
    Kind,
    Query,
    QueryError,
    Quoted,
    R,
    Value,
    read_query,
    whole,
)

# FieldType of QueryBusinessInfo; only 61, 106 and 127 are known (P 15.1).
_FIELD_TYPES = {Kind.TEXT: 167, Kind.NUMBER: 56, Kind.DATE: 61, Kind.QUANTITY: 106, Kind.BASE: 127}


class Found(NamedTuple):
    """What a query has found.

    Attributes:
        keys: Field keys, as asked for.
        rows: The selected values of each row.
        looked: The targets whose status is told.
    """

    keys: Sequence[str]
    rows: list[list[Value]]
    looked: tuple[int, ...] = ()


class Desk:
    """Answers queries about one world.

    Args:
        draft_number: What a draft shows as its number (P 5.9).

    Attributes:
        replica: What is read, where it lags behind the books.
        unloaded: Keys of fields, in lower case, that no form knows at the moment, as while a site
            loads its metadata anew.
        hollow: Keys of fields, likewise, that are listed and that queries refuse.
    """

    def __init__(
        self,
        world: World,
        options: SandboxOptions,
        draft_number: str | None = " ",
        *,
        rights: Rights | None = None,
    ) -> None:
        self._world = world
        self._limits = options.limits
        self.rights = rights or Rights()
        self.replica = Replica(in_turn=options.copies_in_turn)
        self.unloaded: frozenset[str] = frozenset()
        self._fields = {
            form.id: fields_of(form, draft_number, options) for form in world.forms.values()
        }
        self.hollow = frozenset(map(str.lower, options.hollow_fields))
        self._joins_inwardly = options.joins_inwardly
        self._dialect = Dialect(
            world.texts, world.collation, self._limits.filter_chars, Quoted(self._limits.quoted)
        )
        flows = world.documents.flows
        self._rules = rules_of(world, options)
        self._instances = instances_of(flows)
        self._tasks = {
            OPEN_TASKS.lower(): tasks_of(flows, done=False),
            DONE_TASKS.lower(): tasks_of(flows, done=True),
        }

    def rows(self, data: Mapping[str, Any], user: str = "") -> Found:
        """Answer a query.

        Args:
            data: The query, keys in lower case.

        Raises:
            QueryError: If the ERP would refuse it.
            FilterTooLongError: If the filter is longer than the server can take.
        """
        form_id = str(data.get("formid") or "").lower()
        if not self.rights.may_read(user, form_id):
            raise QueryError(MsgCode.NO_PERMISSION, self._world.texts.no_permission)
        if form_id == RULES.lower():
            return self._table(self._rules, data, user)
        if form_id == INSTANCES.lower():
            return self._table(self._instances, data, user)
        if form_id in self._tasks:
            return self._table(self._tasks[form_id], data, user)
        form = self._form(data)
        self.replica.turn()
        known = self._known(form)
        fields = {key: known[key] for key in known if key not in self.hollow}
        query = read_query(data, fields, self._dialect, self._limits.rows_for(user))
        page = query.page(
            self._rows(form, query, user), self._world.collation, ordered=_by_id(form, query)
        )
        looks = form.id in self._world.made_forms and _STATUS in map(str.lower, query.keys)
        looked = tuple(bill.id for bill, _, _ in page) if looks else ()
        return Found(query.keys, query.values(page), looked)

    def _known(self, form: Form) -> Mapping[str, Field[Row]]:
        fields = self._fields[form.id]
        return {key: fields[key] for key in fields if key not in self.unloaded}

    def _table(self, table: Table[R], data: Mapping[str, Any], user: str) -> Found:
        query = read_query(data, table.fields, self._dialect, self._limits.rows_for(user))
        return Found(query.keys, query.values(query.page(table.rows(), self._world.collation)))

    def _rows(self, form: Form, query: Query[Row], user: str) -> Iterator[Row]:
        """Give all rows that may pass a query, by the ids of bills."""
        for kept in self._candidates(form, query.tree):
            bill = self.replica.shown(kept)
            if bill is None or not self._is_shown(bill, user):
                continue
            if query.by_entry:
                for entry in bill.entries:
                    links = entry.links if query.by_link else (None,)
                    for link in links or (() if self._joins_inwardly else (None,)):
                        yield bill, entry, link
            else:
                yield bill, None, None

    def business_info(self, data: Mapping[str, Any], user: str = "") -> dict[str, Any]:
        """Describe a form: its tables with their fields, and its operations (P 15.1).

        Raises:
            QueryError: If there is no such form, or the user may not read it.
        """
        form = self._form(data)
        if not self.rights.may_read(user, form.id):
            raise QueryError(MsgCode.NO_PERMISSION, self._world.texts.no_permission)
        link = f"{form.entry_key}_Link"
        tables: dict[str, list[Field[Row]]] = {"FBillHead": [], form.entry_key: [], link: []}
        for field in self._known(form).values():
            table = form.entry_key if field.of_entry else "FBillHead"
            tables[link if field.key.startswith(f"{link}_") else table].append(field)
        parents = {"FBillHead": None, form.entry_key: "FBillHead", link: form.entry_key}
        return {
            "Id": form.id,
            "Name": _named(form.name),
            "Entrys": [
                {
                    "Key": key,
                    "Name": _named(key),
                    "TableName": form.entry_table if key == form.entry_key else f"T_{key}".upper(),
                    "ParentKey": parents[key],
                    "EntryName": key.removeprefix("F"),
                    "EntryPkFieldName": "FID" if key == "FBillHead" else "FEntryID",
                    "Fields": [_told(field) for field in fields],
                }
                for key, fields in tables.items()
                if fields
            ],
            "Operations": [
                {"OperationNumber": service.title(), "OperationName": _named(service)}
                for service in sorted(SERVICES)
            ],
        }

    def _form(self, data: Mapping[str, Any]) -> Form:
        key = str(data.get("formid") or "")
        form = self._world.forms.get(key.lower())
        if form is None:
            text = self._world.texts.no_such_form.replace("{value}", key)
            raise QueryError(MsgCode.EXCEPTION, text)
        return form

    def _is_shown(self, bill: Bill, user: str) -> bool:
        if bill.form.id in self._world.made_forms:
            return self.rights.shows(user, bill)
        return bill.org not in self.rights.unseen_orgs

    def _candidates(self, form: Form, tree: Node | None) -> Iterable[Bill]:
        pinned = None if tree is None else self._pinned(form, tree)
        if pinned is None:
            return self._world.store.of_form(form, _least_id(tree) - 1)
        return [pinned[key] for key in sorted(pinned)]

    def _pinned(self, form: Form, node: Node) -> dict[int, Bill] | None:
        """Give bills by id that hold all that *node* lets through, or None for any bill."""
        if isinstance(node, And):
            each = (self._pinned(form, part) for part in node.parts)
            return next((bills for bills in each if bills is not None), None)
        if isinstance(node, Or):
            union: dict[int, Bill] = {}
            for part in node.parts:
                bills = self._pinned(form, part)
                if bills is None:
                    return None
                union |= bills
            return union
        if isinstance(node, Test) and node.operator in {"=", "in"}:
            key = node.field.lower()
            look_up = self._look_up(form, key)
            if look_up is not None:
                # What a draft shows as its number is not what the store knows it by.
                drafts = self._world.store.by_number(form, "") if key == "fbillno" else ()
                found = {bill.id: bill for value in node.values for bill in look_up(value)}
                return found | {bill.id: bill for bill in drafts}
        return None

    def _look_up(self, form: Form, key: str) -> Callable[[Literal], Sequence[Bill]] | None:
        store = self._world.store
        if key == "fbillno":
            return lambda value: store.by_number(form, str(value))
        if key == "fid":
            return lambda value: _present(store.by_id(form, whole(value)))
        if key in {field.lower() for field in form.source_fields}:
            return lambda value: store.by_source_number(form, str(value))
        if key == f"{form.entry_key}_Link_FSBillId".lower():
            return lambda value: store.by_source_id(form, whole(value))
        return None


_ID = "fid"
_STATUS = "fdocumentstatus"


def _by_id(form: Form, query: Query[Row]) -> bool:
    """Tell whether rows are asked for as they come: by the ids of bills and then of entries."""
    if not query.order:
        return True
    (first, descends), *others = query.order
    if first.key.lower() != _ID or descends:
        return False
    # Where each bill has one row, what it is sorted by after the id moves nothing.
    in_order = {f"{form.entry_key}_{key}".lower() for key in ("FEntryId", "FSeq")}
    return not query.by_entry or all(
        field.key.lower() in in_order and not descending for field, descending in others
    )


def _least_id(node: Node | None) -> int:
    """Give an id below which no bill passes a filter."""
    if isinstance(node, And):
        return max(map(_least_id, node.parts))
    if isinstance(node, Test) and node.field.lower() == _ID and node.operator in {">", ">="}:
        bound = node.values[0]
        return 0 if isinstance(bound, str) else whole(bound) + (node.operator == ">")
    return 0


def _named(name: str) -> list[dict[str, Any]]:
    return [{"Key": 2052, "Value": name}]


def _told(field: Field[Row]) -> dict[str, Any]:
    return {
        "Key": field.key,
        "Name": _named(field.name),
        "FieldType": _FIELD_TYPES[field.kind],
        "MustInput": False,
    }


def _present(bill: Bill | None) -> tuple[Bill, ...]:
    return () if bill is None else (bill,)
