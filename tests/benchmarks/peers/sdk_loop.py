"""The official SDK as it is used: `Push`, `IsSuccess`, the next chunk; or so in some threads.

It makes one call a chunk, where k3push makes three: nothing is looked at before or after.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from k3cloud_webapi_sdk.main import K3CloudApiSdk  # type: ignore[import-untyped]  # it has no types

APP_ID = "sandbox_" + "A" * 32


class Sdk(threading.local):
    """An SDK for each thread, since it keeps its cookies in itself and locks nothing."""

    def __init__(self, url: str) -> None:
        self._sdk = K3CloudApiSdk(url)
        self._sdk.InitConfig("sandbox", "sandbox", APP_ID, "sandbox-secret", url)

    def push(self, chunk: Sequence[str]) -> int:
        """Push *chunk*, and return how many numbers the answer calls done."""
        data = {"Numbers": chunk, "RuleId": "PUR_PurchaseOrder-STK_InStock"}
        answer = json.loads(self._sdk.Push("PUR_PurchaseOrder", data))
        return len(chunk) if answer["Result"]["ResponseStatus"]["IsSuccess"] else 0


def main(url: str, file: str, at_once: str, size: str) -> None:
    """Push the numbers of a file; print the seconds and how many were made."""
    numbers = Path(file).read_text("utf-8").split()[1:]
    chunks = [numbers[start : start + int(size)] for start in range(0, len(numbers), int(size))]
    began_s = time.monotonic()
    sdk = Sdk(url)
    if at_once == "1":
        made = sum(sdk.push(chunk) for chunk in chunks)
    else:
        with ThreadPoolExecutor(int(at_once)) as pool:
            made = sum(pool.map(sdk.push, chunks))
    sys.stdout.write(json.dumps({"seconds": time.monotonic() - began_s, "made": made}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
