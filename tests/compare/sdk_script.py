"""What the examples of the official SDK lead to: push, read `IsSuccess`, print, go on.

An exception is caught and printed, so that one bad call does not end the night's work.
"""

from __future__ import annotations

import json
import sys

from k3cloud_webapi_sdk.main import K3CloudApiSdk  # type: ignore[import-untyped]  # it has no types

from tests.compare.faults import ANSWER_TIMEOUT_S, CHUNK

APP_ID = "sandbox_" + "A" * 32


def main(url: str, drafts: str, *numbers: str) -> None:
    """Push *numbers* and print a line for each."""
    sdk = K3CloudApiSdk(url, ANSWER_TIMEOUT_S)
    sdk.InitConfig("sandbox", "sandbox", APP_ID, "sandbox-secret", url)
    for start in range(0, len(numbers), CHUNK):
        chunk = numbers[start : start + CHUNK]
        data = {
            "Numbers": chunk,
            "RuleId": "PUR_PurchaseOrder-STK_InStock",
            "IsDraftWhenSaveFail": drafts,
        }
        try:
            answer = json.loads(sdk.Push("PUR_PurchaseOrder", data))
            status = answer["Result"]["ResponseStatus"]
            word = "OK" if status["IsSuccess"] else f"FAILED {status['Errors']}"
        except Exception as error:  # noqa: BLE001  # as such scripts do
            word = f"FAILED {error!r}"
        for number in chunk:
            print(number, word, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
