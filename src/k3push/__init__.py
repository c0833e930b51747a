"""Bulk push-down (单据下推) for Kingdee K/3 Cloud (金蝶云星空), never twice.

A *number* is the bill number of a source bill; a *target* is a document that the ERP made
from it. The numbers of a *job file* travel in *chunks*; one sending of a chunk is an
*attempt*, which is in the *ledger* before it leaves. What an answer leaves open is *settled*
by asking the ERP.

Where to look:

- `core`: the rules, pure. `core.safety.verdict.judge` says whether a chunk may travel twice,
  `core.safety.evidence.conclude` what became of each number, `core.safety.life` which moves are
  legal; `core.protocol` speaks the ERP's language, `core.pacing` says how much is sent when.
- `ports`: what the rules need from outside. `adapters`: HTTP, ledgers, job files.
- `runs`: the use cases. `runs.execute` executes a run; `runs.engine` holds the tasks that go on
  side by side; `runs.attempt` is the one door to the ERP.
- `config`, `words`, `wiring`: settings, sentences, and settings made into objects.
- `reporting`, `web`, `fleet`, `cli`: results, the dashboard, many machines, commands.
- `simulator`: a stand-in K/3 Cloud server, which shares no code with the rest.
"""
