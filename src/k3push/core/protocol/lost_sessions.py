"""By what a lost session is known (P 3.1-3.3)."""

from __future__ import annotations

from k3push.core.protocol.response_status import ResponseStatus

# Looked at only where MsgCode is absent, and only as a whole message: the words
# also stand in validation errors ("InteractionContext is null") and may stand in data.
LOST_SESSION_MESSAGES = frozenset(
    {
        "context is null",
        "会话信息已丢失，请重新登录",
        "会话信息已丢失,请重新登录",
        "会话已失效，请重新登录",
        "会话已失效,请重新登录",
        "session 已失效",
        "会话已过期",
    }
)
LOST_SESSION_CODE = "1"


def is_lost_session(*statuses: ResponseStatus | None) -> bool:
    """Say whether statuses have the structure of a lost session (rule 4).

    IsSuccess false, no SuccessEntitys anywhere, and MsgCode 1 or, where MsgCode is absent,
    nothing but a whole message from the known list.
    """
    seen = [status for status in statuses if status is not None]
    if not seen or seen[0].success or any(status.worked for status in seen):
        return False
    first = seen[0]
    if first.code:
        return first.code == LOST_SESSION_CODE
    messages = {message.strip().lower() for message in first.errors}
    return bool(messages) and messages <= LOST_SESSION_MESSAGES
