"""The pages of a number: where it is, what happened to it, and a person's word about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from k3push.core.advice import advise, code_of
from k3push.core.life import IllegalMoveError
from k3push.core.model import BillNumber, Row, Run, State
from k3push.ports import AttemptRecord, LedgerLostError, Note, RunIsAliveError
from k3push.reporting.evidence import moment, shown, words_of
from k3push.reporting.page import facts, with_code
from k3push.reporting.timeline import Say
from k3push.settling import in_doubt, settle_by_word
from k3push.web.desk import Desk, Visit
from k3push.web.pages import Frame, link, notice, number_url, table
from k3push.web.runs import run_url

LONGEST_NUMBER = 200
LONGEST_WORD = 1000

# What a person may find in the ERP, and where a number goes by it.
WORDS: Mapping[str, State] = {"pushed": State.PUSHED, "absent": State.PLANNED}

Found = tuple[Run, Row]


class NumberPages:
    """Answers what is asked of numbers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def search(self, request: Request) -> Response:
        """Find a number: one tenant's pages lead to its evidence, the overview to the tenants."""
        wanted = request.query_params.get("q", "").strip()[:LONGEST_NUMBER]
        if self._desk.several and "tenant" not in request.path_params:
            return await self._search_all(request, wanted)
        visit = await self._desk.visit(request)
        frame = replace(visit.frame, found=wanted)
        if not wanted:
            return self._desk.page(request, frame, frame.say("web.search_title"), "")
        url = number_url(visit.base, wanted)
        found = await self._rows(visit, BillNumber(wanted))
        if found and "?" not in url:
            return RedirectResponse(url, 303)
        if found:
            return await self._evidence(request, visit, BillNumber(wanted), found)
        return self._not_found(request, frame, wanted)

    async def _search_all(self, request: Request, wanted: str) -> Response:
        frame = replace(self._desk.frame(request), found=wanted)
        say = frame.say
        if not wanted:
            return self._desk.page(request, frame, say("web.search_title"), "")
        lines = []
        for tenant in self._desk.books.tenants.values():
            base = self._desk.base(tenant)
            try:
                ledger = await self._desk.books.of(tenant)
                visit = Visit(tenant, ledger, base, frame, request.state.visitor)
                found = await self._rows(visit, BillNumber(wanted))
            except LedgerLostError:
                continue  # the overview says so
            name = link(f"{base}/", tenant.name)
            lines += [[name, *_cells(run, row, base, say)] for run, row in found]
        if not lines:
            return self._not_found(request, frame, wanted)
        main = table([say("web.tenant"), *_headings(say)], lines, "rows-list")
        title = say("web.found", number=wanted)
        return self._desk.page(request, frame, title, main)

    def _not_found(self, request: Request, frame: Frame, wanted: str) -> Response:
        say = frame.say
        main = notice(say("web.not_found", number=wanted))
        return self._desk.page(request, frame, say("web.search_title"), main, status=404)

    async def number(self, request: Request) -> Response:
        """Show the evidence of a number."""
        visit = await self._desk.visit(request)
        number = BillNumber(request.path_params["number"])
        found = await self._rows(visit, number)
        if not found:
            return self._not_found(request, visit.frame, number)
        return await self._evidence(request, visit, number, found)

    async def _evidence(
        self,
        request: Request,
        visit: Visit,
        number: BillNumber,
        found: Sequence[Found],
        problem: str = "",
    ) -> Response:
        say = visit.frame.say
        mine = {run.id for run, _ in found}
        bill = next((row.bill for _, row in found if row.bill), number)
        told = [
            (kept.attempt.intent.began_at, _attempt(kept, visit))
            for kept in await visit.ledger.attempts_of(bill)
            if kept.attempt.intent.run in mine
        ]
        told += [
            (note.at, _note(note, visit))
            for note in await visit.ledger.notes_of(bill)
            if note.run in mine
        ]
        main = notice(problem)
        main += table(
            _headings(say), [_cells(run, row, visit.base, say) for run, row in found], "rows-list"
        )
        if any(row.state is State.UNKNOWN for _, row in found):
            main += _settle_form(visit, number)
        events = "".join(html for _, html in sorted(told, key=lambda each: each[0]))
        events = f'<ol class="events">{events}</ol>' if events else ""
        unsent = "" if events else f'<p class="soft">{escape(say("report.unsent"))}</p>'
        main += f"<h2>{escape(say('web.evidence'))}</h2>{events}{unsent}"
        status = 409 if problem else 200
        return self._desk.page(request, visit.frame, str(number), main, status=status)

    async def settle(self, request: Request) -> Response:
        """Take a person's word about a number in doubt: ask whether it is right, then record it."""
        visit = await self._desk.visit(request)
        say = visit.frame.say
        form: Mapping[str, str] = request.state.form
        number = BillNumber(form.get("number", "")[:LONGEST_NUMBER])
        word, because = form.get("word", ""), " ".join(form.get("because", "").split())
        found = await self._rows(visit, number)
        if not found:
            raise HTTPException(404)
        if word not in WORDS or not because:
            sentence = say("web.settle_needs")
            return await self._evidence(request, visit, number, found, sentence)
        if form.get("sure") != "yes":
            return self._ask(request, visit, number, word, because[:LONGEST_WORD])
        problem = await self._settle(visit, number, WORDS[word], because[:LONGEST_WORD], found)
        if problem:
            found = await self._rows(visit, number)
            return await self._evidence(request, visit, number, found, problem)
        return RedirectResponse(number_url(visit.base, number), 303)

    def _ask(
        self, request: Request, visit: Visit, number: BillNumber, word: str, because: str
    ) -> Response:
        say = visit.frame.say
        fields = visit.frame.hidden(number=number, word=word, because=because, sure="yes")
        main = (
            f'<p class="notice">{with_code(say(f"web.sure_{word}", number=number))}</p>'
            f"{facts({'web.because': because}, say)}"
            f'<form method="post" action="{escape(visit.base)}/settle" class="tools">{fields}'
            f'<button class="main">{escape(say("web.confirm"))}</button>'
            f"{link(number_url(visit.base, number), say('web.back'))}</form>"
        )
        return self._desk.page(request, visit.frame, say("web.sure"), main)

    async def _settle(
        self,
        visit: Visit,
        number: BillNumber,
        state: State,
        because: str,
        found: Sequence[Found],
    ) -> str:
        """Record a word in every run of the tenant that doubts; return what kept it from that."""
        mine = {run.id for run, _ in found}
        doubts = [each for each in await in_doubt(visit.ledger, number) if each[0] in mine]
        user = visit.visitor.user
        say = visit.frame.say
        if not doubts:
            return say("web.not_in_doubt", number=number)
        for run, bill in doubts:
            try:
                await settle_by_word(
                    visit.ledger, self._desk.clock, run, bill, state, because=because, user=user
                )
            except RunIsAliveError:
                return say("run_alive", run=run)
            except IllegalMoveError:
                return say("web.not_in_doubt", number=number)
            self._desk.log(
                "number.settled",
                tenant=visit.tenant.name,
                run=run,
                number=bill,
                state=state.value,
                user=user,
            )
        return ""

    async def _rows(self, visit: Visit, number: BillNumber) -> list[Found]:
        """Return the rows of a number in the tenant's runs, the oldest run first."""
        found = []
        for run_id, row in await visit.ledger.rows_of(number):
            run = await visit.ledger.run(run_id)
            if run is not None and self._desk.books.has(visit.tenant, run):
                found.append((run, row))
        return found


