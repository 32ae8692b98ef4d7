"""Files of banks: what we write is judged by schemas and a reader of others, what we read by the
sums that the files' manifest states."""

import importlib.resources
from datetime import date
from pathlib import Path
from typing import Any

import mt940 as other_reader
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pyiso20022.pain.pain_001_001_09 import pain_001_001_09 as other_shapes
from xsdata.formats.dataclass.parsers import XmlParser

from contracts.money import EXPONENTS, Money
from settlement.bank import pain, reading, rules
from settlement.bank.rules import (
    Account,
    Payment,
    Statement,
    StatementMalformed,
    StatementTooLarge,
    StatementUnbalanced,
)
from tests.conftest import NOW
from tests.settlement.bank_factory import iban

VECTORS = Path(__file__).parents[1] / "vectors" / "bank"
PAYER = Account("iban", "DE89370400440532013000", "UHD Exchange 交易所", bic="DEUTDEFF")
CHINESE_PAYER = Account("cnaps", "6222020200012345678", "超高清交易所", member_id="102100099996")


def vector(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def parsed(name: str) -> list[Statement]:
    return reading.parsed(vector(name))


def schema() -> etree.XMLSchema:
    folder = importlib.resources.files("sepaxml") / "schemas" / "pain.001.001.09.xsd"
    return etree.XMLSchema(etree.fromstring(folder.read_bytes()))


def read_back(raw: bytes) -> Any:
    return XmlParser().from_bytes(raw, other_shapes.Document).cstmr_cdt_trf_initn


def payments(count: int, *, currency: str, scheme: str) -> list[Payment]:
    numbers = {"iban": lambda: iban(), "cnaps": lambda: "6222020200012345679"}
    return [
        Payment(
            end_to_end_id=f"P{number:015d}",
            payee=Account(
                scheme,
                numbers[scheme](),
                f"收款人 {number} & <Co>",
                "102100099996" if scheme == "cnaps" else None,
            ),
            amount=Money(10**number % 9_999_999 + number, currency),
            text=f"Payout {number}",
        )
        for number in range(1, count + 1)
    ]


def written(paid: list[Payment], payer: Account = PAYER) -> bytes:
    return pain.write(
        paid, message_id="BABCDEFGHIJKLMNO", payer=payer, execute_on=date(2026, 11, 24),
        made_at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "scheme", "payer"),
    [("EUR", "iban", PAYER), ("CNY", "cnaps", CHINESE_PAYER), ("JPY", "iban", PAYER)],
)
def test_a_payment_file_is_valid_and_reads_back_the_same(
    currency: str, scheme: str, payer: Account
) -> None:
    paid = payments(100, currency=currency, scheme=scheme)
    raw = written(paid, payer)
    schema().assertValid(etree.fromstring(raw))
    seen = read_back(raw)
    total = Money(sum(one.amount.amount_minor for one in paid), currency)
    assert (seen.grp_hdr.msg_id, seen.grp_hdr.nb_of_txs) == ("BABCDEFGHIJKLMNO", "100")
    assert (str(seen.grp_hdr.ctrl_sum), total.currency) == (total.decimal(), currency)
    order = seen.pmt_inf[0]
    assert str(order.ctrl_sum) == total.decimal()
    assert order.reqd_exctn_dt.dt.to_date() == date(2026, 11, 24)
    for one, back in zip(paid, order.cdt_trf_tx_inf, strict=True):
        assert back.pmt_id.end_to_end_id == one.end_to_end_id
        assert (back.amt.instd_amt.ccy, str(back.amt.instd_amt.value)) == (
            currency,
            one.amount.decimal(),
        )
        assert (back.cdtr.nm, back.purp.cd) == (one.payee.holder, "ROYA")
        assert (back.cdtr_acct.id.iban or back.cdtr_acct.id.othr.id) == one.payee.number
        if scheme == "cnaps":
            bank = back.cdtr_agt.fin_instn_id.clr_sys_mmb_id
            assert (bank.clr_sys_id.cd, bank.mmb_id) == ("CNAPS", "102100099996")


def test_a_file_with_a_part_left_out_is_not_valid() -> None:
    root = etree.fromstring(written(payments(1, currency="EUR", scheme="iban")))
    for found in root.iter("{*}NbOfTxs"):
        found.getparent().remove(found)
        break
    assert not schema().validate(root)


# What /work's manifest (tests/vectors/bank/README.md) states: opening, entries, movements, closing.
BALANCED = {
    "camt053.v2.multi.statement.xml": [(1815, 1, 885, 2700), (2700, 1, -700, 2000)],
    "mt940/mBank-mt940.sta": [(40, 3, 3, 43)],
    "mt940/self-provided-february_30.sta": [(120_000, 1, -600, 119_400)],
    "mt940/jejik-rabobank-iban.sta": [(100_000, 2, -3500, 96_500), (96_500, 2, -3500, 93_000)],
}


@pytest.mark.parametrize("name", sorted(BALANCED))
def test_a_statement_reads_to_the_sums_that_its_manifest_states(name: str) -> None:
    seen = [
        (one.opening_minor, len(one.entries), one.total_minor, one.closing_minor)
        for one in reading.read(vector(name))
    ]
    assert seen == BALANCED[name]


