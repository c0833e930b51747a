"""The pages of a number: where it is, what happened to it, and a person's word about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from k3push.core.model import BillNumber, Run, RunId, State
from k3push.core.remark import remark
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.ports import Ledger, RunIsAliveError
from k3push.runs.control import left_to_another
from k3push.runs.doubts.word_of_person import doubts_meant, kinds_of, settle_by_word
from k3push.runs.kept_in_ledger.row_pages import FollowedRow, advice_of
from k3push.runs.problem import Problem
from k3push.web.pages.bill_history import events_of
from k3push.web.pages.page_context import PageContext, Visit
from k3push.web.pages.page_frame import Frame, number_url, whole
from k3push.web.pages.run_sections import is_left_to_person
from k3push.web.pages.tenant_search import Answer, Found, TenantSearch, parts_of, rows_of
from k3push.words.language import Say

LONGEST_NUMBER = 200
LONGEST_WORD = 1000

# What a person may find in the ERP, and where a number goes by it.
WORDS: Mapping[str, State] = {"pushed": State.PUSHED, "absent": State.PLANNED}


class NumberPages:
    """Answers what is asked of numbers."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk

    async def search(self, request: Request) -> Response:
        """Find a number: one tenant's pages lead to its evidence, the overview to the tenants.

        What is no whole number is looked for as a part of one, of a document or of a cause.
        """
        wanted = request.query_params.get("q", "").strip()[:LONGEST_NUMBER]
        if self._desk.several and "tenant" not in request.path_params:
            return await self._search_all(request, wanted)
        visit = await self._desk.visit(request)
        if not wanted:
            return self._page(request, replace(visit.frame, found=wanted))
        url = number_url(visit.base, wanted)
        if found := await rows_of(visit.ledger, BillNumber(wanted)):
            if "?" not in url:
                return RedirectResponse(url, 303)
            return await self._evidence(request, visit, BillNumber(wanted), found)
        return await self._parts(request, visit, wanted)

    async def _parts(self, request: Request, visit: Visit, wanted: str) -> Response:
        """Show what a tenant has of what is no number of its bills: a document's, or a part."""
        answer = await parts_of(visit.tenant, visit.base, visit.ledger, wanted)
        some = answer.found or answer.runs or answer.plans
        frame = replace(visit.frame, found=wanted)
        return self._answers(request, frame, [answer] if some else [])

    async def _search_all(self, request: Request, wanted: str) -> Response:
        frame = replace(self._desk.frame(request), found=wanted)
        if not wanted:
            return self._page(request, frame)
        tenants = self._desk.tenants_of(request.state.visitor)
        asked = request.query_params
        search = TenantSearch(self._desk, tenants, wanted, in_parts="parts" in asked)
        await search.go_on(whole(asked.get("from", "0")))
        return self._answers(request, frame, search.answers, search.rest, search.searched)

    def _answers(
        self,
        request: Request,
        frame: Frame,
        answers: Sequence[Answer],
        rest: Mapping[str, str] | None = None,
        searched: int = 0,
    ) -> Response:
        """Show what was found; *rest* is where a search of many tenants goes on."""
        if not (rest or answers):
            return self._not_found(request, frame, frame.found)
        found = [
            (each.tenant, each.base, _with_cures(each.found, frame.say))
            for each in answers
            if each.found
        ]
        runs = [(each.base, run) for each in answers for run in each.runs]
        plans = [(each.base, plan) for each in answers for plan in each.plans]
        known = {"found": found, "runs": runs, "plans": plans}
        return self._page(request, frame, **known, rest=rest, searched=searched)

    def _page(self, request: Request, frame: Frame, **values: Any) -> Response:
        """Show the page of the search; where nothing is asked for, its field alone."""
        nothing: dict[str, Any] = {"found": [], "runs": [], "plans": [], "rest": None}
        known = {**nothing, "searched": 0, "several": self._desk.several, **values}
        return self._desk.page(request, frame, "search.html", **known)

    def _not_found(self, request: Request, frame: Frame, wanted: str) -> Response:
        text = frame.say("web.not_found", number=wanted)
        return self._desk.notice(request, frame, "web.search_title", text, 404)

    async def number(self, request: Request) -> Response:
        """Show the evidence of a number."""
        visit = await self._desk.visit(request)
        number = BillNumber(request.path_params["number"])
        found = await rows_of(visit.ledger, number)
        if not found:  # what waits, or was refused a step, is named by the document
            return await self._parts(request, visit, number[:LONGEST_NUMBER])
        return await self._evidence(request, visit, number, found)

    async def _evidence(
        self,
        request: Request,
        visit: Visit,
        number: BillNumber,
        found: Sequence[Found],
    ) -> Response:
        say = visit.frame.say
        problem = self._desk.problem(request)
        rows = [(run.id, each.row) for run, each in found]
        doubts = [(run.id, each.row.bill) for run, each in found if _is_in_doubt(each)]
        doubting = [run for run, _ in doubts]
        kinds = await kinds_of(visit.ledger, doubts) if doubts else {}
        routes = {run.id: run.route.name for run, _ in found}
        which = [(f"{run} {bill}", f"{routes[run]}, {bill}") for (_, bill), run in kinds.items()]
        return self._desk.page(
            request,
            visit.frame,
            "number.html",
            problem=problem,
            number=number,
            found=_with_cures(found, say, await _left_to_person(visit.ledger, found)),
            in_doubt=bool(doubting),
            sent=_sent(found),
            # One word is about one bill and one kind of document.
            which=which if len(which) > 1 else (),
            # It settles its doubts by itself.
            under_way=[
                say.said(await left_to_another(visit.ledger, run))
                for run in doubting
                if await visit.ledger.is_alive(run)
            ],
            words=WORDS,
            longest_word=LONGEST_WORD,
            events=await events_of(visit.ledger, rows, say),
        )

    async def settle(self, request: Request) -> Response:
        """Take a person's word about a number in doubt: ask whether it is right, then record it."""
        visit = await self._desk.visit(request)
        form: Mapping[str, str] = request.state.form
        number = BillNumber(form.get("number", "")[:LONGEST_NUMBER])
        word, because = form.get("word", ""), " ".join(form.get("because", "").split())
        which = form.get("which", "")[:LONGEST_NUMBER]
        found = await rows_of(visit.ledger, number)
        if not found:
            raise HTTPException(404)
        if word not in WORDS or not because:
            return self._desk.back(
                visit, number_url(visit.base, number), remark("web.settle_needs")
            )
        if form.get("sure") != "yes":
            return self._desk.page(
                request,
                visit.frame,
                "confirm_settle.html",
                number=number,
                word=word,
                because=because[:LONGEST_WORD],
                which=which,
                sent=form.get("sent", ""),
            )
        problem = await self._settle(
            visit,
            number,
            WORDS[word],
            because[:LONGEST_WORD],
            found,
            which=which,
            sent=form.get("sent", ""),
        )
        if problem:
            return self._desk.back(visit, number_url(visit.base, number), problem)
        return RedirectResponse(number_url(visit.base, number), 303)

    async def _settle(
        self,
        visit: Visit,
        number: BillNumber,
        state: State,
        because: str,
        found: Sequence[Found],
        *,
        which: str,
        sent: str,
    ) -> str:
        """Record a word in every run of the tenant that doubts; return what kept it, as a remark.

        *which* names the run and the bill that it is about, where the number is in doubt twice;
        *sent* is `_sent` of what the person was shown.
        """
        attempts = {(run.id, each.row.bill): each.row.attempts for run, each in found}
        user = visit.visitor.user
        run_id, _, bill_key = which.partition(" ")
        try:
            meant = await doubts_meant(
                visit.ledger, BillNumber(bill_key or number), RunId(run_id) if run_id else None
            )
        except Problem as problem:
            return str(problem)
        doubts = [each for each in meant if each in attempts]
        if not doubts:
            return remark("web.not_in_doubt", number=number)
        if sent != _sent(found):
            return remark("web.sent_since", number=number)
        for run, bill in doubts:
            try:
                await settle_by_word(
                    visit.ledger,
                    self._desk.clock,
                    run,
                    bill,
                    state,
                    because=because,
                    user=user,
                    attempts=attempts[run, bill],
                )
            except RunIsAliveError:
                return await left_to_another(visit.ledger, run)
            except IllegalMoveError:
                return remark("web.not_in_doubt", number=number)
            self._desk.log(
                "number.settled",
                tenant=visit.tenant.name,
                run=run,
                number=bill,
                state=state.value,
                user=user,
            )
        if (workshop := visit.tenant.workshop) is not None:
            await workshop.tell_again(visit.ledger, list(dict.fromkeys(run for run, _ in doubts)))
        return ""


def _sent(found: Sequence[Found]) -> str:
    """Return which calls a word is about: a later one may make what nobody has looked for."""
    doubts = [(run.id, each.row) for run, each in found if _is_in_doubt(each)]
    return " ".join(f"{run}/{row.place}:{row.attempts}" for run, row in doubts)


def _is_in_doubt(found: FollowedRow) -> bool:
    return found.row.state is State.UNKNOWN


async def _left_to_person(ledger: Ledger, found: Sequence[Found]) -> set[RunId]:
    """Return the runs that have ended with a doubt about the number that no look can settle."""
    doubting = [run for run, each in found if _is_in_doubt(each)]
    return {run.id for run in doubting if await is_left_to_person(ledger, run)}


def _with_cures(
    found: Sequence[Found], say: Say, left: Collection[RunId] = ()
) -> list[tuple[Run, FollowedRow, str]]:
    """Put what helps beside each row, of doubts in *left* what a person does."""
    advices = [
        advice_of(each, hopeless=_is_in_doubt(each) and run.id in left) for run, each in found
    ]
    cures = [say(advice.cure) if advice else "" for advice in advices]
    return [(run, each, cure) for (run, each), cure in zip(found, cures, strict=True)]
