"""What is done from the page of a run whose documents are submitted and approved."""

from __future__ import annotations

import re
from pathlib import Path

from k3push.core.model import Follow
from k3push.runs.kept_in_ledger.request_stages import acts_about
from k3push.simulator import build
from k3push.simulator.books.orders import Operation
from k3push.simulator.books.refusals import MsgCode, Refusal
from k3push.simulator.fault_plans.script import FaultPlan
from tests.runs.office import orders, sandbox
from tests.web.shop import Shop, press, signed_in
from tests.web.test_pushes import played, pushed, text_of
from tests.web.visits import House

FOLLOWS = 'follow = ["submit", "audit"]\n'


def test_what_was_refused_after_the_push_is_sent_on_from_its_page(tmp_path: Path) -> None:
    """Its cause has a list and no retry, which would push a bill that has its document."""
    refused = {
        (Operation.AUDIT, orders(1)[0]): Refusal(MsgCode.INVALID, "更新库存出现异常情况"),
    }
    shop = Shop(tmp_path, more=FOLLOWS, site=build(sandbox(FaultPlan(refused_follow=refused))))

    async def visit(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li, signed_in(home, "wang") as wang:
            run = await pushed(shop, li, *orders(3))
            url = f"/runs/{run}"
            page = await wang.get(url)
            assert "更新库存出现异常情况" in page.text
            assert (f"{url}/follow" in page.text, f"{url}/retry" in page.text) == (True, False)
            cause = re.search(r"cause\.csv\?cause=([0-9a-f]+)", page.text)
            assert cause is not None
            told = (await wang.get(f"{url}/files/cause.csv?cause={cause[1]}")).text
            assert [line.split(",")[1] for line in told.splitlines()[1:]] == orders(1)
            shop.site.world.allow(orders(1)[0])
            assert (await press(wang, url, f"{url}/follow")).status_code == 303
            asked = await shop.until("ended")
            assert asked.id == f"follow-{run}-2"
            assert await shop.ledger.document_counts(run) == {Follow.APPROVED: 3}
            acts = [(act.by, act.what) for act in await acts_about(shop.ledger, run)]
            assert acts[-1] == ("wang", "follow")
            page = await wang.get(url)
            assert "asked for documents to be submitted and approved" in text_of(page)
            assert f"{url}/follow" not in page.text

    played(visit, shop)


def test_a_run_whose_route_takes_no_steps_is_not_followed(tmp_path: Path) -> None:
    """A button that does nothing is not there."""

    async def visit(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            run = await pushed(shop, li, *orders(2))
            assert f"/runs/{run}/follow" not in (await li.get(f"/runs/{run}")).text

    played(visit, Shop(tmp_path))
