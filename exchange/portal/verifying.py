"""The public page that says whether a file is the executed contract of its number.

The browser computes the SHA-256; the file itself is never sent. Without scripts the hash is typed.
"""

import re
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from contracts.refusal import Unknown
from exchange.api import verification as api
from exchange.api.deps import Ctx, Now, Session
from exchange.api.log import get_signer
from exchange.evidence import public
from exchange.evidence.public import Verdict
from exchange.portal import render
from exchange.portal.language import mark
from exchange.portal.visitors import MaybeVisitor

router = APIRouter()
LONGEST = 200  # what people paste: a hash with spaces, a number with a line break
VERDICTS = {
    Verdict.EXECUTED: ("good", mark("This is the executed contract.")),
    Verdict.RENEWED: (
        "good", mark("This is the executed contract, with archive timestamps added since."),
    ),
    Verdict.EARLIER: (
        "bad",
        mark(
            "This is an earlier state of the contract, before its last signature. It was executed "
            "later, in another file."
        ),
    ),
    Verdict.UNSIGNED: ("bad", mark("This is a draft of the contract, which is not executed.")),
    Verdict.UNKNOWN: ("bad", mark("This is no file of a contract of this number.")),
}  # fmt: skip
UNREADABLE = (
    "bad", mark("This is not a contract number with the 64 hexadecimal digits of a SHA-256."),
)  # fmt: skip
Pasted = Annotated[str, Query(max_length=LONGEST)]


@router.get("/verify")
async def verify_page(
    request: Request, _visitor: MaybeVisitor, *, number: Pasted = "", sha256: Pasted = ""
) -> Response:
    """Ask for the number and the file."""
    asked = "".join(number.split()).upper()
    if re.fullmatch(api.NUMBER, asked):
        return render.see(request, f"/verify/{asked}" + _query(sha256))
    values: dict[str, Any] = {"number": asked, "sha256": sha256, "found": None}
    return render.page(request, "verify.html", verdict=UNREADABLE if asked else None, **values)


@router.get("/verify/{contract_no}")
async def verify_contract_page(
    request: Request,
    contract_no: str,
    _visitor: MaybeVisitor,
    *,
    context: Ctx,
    session: Session,
    now: Now,
    sha256: Pasted = "",
) -> Response:
    """Say what the file is to the contract; ask for the file while none is named."""
    if not re.fullmatch(api.NUMBER, contract_no):
        raise Unknown("There is no such page.")
    hashed = "".join(sha256.split()).lower()
    values: dict[str, Any] = {"number": contract_no, "sha256": hashed, "found": None}
    verdict = None
    if hashed and not re.fullmatch(api.SHA256, hashed):
        verdict = UNREADABLE
    elif hashed:
        values["found"] = await api.verify_contract(
            contract_no, hashed, context=context, session=session, now=now,
            signer=get_signer(context),
        )  # fmt: skip
        verdict = VERDICTS[Verdict(values["found"].verdict)]
    return render.page(request, "verify.html", verdict=verdict, **values)


@router.get("/verify/{contract_no}/execution.tlog-proof")
async def execution_proof(
    contract_no: str, session: Session, sha256: Annotated[str, Query(pattern=api.SHA256)]
) -> Response:
    """Give the proof of the execution as a file that checks offline."""
    _, proved = await public.look_up(session, contract_no, sha256)
    if proved is None:
        raise Unknown("There is no such proof.")
    name = f'attachment; filename="{contract_no}.tlog-proof"'
    return Response(
        proved.proof,
        media_type="text/plain; charset=utf-8",
        headers={**render.HEADERS, "Content-Disposition": name},
    )


def _query(sha256: str) -> str:
    return f"?{urlencode({'sha256': sha256})}" if sha256 else ""