def _headings(say: Say) -> list[str]:
    names = ("web.run", "report.line", "report.bill", "report.state", "report.targets")
    return [say(name) for name in (*names, "report.code", "report.reason")]


def _cells(run: Run, row: Row, base: str, say: Say) -> list[str]:
    targets = ", ".join(t.number or say("explain.draft", id=t.id) for t in row.targets)
    advice = advise(code_of(row), row.reason)
    cure = f'<div class="soft">→ {with_code(say(advice.cure))}</div>' if advice else ""
    return [
        link(run_url(base, run), run.id),
        str(row.line),
        link(number_url(base, row.number), row.bill or row.number),
        f'<span class="state s-{row.state}">{row.state}</span>',
        escape(targets),
        escape(row.code),
        f"{escape(row.reason)}{cure}",
    ]


def _attempt(kept: AttemptRecord, visit: Visit) -> str:
    say, intent = visit.frame.say, kept.attempt.intent
    heading = say(
        "report.attempt",
        at=moment(intent.began_at),
        id=kept.attempt.id,
        chunk=intent.chunk,
        nth=intent.nth,
        n=len(intent.numbers),
    )
    answer = words_of(kept.exchange, say("explain.no_answer"))
    parts = [("request", shown(intent.request)), ("answer", answer)]
    bodies = "".join(
        f'<h4>{escape(say(f"report.{name}"))}</h4><pre tabindex="0">{escape(text)}</pre>'
        for name, text in parts
    )
    verdict = visit.frame.speech.kept(kept.verdict)
    said = f"<p><b>{escape(say('report.verdict'))}</b> {escape(verdict)}</p>" if verdict else ""
    return f"<li><h3>{escape(heading)}</h3>{bodies}{said}</li>"


def _note(note: Note, visit: Visit) -> str:
    text = visit.frame.speech.kept(note.text)
    return f"<li><h3>{escape(moment(note.at))}</h3><p>{escape(text)}</p></li>"


def _settle_form(visit: Visit, number: BillNumber) -> str:
    say = visit.frame.say
    choices = "".join(
        f'<label><input type="radio" name="word" value="{word}" required> '
        f"{escape(say(f'web.settle_{word}'))}</label>"
        for word in WORDS
    )
    return (
        f'<section aria-labelledby="settle"><h2 id="settle">{escape(say("web.settle"))}</h2>'
        f"<p>{with_code(say('web.settle_why'))}</p>"
        f'<form method="post" action="{escape(visit.base)}/settle" class="settle">'
        f"{visit.frame.hidden(number=number)}<fieldset><legend>{escape(number)}</legend>{choices}"
        f"</fieldset>"
        f'<label for="because">{escape(say("web.because"))}</label>'
        f'<textarea id="because" name="because" required maxlength="{LONGEST_WORD}" rows="3">'
        f"</textarea><button>{escape(say('web.go_on'))}</button></form></section>"
    )
