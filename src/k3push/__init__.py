"""Bulk push-down (单据下推) for Kingdee K/3 Cloud (金蝶云星空), never twice.

A *number* is the bill number of a source bill; a *target* is a document that the ERP made
from it. The numbers of a *job file* travel in *chunks*; one sending of a chunk is an
*attempt*, which is in the *ledger* before it leaves. What an answer leaves open is *settled*
by asking the ERP.

Where to look:

- `core`: the rules, pure. `core.verdict.judge` says whether a chunk may travel twice,
  `core.evidence.conclude` what became of each number, `core.life` which moves are legal.
- `ports`: what the rules need from outside. `adapters`: HTTP, SQLite, job files.
- `planning`, `foreseeing`, `pushing`, `sending`, `looking`, `settling`: the use cases, most over
  a `job.Job`. `sending` is the one door to the ERP. `steering` and `controlling`: what may change
  while a run goes.
- `settings`, `reporting`, `web`, `cli`: configuration, results, the dashboard, commands.
- `simulator`: a stand-in K/3 Cloud server, which shares no code with the rest.
"""
