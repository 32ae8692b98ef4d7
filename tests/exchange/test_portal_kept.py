"""A refused form comes back on its own page, in words, with what was typed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from contracts import ids
from contracts.money import Money
from contracts.refusal import InvalidContent
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.portal import faults, kept, refusals
from exchange.portal.forms import shape
from exchange.portal.language import Language
from settlement.refunds.rules import RefundTooLarge
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, someone, token_in
from tests.settlement.test_refunds import bought

ZH, EN = Language("zh-CN"), Language("en")
TYPED = st.text(min_size=1, max_size=20).filter(lambda said: "\r" not in said and "\0" not in said)


class Wanted(BaseModel):
    amount_minor: int = Field(gt=0)
    reason: str = Field(min_length=1, max_length=5)


def told(spoken: Language, **typed: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidContent) as caught:
        shape(Wanted, **typed)
    return list(refusals.reasons(caught.value, spoken))


def test_the_rule_that_a_field_breaks_is_told_in_both_languages_by_its_label() -> None:
    assert told(ZH, amount_minor=0, reason="x") == [("金额", "须大于 0")]
    assert told(EN, amount_minor=0, reason="x") == [("Amount", "must be more than 0")]
    assert told(ZH, amount_minor=1, reason="") == [("理由", "至少 1 个字符")]
    assert told(ZH, reason="x") == [("金额", "未填写")]


@pytest.mark.parametrize("kind", sorted(faults.RULES))
def test_every_rule_is_said_in_chinese(kind: str) -> None:
    _, words = faults.said({"field": "amount", "rule": "x", "type": kind, "limit": 3}, ZH)
    assert re.search("[一-鿿]", words) and "%" not in words


def test_a_hint_says_the_amount_that_it_names() -> None:
    refusal = RefundTooLarge("x", most={"amount_minor": 12_345, "currency": "CNY"})
    assert refusals.hint_of(refusal, ZH) == "最多可退 ¥123.45。"
    assert "`" not in refusals.hint_of(refusal, EN)


FORM = (
    "<!doctype html><html><body>{place}</div>"
    '<form action="/other"><input name="a" value="1"></form>'
    '<form action="/x"><input type="hidden" name="id" value="1"><input name="a"></form>'
    '<form action="/x"><input type="hidden" name="id" value="2"><input name="a" value="old">'
    '<textarea name="t">old &amp; grey</textarea><input type="password" name="p">'
    '<select name="s"><option value="1" selected>one</option>'
    '<option value="2">two</option></select>'
    '<input type="checkbox" name="c" value="y"></form><p>&copy; 5 &lt; 6</p></body></html>'
).replace("{place}", kept.PLACE)


@given(typed=TYPED)
def test_what_was_typed_comes_back_and_nothing_that_was_typed_becomes_a_tag(typed: str) -> None:
    sent = {"id": ["2"], "a": [typed], "t": [typed], "s": ["2"], "c": ["y"], "p": ["secret"]}
    page = kept.again(FORM, "<b>no</b>", action="/x", sent=sent)
    assert page is not None and kept.PLACE + "<b>no</b>" in page
    assert "secret" not in page and '<option value="2" selected>' in page
    assert page.count("<form") == 3 and page.count("<input") == 7
    assert (
        '<form action="/x"><input type="hidden" name="id" value="1"><input name="a"></form>' in page
    )
    assert "<p>&copy; 5 &lt; 6</p>" in page and 'value="y" checked>' in page
    assert kept.again(FORM, "x", action="/none", sent=sent) is None


async def test_a_refused_refund_is_shown_again_on_its_settlement(
    context: Context, db: Database
) -> None:
    trade, payment_id, _, _ = await bought(db)
    here = f"/console/settlements/{trade.deal_id}"
    fields = {
        "refund_id": str(ids.new(clock.now())), "payment_id": str(payment_id), "currency": "CNY",
        "amount": "99999999.00", "reason": "撤回 <授权>",
    }  # fmt: skip
    async with browser(context) as client:
        await enter(client, await someone(context, "operator"))
        token = token_in((await client.get(here)).text)
        site = str(client.base_url).rstrip("/")
        said = {"Referer": f"{site}{here}?lang=zh-CN", "Accept-Language": "zh-CN"}
        for amount, words in (("99999999.00", "最多可退"), ("0", "须大于 0")):
            data = {**fields, "csrf_token": token, "amount": amount}
            answer = await client.post("/console/refunds", data=data, headers=said)
            assert answer.status_code in (409, 422), answer.text
            page = answer.text
            assert words in page and f'value="{amount}"' in page
            assert 'value="撤回 &lt;授权&gt;"' in page and 'id="refund"' in page
        plain = await client.post("/console/refunds", data={**fields, "csrf_token": token})
        assert plain.status_code == 409 and "refund-too-large" in plain.text
        away = {"Referer": "http://elsewhere.example/console"}
        foreign = await client.post(
            "/console/refunds", data={**fields, "csrf_token": token}, headers=away
        )
        assert foreign.status_code == 409 and 'id="refund"' not in foreign.text


async def test_a_code_without_a_currency_is_told_as_an_account(context: Context) -> None:
    async with browser(context) as client:
        await enter(client, await someone(context, "operator"))
        page = (await client.get("/console/ledger/orders?lang=zh-CN")).text
        form = {
            "csrf_token": token_in(page), "order_id": str(ids.new(clock.now())), "kind": "journal",
            "reason": "x", "account-1": "commission", "debit-1": "1",
        }  # fmt: skip
        answer = await client.post("/console/ledger/orders?lang=zh-CN", data=form)
        assert answer.status_code == 422
        assert "科目" in answer.text and "不是以币种结尾的科目" in answer.text


def test_a_refusal_s_amounts_are_no_code() -> None:
    refusal = RefundTooLarge("x", most=Money(7, "CNY"))
    assert "0.07" in refusals.hint_of(refusal, EN)
