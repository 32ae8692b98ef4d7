"""Steps 6, 7 and 9 of the trade: the signed deal, the grant, the evidence."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio

from contracts.evidence.checking import Report
from exchange.demo import signer
from exchange.demo.api import Api, Refused
from exchange.demo.market import offer, refused
from exchange.demo.stage import Stage
from exchange.evidence import verify as evidence


async def deal(stage: Stage) -> None:
    """Both parties sign the certified contract with their own keys; pdfsig looks at the result."""
    cast, state = stage.cast, stage.state
    licensor = cast.clients["producer"]
    with stage.step("deal", "6 Deal 合同: terms, PDF/A-3, three signatures"):
        found = await licensor.until("/v1/deals", lambda page: _of_listing(stage, page) is not None)
        opened = _of_listing(stage, found)
        assert opened is not None  # noqa: S101 - the line above waited for it.
        name = f"/v1/deals/{state.put('deal', opened['id'])}"
        await licensor.until(name, lambda one: one["signing"] != "drafted")
        winner = await _winner(stage, opened)
        for slot in ("producer", winner):
            await _sign(stage, slot, name)
        executed = await licensor.until(name, lambda one: one["signing"] == "executed")
        pdf = stage.folder / "contract.pdf"
        pdf.write_bytes((await licensor.send("GET", f"{name}/contract.pdf")).content)
    stage.say(f"contract {executed['contract_no']}, terms {executed['terms_sha256'][:16]}…, {pdf}")
    stage.say(await anyio.to_thread.run_sync(_pdfsig, pdf))


async def grant(stage: Stage) -> None:
    """The rights stand in the register; offering them again is refused."""
    api, state = stage.cast.clients["producer"], stage.state
    with stage.step("grant", "7 Grant 授权登记: nothing is sold twice"):
        work = state.id("work/original")
        page = await api.until(
            f"/v1/works/{work}/grants",
            lambda found: any(one["state"] == "effective" for one in found["items"]),
        )
        again = f"/v1/listings/{state.id('listing/again')}"
        await api.call("PUT", again, json=_second_offer(stage))
        problem = await refused(api, "POST", f"{again}/publication", "rights-already-granted")
    effective = [one for one in page["items"] if one["state"] == "effective"]
    stage.say(f"{len(effective)} grant in force; the same rights again: {problem['code']}")


async def proof(stage: Stage) -> None:
    """Download the evidence bundle, check it offline, and flip one byte to see it fail."""
    api, state = stage.cast.clients["producer"], stage.state
    with stage.step("evidence", "9 Evidence 证据: checked offline"):
        name = f"/v1/deals/{state.get('deal')}/evidence"
        path = stage.folder / "evidence.zip"
        path.write_bytes((await api.send("GET", name)).content)
        vkey = (await api.send("GET", "/v1/log/key")).text.strip()
        master = stage.master or stage.folder / "master-2160p50-hlg.mp4"
        report = await anyio.to_thread.run_sync(_verify, path, vkey, master)
        damaged = stage.folder / "evidence-damaged.zip"
        damaged.write_bytes(_flipped(path.read_bytes()))
        fails = await anyio.to_thread.run_sync(_verify, damaged, vkey, None)
    if not report.ok or fails.ok:
        raise RuntimeError(f"the evidence does not hold: {report.as_dict()}")
    broken = next(check for check in fails.checks if not check.ok)
    stage.say(f"{len(report.checks)} checks hold for {path}")
    stage.say(f"one flipped byte: {broken.name} fails ({broken.detail})")
    state.put("vkey", vkey)


def _of_listing(stage: Stage, page: dict[str, Any]) -> dict[str, Any] | None:
    wanted = str(stage.state.id("listing/original"))
    return next((one for one in page["items"] if one["listing_id"] == wanted), None)


async def _winner(stage: Stage, opened: dict[str, Any]) -> str:
    licensee = opened["licensee"]
    party = licensee["id"] if isinstance(licensee, dict) else licensee
    slots = ("north", "south", "west")
    winner = next(slot for slot in slots if str(stage.cast.party(slot)) == party)
    stage.state.put("winner", winner)
    return winner


async def _sign(stage: Stage, slot: str, name: str) -> None:
    """Sign in two phases; the private key stays here."""
    api, cast = stage.cast.clients[slot], stage.cast
    for attempt in range(1, 6):
        if str((await api.call("GET", name))["next_signer"]) != str(cast.party(slot)):
            return  # an earlier attempt went through
        session = stage.state.id(f"signing/{slot}/{attempt}")
        try:
            await _sign_once(
                api,
                cast.signing_key(slot),
                f"{name}/signing-sessions/{session}",
                key=cast.state.id(f"party-key/{slot}"),
            )
        except Refused as no:
            if no.code not in ("session-expired", "id-reused", "session-used"):
                raise


async def _sign_once(api: Api, key_pem: str, path: str, *, key: UUID) -> None:
    opened = await api.call("PUT", path, json={"key_id": str(key)})
    terms = await api.send("GET", path.split("/signing-sessions")[0] + "/terms")
    if hashlib.sha256(terms.content).hexdigest() != opened["terms_sha256"]:
        raise RuntimeError("the terms shown are not the terms to be signed")
    tbs = base64.b64decode(opened["tbs_der_b64"])
    signature = signer.sign_tbs(key_pem.encode(), tbs)
    body = {"signature_b64": base64.b64encode(signature).decode()}
    await api.call("PUT", f"{path}/signature", json=body)


def _second_offer(stage: Stage) -> dict[str, Any]:
    """Return an offer of the very rights that were sold."""
    first = offer(stage, "original")
    return {**first, "sale": {**first["sale"], "auction_id": str(stage.state.id("auction/again"))}}


def _pdfsig(pdf: Path) -> str:
    if not shutil.which("pdfsig"):
        return (
            "pdfsig (poppler-utils) is not installed here; the evidence check reads the signatures"
        )
    seen = subprocess.run(  # noqa: S603 - a fixed program on our own file.
        ["pdfsig", str(pdf)],  # noqa: S607 - found on PATH just above.
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return f"pdfsig: {seen.stdout.count('Signature is Valid')} signatures valid"


def _verify(path: Path, vkey: str, master: Path | None) -> Report:
    return evidence.verify(path, trusted_vkey=vkey, master=master)


def _flipped(raw: bytes) -> bytes:
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]
