"""Tables on narrow screens: every cell says its column, and nothing runs out of the window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import Browser

from contracts.money import Money
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.portal.tables import LEAST_COLUMNS, with_labels
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import served, visit
from tests.exchange.test_portal_pages import someone
from tests.settlement.settlement_factory import invoiced, paid
from tests.settlement.test_refunds import bought

NARROW = {"width": 400, "height": 800}
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
# The cells of cards that are narrower than a few words, or run out of the window.
CRAMPED = """() => [...document.querySelectorAll('.cards tr > *')]
  .filter(cell => cell.closest('tbody, tfoot') && cell.textContent.trim())
  .filter(cell => { const box = cell.getBoundingClientRect();
    return box.width < 200 || box.right > innerWidth + 1; })
  .map(cell => cell.outerHTML.slice(0, 200))"""


def table(labels: list[str], cells: list[str], attributes: str = "") -> str:
    head = "".join(f'<th scope="col">{one}</th>' for one in labels)
    row = "".join(f"<td>{one}</td>" for one in cells)
    return f"<table{attributes}><thead><tr>{head}</tr></thead><tbody><tr>{row}</tr></tbody></table>"


@given(st.lists(st.sampled_from(["Amount", "收款方", "Due on", "A &amp; B"]), max_size=6))
def test_each_cell_gets_the_head_of_its_column(labels: list[str]) -> None:
    page = with_labels(table(labels, ["x"] * len(labels)))
    wanted = [f'<td data-label="{one}">x</td>' for one in labels]
    if len(labels) < LEAST_COLUMNS:
        assert "data-label" not in page
    else:
        assert page.count("data-label") == len(labels) and "".join(wanted) in page


@pytest.mark.parametrize(
    "page",
    [
        "<p>no table</p>",
        table(["a", "b", "c"], ["1", "2", "3"], ' class="heat"'),
        "<table><tbody><tr><td>no head</td></tr></tbody></table>",
        "<table><thead><tr><th>a</th></tr><tr><th>b</th></tr></thead></table>",
    ],
    ids=["none", "own-class", "headless", "two-heads"],
)
def test_what_is_no_plain_table_stays_as_it_is(page: str) -> None:
    assert with_labels(page) == page


def test_a_cell_over_several_columns_has_no_label_and_those_after_it_have_theirs() -> None:
    page = table(["a", "b", "c"], ["1", "2", "3"]).replace(
        "<td>1</td><td>2</td>", '<td colspan="2">1</td>'
    )
    assert '<td colspan="2">1</td><td data-label="c">3</td>' in with_labels(page)


async def test_the_money_s_pages_are_read_on_a_narrow_screen(
    context: Context, db: Database, browser: Browser
) -> None:
    now = clock.now()
    bought_trade, _, _, _ = await bought(db)
    async with db.transaction() as session:
        trade = await invoiced(session, price=Money(120_000_001, "CNY"), now=now)
        await paid(session, trade, now=now)
        buyer = await person(session, party_id=trade.buyer.id, role="broadcaster", now=now)
    approver = await someone(context, "approver")
    pages = (
        f"/console/settlements/{trade.deal_id}/timeline",
        f"/console/settlements/{bought_trade.deal_id}",
        "/console/bank",
        "/console/disputes",
        "/console/refunds",
        "/console/ledger",
        "/console",
    )
    async with served(context) as site:
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
            await seen.sign_in(approver.email, PASSWORD)
            for where in pages:
                page = await seen.go(where)
                await seen.shot(f"narrow-zh-{where.rpartition('/')[2][:12]}")
                assert await page.evaluate(FITS), where
                assert await page.evaluate(CRAMPED) == [], where
        async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
            await seen.sign_in(buyer.email, PASSWORD)
            for where in ("/money", "/money/statement"):
                page = await seen.go(where)
                await seen.shot(f"narrow-zh-{where.rpartition('/')[2]}")
                assert await page.evaluate(FITS), where
                assert await page.evaluate(CRAMPED) == [], where
