"""What accounts and kinds of journals are called, in Chinese and English (pure).

Source: 企业会计准则——应用指南, 附录 会计科目和主要账务处理, where it has a word for what is meant
(应收账款, 应付账款, 其他应付款, 应交税费, 银行存款 …).
"""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Name(NamedTuple):
    """The name of an account or of a kind of journal in both languages."""

    zh: str
    en: str


_ID = r"[0-9a-zA-Z-]+"
# The first that fits the code (without its currency) names it; the last of a family names the rest.
NAMES: tuple[tuple[str, Name], ...] = (
    (r"psp:stripe:clearing", Name("其他货币资金——支付渠道", "Money at the card provider")),
    (r"psp:", Name("其他货币资金——渠道在途", "Money on its way from the card provider")),
    (r"bank:deposits", Name("银行存款——保证金专户", "Bank account of the deposits")),
    (r"bank:escrow:", Name("监管账户存款（他人资金）", "Money of others in an escrow account")),
    (r"custody:opening", Name("监管账户期初资金（他人资金）", "Money of others from before")),
    (r"custody:", Name("代管资金（他人资金）", "Money of others in custody")),
    (r"bank:", Name("银行存款", "Money at the bank")),
    (rf"deposit:{_ID}:returning", Name("保证金退还在途", "Deposits on their way back")),
    (r"deposit:", Name("其他应付款——保证金", "Deposits held")),
    (r"forfeited:", Name("没收保证金待分配", "Forfeited deposits to be distributed")),
    (r"receivable:", Name("应收账款", "Owed by a buyer")),
    (
        rf"payee:{_ID}:held",
        Name("应付账款——待买方付款", "A payee's share before the buyer pays"),
    ),
    (rf"payee:{_ID}:due", Name("应付账款", "Owed to a payee")),
    (rf"payee:{_ID}:in-transit", Name("应付账款——付款在途", "On its way to a payee")),
    (r"payee:", Name("应付账款——其他", "Of a payee")),
    (r"commission", Name("主营业务收入——佣金", "Commission earned")),
    (r"suspense:psp", Name("待核销——支付渠道", "In suspense at the card provider")),
    (r"suspense:bank", Name("待核销——银行", "In suspense at the bank")),
    (r"suspense:", Name("待核销", "In suspense")),
    (r"tax:vat:output", Name("应交税费——应交增值税（销项税额）", "Output VAT")),
    (r"tax:", Name("应交税费", "Taxes owed")),
    (r"recoverable:", Name("其他应收款——应收追回", "To be given back by a payee")),
    (rf"refund:{_ID}:owed", Name("其他应付款——应退未退", "Refunds that failed, owed to a payer")),
    (r"refund:", Name("其他应付款——退款在途", "Refunds on their way to a payer")),
    (r"dispute:", Name("争议准备", "Drawn for disputes that are not decided")),
    (r"fx:", Name("外汇头寸", "Position in a currency")),
    (r"expense:bank-fees", Name("财务费用——银行手续费", "Bank fees")),
    (r"expense:psp-fees", Name("财务费用——支付渠道手续费", "Fees of the card provider")),
    (r"expense:", Name("费用", "Expense")),
    (r"equity:opening", Name("期初余额", "Money from before")),
    (r"equity:", Name("所有者权益", "Equity")),
)


# An account that somebody opened by hand: an auditor is to see it, not an error in its place.
OUTSIDE = Name("科目表外科目", "Not in the chart of accounts")

# What happened when a journal was booked, by its kind.
JOURNALS: Mapping[str, Name] = {
    "bank.opening": Name("银行账户期初余额入账", "Opening balance of a bank account"),
    "bank.suspended": Name("银行流水转入待核销", "Line of a bank put in suspense"),
    "deposit.applied": Name("保证金抵作价款", "Deposit turned into price"),
    "deposit.distributed": Name("没收保证金分配", "Forfeited deposit distributed"),
    "deposit.forfeited": Name("保证金不予退还", "Deposit forfeited"),
    "deposit.received": Name("收到保证金", "Deposit received"),
    "deposit.released": Name("保证金转入退还", "Deposit on its way back"),
    "deposit.return-failed": Name("保证金退还被退回", "Return of a deposit came back"),
    "deposit.returned": Name("保证金已退还", "Deposit returned"),
    "dispute.lost": Name("拒付争议败诉", "Dispute lost"),
    "dispute.moved": Name("拒付争议资金划转", "Money of a dispute moved"),
    "fx.exchanged": Name("按牌价换汇", "Exchange at a quote"),
    "invoice.issued": Name("账单开出", "Invoice issued"),
    "journal.manual": Name("手工凭证", "Journal made by hand"),
    "payment.fee": Name("支付渠道手续费", "Fee of the card provider"),
    "payment.received": Name("收到付款", "Payment received"),
    "payment.suspended": Name(
        "付款金额与应付不符，转入待核销", "Payment of another amount put in suspense"
    ),
    "payout.approved": Name("付款获批", "Payout approved"),
    "red-letter.issued": Name("红字账单开出", "Red letter issued"),
    "refund.approved": Name("退款获批", "Refund approved"),
    "refund.failed": Name("退款被退回", "Refund came back"),
    "refund.made": Name("退款已退出", "Refund made"),
    "refund.owed": Name("退款失败，转为应退未退", "Failed refund owed to the payer"),
    "refund.suspended": Name(
        "并非本所发起的退款，转入待核销", "Refund not ordered here put in suspense"
    ),
    "remittance.approved": Name("税款解缴获批", "Remittance of tax approved"),
    "remittance.paid": Name("税款已解缴", "Tax remitted"),
    "remittance.returned": Name("解缴税款被退回", "Remittance of tax came back"),
    "reversal": Name("红冲凭证", "Reversal of a journal"),
    "suspense.placed": Name("待核销款项核销", "Money in suspense placed"),
    "sweep.failed": Name("归集被退回", "Sweep came back"),
    "sweep.landed": Name("归集到账", "Sweep arrived at the bank"),
    "sweep.made": Name("归集已发出", "Sweep left the card provider"),
    "transfer.made": Name("款项已转给收款方", "Money transferred to a payee"),
    "transfer.returned": Name("转账被退回", "Transfer came back"),
    "transfer.reversed": Name("转账已追回", "Transfer reversed"),
}


def name(code: str) -> Name:
    """Return the name of an account by its code, with or without its currency."""
    return next((found for pattern, found in NAMES if re.match(pattern, code)), OUTSIDE)


def journal(kind: str) -> Name:
    """Return what a journal of this kind books; one that has no name is called by its code."""
    return JOURNALS.get(kind, Name(kind, kind))
