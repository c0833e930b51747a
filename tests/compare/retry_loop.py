"""What a careful programmer writes who has not read about Push: any failure is tried again.

Each try logs in, so that a lost session is no failure for long.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import httpx
from tenacity import retry, stop_after_attempt, wait_fixed

from tests.compare.faults import ANSWER_TIMEOUT_S, CHUNK

SERVICES = "Kingdee.BOS.WebApi.ServicesStub"
TRIES = 5
WAIT_S = 0.5


@retry(stop=stop_after_attempt(TRIES), wait=wait_fixed(WAIT_S), reraise=True)
def push(url: str, drafts: str, chunk: Sequence[str]) -> None:
    """Push *chunk*.

    Raises:
        RuntimeError: The answer is no success.
    """
    with httpx.Client(base_url=url, timeout=ANSWER_TIMEOUT_S, trust_env=False) as http:
        login = {"acctID": "sandbox", "username": "sandbox", "password": "sandbox", "lcid": 2052}
        http.post(f"{SERVICES}.AuthService.ValidateUser.common.kdsvc", json=login)
        data = {
            "Numbers": chunk,
            "RuleId": "PUR_PurchaseOrder-STK_InStock",
            "IsDraftWhenSaveFail": drafts,
        }
        answer = http.post(
            f"{SERVICES}.DynamicFormService.Push.common.kdsvc",
            json={"formid": "PUR_PurchaseOrder", "data": data},
        )
        status = answer.raise_for_status().json()["Result"]["ResponseStatus"]
        if not status["IsSuccess"]:
            raise RuntimeError(status["Errors"])


def main(url: str, drafts: str, *numbers: str) -> None:
    """Push *numbers* and print a line for each."""
    for start in range(0, len(numbers), CHUNK):
        chunk = numbers[start : start + CHUNK]
        try:
            push(url, drafts, chunk)
            word = "OK"
        except Exception as error:  # noqa: BLE001  # as such scripts do
            word = f"FAILED {error!r}"
        for number in chunk:
            print(number, word, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