@pytest.mark.parametrize(
    ("name", "entries", "total"),
    [
        ("mt940/jejik-abnamro.sta", 10, -34_593),
        ("mt940/jejik-ing.sta", 7, -4_559),
        ("mt940/jejik-rabobank-iban.sta", 4, -7_000),
        ("mt940/cmxl-mt940.sta", 16, 1_232_730),
        ("mt940/betterplace-sepa_snippet_broken.sta", 1, 5_099_005),
        ("camt054.v2.with-account-name.xml", 1, -20_000_000),
    ],
)
def test_entries_add_up_to_what_the_manifest_states(name: str, entries: int, total: int) -> None:
    found = parsed(name)
    assert sum(len(one.entries) for one in found) == entries
    assert sum(one.total_minor for one in found) == total


def test_each_account_of_a_file_keeps_its_currency() -> None:
    seen = [(one.currency, one.total_minor) for one in parsed("mt940/cmxl-mt940.sta")]
    assert seen == [("DEM", 8_730), ("EUR", 220_000), ("PLN", 1_004_000)]


@pytest.mark.parametrize(
    "name",
    [
        "camt053.v2.minimal.xml", "camt053.v4.xml", "camt053.v8.xml",
        "mt940/betterplace-sepa_snippet_broken.sta", "mt940/jejik-abnamro.sta",
        "mt940/jejik-ing.sta",
    ],
)  # fmt: skip
def test_balances_that_do_not_add_up_are_refused_with_that_reason(name: str) -> None:
    with pytest.raises(StatementUnbalanced) as refused:
        reading.read(vector(name))
    assert refused.value.data["statement"]


def test_what_is_no_statement_is_refused() -> None:
    with pytest.raises(StatementMalformed) as refused:
        reading.read(vector("camt053.v2.wrong.xml"))
    assert refused.value.data["reason"] == "no statement"


def test_a_day_that_does_not_exist_is_told_and_left_out() -> None:
    (one,) = parsed("mt940/self-provided-february_30.sta")
    assert one.warnings == ["The value date 160230 does not exist."]
    assert (one.entries[0].valued_on, one.entries[0].booked_on) == (None, date(2016, 3, 1))


@pytest.mark.parametrize("path", sorted((VECTORS / "mt940").glob("*.sta")), ids=lambda p: p.name)
def test_another_reader_of_mt940_sees_the_same_movements(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    theirs = sorted(
        (one.data["date"] is not None, int(one.data["amount"].amount * 100))
        for one in other_reader.parse(text)
    )
    ours = sorted(
        (True, entry.amount_minor)
        for one in reading.parsed(path.read_bytes())
        for entry in one.entries
    )
    assert ours == theirs


def camt(body: str, *, head: str = "", version: str = "053.001.08") -> bytes:
    return (
        f'{head}<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{version}"><BkToCstmrStmt>'
        "<Stmt><Id>1</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{body}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


HOSTILE = {
    "doctype": camt("", head='<!DOCTYPE d [<!ENTITY a "b">]>'),
    "file entity": camt("&x;", head='<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    "laughs": camt(
        "&c;",
        head="<!DOCTYPE d [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'><!ENTITY c '&b;&b;&b;'>]>",
    ),
    "another message": camt("", version="052.001.02"),
    "no balances": camt(""),
    "cut": camt("")[:-20],
    "not XML": b"<",
    "nothing": b"",
    "words": b"To whom it may concern",
    "cut MT940": b":20:A\n:25:B\n:60F:C1",
    "binary": bytes(range(256)),
    "amount": (
        b":20:A\n:25:B\n:28C:1\n:60F:C260101EUR1,0\n:61:260101C1,001NTRFX\n:62F:C260101EUR1,0"
    ),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_or_broken_file_is_refused_and_reads_nothing_else(name: str) -> None:
    with pytest.raises(StatementMalformed) as refused:
        reading.read(HOSTILE[name])
    assert "root:" not in str(refused.value.data)
    if b"DOCTYPE" in HOSTILE[name]:
        assert refused.value.data["reason"] == "doctype"


def test_a_file_without_end_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "MOST_BYTES", 10)
    with pytest.raises(StatementTooLarge):
        reading.read(b"<" * 11)


def test_an_entry_of_several_payments_is_taken_apart() -> None:
    def part(reference: str, amount: str) -> str:
        return (
            f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>"
            f'<Amt Ccy="EUR">{amount}</Amt></TxDtls>'
        )

    balances = "".join(
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='EUR'>{value}</Amt>"
        "<CdtDbtInd>CRDT</CdtDbtInd></Bal>"
        for code, value in (("PRCD", "10.00"), ("CLBD", "4.00"))
    )
    entry = (
        "<Ntry><Amt Ccy='EUR'>6</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>"
        f"<NtryDtls><Btch><PmtInfId>B1</PmtInfId></Btch>{part('X', '2.50')}{part('Y', '3.5')}"
        "</NtryDtls></Ntry>"
    )
    pending = entry.replace("BOOK", "PDNG")
    (one,) = reading.read(camt(balances + entry + pending))
    assert [(each.end_to_end_id, each.amount_minor) for each in one.entries] == [
        ("X", -250),
        ("Y", -350),
    ]
    assert {each.batch_id for each in one.entries} == {"B1"}


@given(
    minor=st.integers(0, 10**13),
    currency=st.sampled_from(sorted(EXPONENTS)),
    point=st.sampled_from(".,"),
)
def test_an_amount_written_is_read_as_it_was(minor: int, currency: str, point: str) -> None:
    said = Money(minor, currency).decimal().replace(".", point)
    assert rules.minor(said, currency, point=point) == minor


@pytest.mark.parametrize("said", ["", "-1", "1.234", "1e3", "٣", "+1", "1.2.3", "nan", "0x1", " 1"])
def test_what_is_no_amount_is_refused(said: str) -> None:
    with pytest.raises(StatementMalformed):
        rules.minor(said, "EUR", point=".")
