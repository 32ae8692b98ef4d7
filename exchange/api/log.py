"""The transparency log."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import ConfigDict, Field

from contracts import canonical
from contracts.facts import queries as facts
from contracts.log import queries, rules, witnesses
from contracts.log.gateway import LogKeyMissing, LogSigner
from contracts.log.queries import FactProof
from contracts.log.rules import NotSealedYet
from contracts.parties.gateway import AuthorityMissing
from contracts.refusal import InvalidContent, Unknown
from exchange import keys
from exchange.api import problems
from exchange.api.deps import Ctx, MaybeCaller, Now, Session, Shape, Signed
from exchange.authority import open_authority
from exchange.evidence import bundle
from exchange.evidence.bundle import EvidenceNotReady
from exchange.identity.rules import Caller, ScopeMissing, SignInNeeded

router = APIRouter(tags=["log"])

_LISTING = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_FACT = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a02"
_VKEY = "log.uhdx.example/2026+b25dca0b+AYqI49X+yGMdJVOhb0oIFCEoAW4yOkQ3dVvTExBrWZtM"
_POLICY = f"log {_VKEY}\nwitness licensor licensor.example/w1+…\nquorum licensor\n"
_HASH = "5f1c0c2c2f0b6b1f4a9f0f6f5f0e7b8c9d0a1b2c3d4e5f60718293a4b5c6d7e8"
_NOTE = "log.uhdx.example/2026\n42\nXnbm…=\n\n— log.uhdx.example/2026 sl3KC…=\n"
_LEAF = f'{{"c":"{_HASH}","n":"{_FACT}","prev":null,"t":"listing.published","ts":"…","v":1}}'


class ProofOut(Shape):
    """A fact's leaf and the proof that the log holds it, all that an offline check needs.

    `c` in the leaf is SHA-256("uhdx/leaf/v1" ‖ 0x00 ‖ blind ‖ RFC 8785 bytes of the record).
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "fact": _FACT,
                    "record": {"listing": _LISTING},
                    "blind": _HASH,
                    "leaf": _LEAF,
                    "leaf_hash": _HASH,
                    "index": 41,
                    "tlog_proof": f"c2sp.org/tlog-proof@v1\nindex 41\n…\n\n{_NOTE}",
                    "log_vkey": _VKEY,
                }
            ]
        }
    )

    fact: UUID
    record: Annotated[
        dict[str, Any] | None, Field(description="Null for those who may not read the fact.")
    ]
    blind: Annotated[str | None, Field(description="32 bytes, hex; null like the record.")]
    leaf: str
    leaf_hash: Annotated[str, Field(description="SHA-256(0x00 ‖ leaf), hex.")]
    index: int
    tlog_proof: str
    log_vkey: str


class LeafOut(Shape):
    """A leaf at its place."""

    index: int
    leaf: str
    leaf_hash: str


class LeavesOut(Shape):
    """A page of leaves; `next` is the index to pass as `after`, or null at the end."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"items": [{"index": 41, "leaf": _LEAF, "leaf_hash": _HASH}], "next": None}
            ]
        }
    )

    items: list[LeafOut]
    next: int | None


class ConsistencyOut(Shape):
    """The hashes that prove one tree to be the beginning of another (RFC 9162 §2.1.4)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"proof": [_HASH]}]})

    proof: list[str]


def get_signer(context: Ctx) -> LogSigner:
    """Return the log's signer."""
    return keys.log_signer(context.settings)


Signer = Annotated[LogSigner, Depends(get_signer)]
_TREE_SIZE = Query(ge=1, le=2**62, examples=[42])


@router.get(
    "/log/checkpoint",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"text/plain": {"example": _NOTE}}},
        **problems.responses(Unknown),
    },
)
async def get_checkpoint(session: Session) -> PlainTextResponse:
    """Return the newest signed checkpoint (C2SP tlog-checkpoint), cosigned by who has seen it."""
    newest = await queries.latest_checkpoint(session)
    return PlainTextResponse(await witnesses.cosigned_note(session, newest))


@router.get(
    "/log/policy",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"text/plain": {"example": _POLICY}}},
        **problems.responses(Unknown),
    },
)
async def get_log_policy(session: Session) -> PlainTextResponse:
    """Return the policy on witnesses that is in force (C2SP tlog-policy).

    A deal takes effect once its quorum has cosigned a checkpoint that covers the last signature.
    Keep a copy: `exchange verify --policy` and others' tools check proofs against it.
    """
    in_force = await witnesses.policy_in_force(session)
    if in_force is None:
        raise Unknown("No policy on witnesses is in force here.")
    return PlainTextResponse(in_force.text)


