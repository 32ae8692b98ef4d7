"""The public check of a contract: whoever holds a file asks whether it is the executed one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from contracts.log.gateway import LogKeyMissing
from contracts.log.rules import NotSealedYet
from contracts.parties.gateway import AuthorityMissing
from contracts.refusal import InvalidContent
from exchange.api import problems
from exchange.api.deps import Ctx, Now, Session, Shape
from exchange.api.log import Signer
from exchange.authority import open_authority
from exchange.evidence import public

router = APIRouter(tags=["log"])

NUMBER = r"^UHDX-[0-9]{4}(-[0-9A-Z]{4}){4}$"
SHA256 = r"^[0-9a-f]{64}$"
_NUMBER = "UHDX-2026-7Q4M-0C9K-V3TD-52XA"
_HASH = "5f1c0c2c2f0b6b1f4a9f0f6f5f0e7b8c9d0a1b2c3d4e5f60718293a4b5c6d7e8"
_VKEY = "log.uhdx.example/2026+b25dca0b+AYqI49X+yGMdJVOhb0oIFCEoAW4yOkQ3dVvTExBrWZtM"


class ExecutionOut(Shape):
    """Where the log holds the execution of the contract."""

    index: int
    leaf: Annotated[str, Field(description="Commits to the record; the parties can open it.")]
    leaf_hash: Annotated[str, Field(description="SHA-256(0x00 ‖ leaf), hex.")]
    tlog_proof: Annotated[str, Field(description="C2SP tlog-proof@v1: the proof to keep.")]
    tree_size: int
    witnesses: Annotated[
        list[str], Field(description="Who cosigned the checkpoint, of the policy in force.")
    ]


class VerificationOut(Shape):
    """What a file is to a contract; no party, title or price is told."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "contract_no": _NUMBER,
                    "sha256": _HASH,
                    "verdict": "executed",
                    "execution": {
                        "index": 41,
                        "leaf": '{"c":"…","n":"…","prev":"…","t":"deal.executed","ts":"…","v":1}',
                        "leaf_hash": _HASH,
                        "tlog_proof": "c2sp.org/tlog-proof@v1\nindex 41\n…",
                        "tree_size": 42,
                        "witnesses": ["auditor"],
                    },
                    "log_vkey": _VKEY,
                    "root_pem": "-----BEGIN CERTIFICATE-----\n…",
                    "time_roots_pem": "",
                }
            ]
        }
    )

    contract_no: str
    sha256: str
    verdict: Annotated[
        str,
        Field(
            description="`executed`; `earlier-revision`: of an executed contract, before its last "
            "signature; `later-revision`: the executed file with archive timestamps added; "
            "`not-executed`; `unknown`: no file of a contract of that number."
        ),
    ]
    execution: ExecutionOut | None
    log_vkey: str
    root_pem: Annotated[str, Field(description="The root that the signatures lead to.")]
    time_roots_pem: Annotated[
        str,
        Field(description="What time-stamps of outside authorities lead to; empty without such."),
    ]


@router.get(
    "/contracts/{contract_no}/verification",
    responses=problems.responses(NotSealedYet, LogKeyMissing, AuthorityMissing, InvalidContent),
)
async def verify_contract(
    contract_no: Annotated[str, Path(pattern=NUMBER, examples=[_NUMBER])],
    sha256: Annotated[str, Query(pattern=SHA256, examples=[_HASH])],
    *,
    context: Ctx,
    session: Session,
    now: Now,
    signer: Signer,
) -> VerificationOut:
    """Say whether a file, of which only the SHA-256 is sent, is the executed contract. Public."""
    verdict, proved = await public.look_up(session, contract_no, sha256)
    execution = proved and ExecutionOut(
        index=proved.index,
        leaf=proved.leaf.decode(),
        leaf_hash=proved.leaf_hash,
        tlog_proof=proved.proof,
        tree_size=proved.size,
        witnesses=list(proved.witnesses),
    )
    authority = open_authority(context.settings, now=now)
    return VerificationOut(
        contract_no=contract_no,
        sha256=sha256,
        verdict=verdict.value,
        execution=execution,
        log_vkey=signer.verifier.vkey,
        root_pem=authority.root_pem.decode(),
        time_roots_pem=authority.certifier.time_roots_pem.decode(),
    )
