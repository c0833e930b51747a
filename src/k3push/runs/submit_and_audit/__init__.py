"""Documents are submitted and audited (提交, 审核) after their push, as a route's `follow` asks.

One task takes the documents that are due, reads how they stand, and makes one call for those that
take the same step. After the call it reads again: the status decides, never the answer
(`core.safety.document_steps`). What a lost answer leaves open is read until the window has passed,
as a push is.

Each part of that is a module, and owns what it says of the documents:

    follower    Follower    nothing: the cycle of reading and calling, and the parts below
    under_way   UnderWay    the documents on their way, what was tried with each, and the ended ones
    enrolment   Enrolment   where documents come from: pushes of this execution, and the ledger
    ownership   Ownership   whose they are: as whom our pushes make them, and which have twins
    step_reads  StepReads   how they stand, past copies of the database that lag behind
    step_calls  StepCalls   one call and what came of it: its size, its limits, the halt rule
    step_doubts StepDoubts  since when answers are lost, and what became of their documents

They share one event loop with all tasks of an execution (`runs.engine`), and `UnderWay`. The call
itself goes through the one door (`runs.sending.attempt.send_step`).
"""