@router.get(
    "/log/key",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"text/plain": {"example": _VKEY + "\n"}}},
        **problems.responses(LogKeyMissing),
    },
)
async def get_log_key(signer: Signer) -> PlainTextResponse:
    """Return the log's verifier key (C2SP signed-note); keep a copy from elsewhere too."""
    return PlainTextResponse(signer.verifier.vkey + "\n")


@router.get("/log/leaves", responses=problems.responses(InvalidContent))
async def list_leaves(
    session: Session,
    after: Annotated[int, Query(ge=-1, le=2**62, examples=[40])] = queries.BEFORE_ALL,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> LeavesOut:
    """List leaves by index, for those who rebuild the tree themselves. Public."""
    found = await queries.leaves(session, after=after, limit=limit)
    items = [
        LeafOut(index=entry.seq, leaf=entry.leaf.decode(), leaf_hash=entry.leaf_hash.hex())
        for entry in found
    ]
    return LeavesOut(items=items, next=items[-1].index if len(items) == limit else None)


@router.get("/log/consistency", responses=problems.responses(Unknown, InvalidContent))
async def get_consistency(
    session: Session, size_1: Annotated[int, _TREE_SIZE], size_2: Annotated[int, _TREE_SIZE]
) -> ConsistencyOut:
    """Prove that the log of `size_2` leaves begins with the log of `size_1`. Public."""
    path = await queries.consistency(session, size_1, size_2)
    return ConsistencyOut(proof=[hashed.hex() for hashed in path])


@router.get(
    "/log/proof/{fact_id}",
    responses=problems.responses(
        SignInNeeded, ScopeMissing, Unknown, NotSealedYet, LogKeyMissing, InvalidContent
    ),
)
async def get_proof(
    fact_id: UUID, session: Session, caller: MaybeCaller, signer: Signer
) -> ProofOut:
    """Prove that a fact is in the log; record and blind go to those who may read it."""
    return _proof_out(await witnesses.proof_of_fact(session, fact_id), caller, signer)


@router.get(
    "/listings/{listing_id}/proof",
    responses=problems.responses(
        SignInNeeded, ScopeMissing, Unknown, NotSealedYet, LogKeyMissing, InvalidContent
    ),
)
async def get_listing_proof(
    listing_id: UUID, session: Session, caller: MaybeCaller, signer: Signer
) -> ProofOut:
    """Prove the publication of a listing (挂牌): its record binds work, rights and master."""
    published = await facts.find_first_of(session, listing_id, "listing.published")
    if published is None:
        raise Unknown("There is no such listing.", listing=str(listing_id))
    return _proof_out(await witnesses.proof_of_fact(session, published.id), caller, signer)


@router.get(
    "/deals/{deal_id}/evidence",
    response_class=Response,
    responses={
        200: {
            "description": "A zip that `exchange verify` checks offline.",
            "content": {
                "application/zip": {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "PK…",
                }
            },
        },
        **problems.responses(
            SignInNeeded,
            ScopeMissing,
            Unknown,
            EvidenceNotReady,
            NotSealedYet,
            LogKeyMissing,
            AuthorityMissing,
            InvalidContent,
        ),
    },
)
async def get_evidence(
    deal_id: UUID, context: Ctx, session: Session, now: Now, caller: Signed, signer: Signer
) -> Response:
    """Download the evidence of a deal (证据包): for its parties and staff."""
    caller.need("read")
    deal, content = await bundle.assemble(
        session,
        deal_id,
        party=caller.for_party,
        signer=signer,
        authority=open_authority(context.settings, now=now),
    )
    name = f"{deal.contract_no}.evidence.zip"
    return Response(
        content,
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _proof_out(proved: FactProof, caller: Caller | None, signer: LogSigner) -> ProofOut:
    fact, entry = proved.fact, proved.entry
    if caller is not None:
        caller.need("read")
    readable = rules.may_read(
        fact.kind,
        fact.parties,
        party=caller.party_id if caller else None,
        staff=caller is not None and caller.is_staff,
    )
    return ProofOut(
        fact=fact.id,
        record=canonical.loads(fact.record) if readable else None,
        blind=fact.blind.hex() if readable else None,
        leaf=entry.leaf.decode(),
        leaf_hash=entry.leaf_hash.hex(),
        index=entry.seq,
        tlog_proof=proved.proof.text,
        log_vkey=signer.verifier.vkey,
    )
