"""What the accounts are called, in Chinese and English, by the chart of accounts (pure).

Source: 企业会计准则——应用指南, 附录 会计科目和主要账务处理, where it has a word for what is meant
(应收账款, 应付账款, 其他应付款, 应交税费, 银行存款 …).
"""

import re
from typing import NamedTuple


class Name(NamedTuple):
    """The name of an account in both languages."""

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


def name(code: str) -> Name:
    """Return the name of an account by its code, with or without its currency."""
    return next((found for pattern, found in NAMES if re.match(pattern, code)), OUTSIDE)
