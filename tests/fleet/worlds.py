"""Many sandboxes in one process, each with its own books: the ERPs of a fleet's tenants.

    python -m tests.fleet.worlds --tenants 30 --orders 2000 --seed 1 --faults night.toml

Prints one address a line. `GET sandbox/truth` of each tells what really happened.
"""

from __future__ import annotations

import argparse
import gc
import sys
from functools import partial

import anyio

from k3push.simulator import SandboxOptions, build, serve
from k3push.simulator.sign_in import Accounts


async def _serve_all(tenants: range, orders: int, faults: str, seed: int, latency_s: float) -> None:
    # Millions of objects that stay are not looked through again and again.
    gc.disable()
    sites = [
        build(
            SandboxOptions(
                orders=orders,
                blocked=0,
                seed=seed + tenant,
                faults=faults,
                latency_s=latency_s,
                accounts=Accounts(acct_id=f"world{tenant:02d}"),
            )
        )
        for tenant in tenants
    ]
    gc.freeze()
    gc.enable()

    def started(address: str) -> None:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()

    async with anyio.create_task_group() as tasks:
        for site in sites:
            tasks.start_soon(partial(serve, site, port=0, started=started))


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=30)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--faults", default="none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--first", type=int, default=0, help="number of the first account")
    options = parser.parse_args()
    anyio.run(
        _serve_all,
        range(options.first, options.first + options.tenants),
        options.orders,
        options.faults,
        options.seed,
        options.latency,
    )


if __name__ == "__main__":
    main()
