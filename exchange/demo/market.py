"""Steps 1 to 5 of the trade: parties, master, fingerprint, listing, bids."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
from rich.progress import TaskID

import exchange
from exchange import clock
from exchange.demo import cast as people
from exchange.demo import clip, signer
from exchange.demo.api import Api, Refused
from exchange.demo.stage import Stage, amount
from exchange.demo.upload import upload

# CC0 footage; its licence lies beside it.
SOURCE_CLIP = Path(exchange.__file__).parent.parent / "tests" / "media" / "flower.mp4"
CLIP_SECONDS = 3
EXAMINE_PATIENCE_S = 600.0
# One card payment takes eight digits of minor units: 200 bids end at ¥897,000.00.
FLOOR_MINOR = 30_000_000  # ¥300,000.00
STEP_MINOR = 300_000  # ¥3,000.00
SOFT_CLOSE_S = 3
ISAN = "0000-0000-3A8D-0000-Z-0000-0000-6"  # the sample number of GB/T 23730
RIGHTS = {
    "right": "broadcasting", "media": ["satellite"], "territories": ["CN"],
    "excluded": ["HK", "MO", "TW"], "languages": ["zh"], "first_day": "2027-01-01",
    "last_day": "2028-12-31", "tz": "Asia/Shanghai", "exclusivity": "exclusive", "runs_max": 3,
}  # fmt: skip


async def parties(stage: Stage) -> None:
    """Sign everybody up, verify them, make API keys, register signing keys."""
    cast = stage.cast
    with stage.step("parties", "1 Parties 主体"):
        for member in people.MEMBERS:
            await people.sign_up(cast, member)
        async with await people.signed_in(cast, "operator") as operator:
            for member in people.MEMBERS:
                await operator.call("POST", f"/v1/parties/{cast.party(member.slot)}/verification")
        for member in people.MEMBERS:
            api = await people.with_key(cast, member.slot, member.scopes)
            csr = signer.csr_of(cast.signing_key(member.slot).encode(), member.name_zh)
            party, key = cast.party(member.slot), cast.state.id(f"party-key/{member.slot}")
            kept = stage.state.keep(f"csr/{member.slot}", csr.decode())
            await api.call("PUT", f"/v1/parties/{party}/signing-keys/{key}", json={"csr_pem": kept})
    stage.say(
        f"{len(people.MEMBERS)} organisations verified, keys registered; staff: operator, approver"
    )


async def masters(stage: Stage) -> None:
    """Make the UHD clip (or take the caller's video), upload it with one cut, examine it."""
    api, state = stage.cast.clients["producer"], stage.state
    source = await _uhd_clip(stage)
    work, master = state.id("work/original"), state.id("master/original")
    with stage.step("master", "2 Master 母版: upload, hash, probe") as bar:
        await api.call(
            "PUT", f"/v1/works/{work}", json=_work("珠江之花", "Flower of the Pearl River", ISAN)
        )
        await _shares(stage, work)
        resumed = await upload(
            api, source, master_id=master, work_id=work,
            cut=state.get("master/cut") is None, progress=stage.meter(bar),
        )  # fmt: skip
        state.put("master/cut", "yes")
        found = await _examined(stage, api, str(master), bar, until="fingerprinting")
    video = found.get("probe", {}).get("video") if found.get("probe") else None
    stage.say(f"{source.name}: resumed {resumed}×, SHA-256 {str(found['sha256'])[:16]}…")
    if video:
        stage.say(f"{video['width']}×{video['height']} {video['codec']}")


async def fingerprints(stage: Stage) -> None:
    """Wait for the original's fingerprint; upload and examine a 720p copy under another title."""
    owner, state = stage.cast.clients["producer"], stage.state
    copier = stage.cast.clients["coowner"]
    copy = stage.folder / "copy-720p.mp4"
    with stage.step("fingerprint", "3 Fingerprint 指纹: original and 720p copy") as bar:
        original = await _examined(stage, owner, str(state.id("master/original")), bar)
        if not copy.exists():
            await anyio.to_thread.run_sync(clip.make_720p_copy, _original_path(stage), copy)
        work, master = state.id("work/copy"), state.id("master/copy")
        await copier.call(
            "PUT", f"/v1/works/{work}", json=_work("江畔花开", "Blossom by the River", None)
        )
        await upload(
            copier, copy, master_id=master, work_id=work, cut=False, progress=stage.meter(bar)
        )
        await _examined(stage, copier, str(master), bar)
    print_of = original["fingerprint"]
    stage.say(f"fingerprint {print_of['version']}, SHA-256 {str(print_of['sha256'])[:16]}…")


async def listing(stage: Stage) -> None:
    """List the work, publish it, and have the copy refused."""
    owner, copier = stage.cast.clients["producer"], stage.cast.clients["coowner"]
    with stage.step("listing", "4 Listing 挂牌: published, sealed, proved"):
        name = await _drafted(stage, owner, "original")
        published = await owner.call("POST", f"{name}/publication")
        proof = await owner.until(f"{name}/proof", lambda _: True)
        copied = await _drafted(stage, copier, "copy")
        refusal = await refused(copier, "POST", f"{copied}/publication", "looks-like-another-work")
    stage.say(f"listing {published['id']}; leaf {proof['index']} of the log, proof at {name}/proof")
    stage.say(f"the 720p copy was refused: {refusal['code']} ({refusal['detail']})")
    if refusal.get("sound_bp") is not None:
        stage.say(f"its sound differs in {refusal['sound_bp']} of 10,000 bits")


async def bids(stage: Stage) -> None:
    """Three broadcasters bid in turn; the feed follows; the worker closes the auction."""
    state, cast = stage.state, stage.cast
    auction = str(state.id("auction/original"))
    clients = [cast.clients[slot] for slot in people.BROADCASTERS]
    heard: set[int] = set()
    with stage.step("bids", f"5 Bids 竞价: {stage.bids} by three broadcasters") as bar:
        async with _following(clients[0], auction, heard):
            accepted = await _bid_all(stage, clients, auction, bar)
            closed = await clients[0].until(
                f"/v1/auctions/{auction}", lambda found: found["state"] == "closed", patience_s=180
            )
            await asyncio.sleep(0.5)  # the last fact needs its number before the feed shows it
        late = await refused(
            clients[1], "PUT", f"/v1/auctions/{auction}/bids/{state.id('bid/late')}",
            "auction-closed", json=_amount(FLOOR_MINOR * 9),
        )  # fmt: skip
    stage.say(
        f"{accepted} bids answered, {len(heard)} seen in the feed; closed after "
        f"{closed['extensions']} extension(s) at {amount(closed['standing']['amount_minor'])}; "
        f"a late bid was refused: {late['code']}"
    )
    state.put("price_minor", closed["standing"]["amount_minor"])


async def _bid_all(stage: Stage, clients: list[Api], auction: str, bar: TaskID) -> int:
    """Place the bids in turn; a bid below the least is refused and told the least."""
    accepted = 0
    for number in range(stage.bids):
        client = clients[number % len(clients)]
        path = f"/v1/auctions/{auction}/bids/{stage.state.id(f'bid/{number}')}"
        if number == stage.bids - 1:
            await _until_the_last_moment(client, auction)
        try:
            await client.call("PUT", path, json=_amount(FLOOR_MINOR + number * STEP_MINOR))
        except Refused as no:
            if no.code != "auction-closed":
                raise
            break  # after a long interruption the auction has closed by itself
        accepted += 1
        stage.state.values["bids_answered"] = accepted
        stage.meter(bar)(accepted, stage.bids)
        if number == stage.bids // 2 and stage.state.get("low") is None:
            stage.state.put("low", "tried")
            low = f"/v1/auctions/{auction}/bids/{stage.state.id('bid/low')}"
            problem = await refused(
                clients[0], "PUT", low, "bid-too-low", json=_amount(FLOOR_MINOR)
            )
            stage.say(
                f"a low bid was refused; the least that leads is {amount(problem['least_minor'])}"
            )
    return accepted


async def _until_the_last_moment(api: Api, auction: str) -> None:
    """Wait until the close is near, so that the last bid extends it (soft close)."""
    found = await api.call("GET", f"/v1/auctions/{auction}")
    left = datetime.fromisoformat(found["closes_at"]) - clock.now()
    await asyncio.sleep(max(0.0, left.total_seconds() - SOFT_CLOSE_S / 2))


@asynccontextmanager
async def _following(api: Api, auction: str, heard: set[int]) -> AsyncIterator[None]:
    """Follow the feed for as long as the block runs."""
    follower = asyncio.create_task(_follow(api, auction, heard))
    try:
        yield
    finally:
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower


async def _follow(api: Api, auction: str, heard: set[int]) -> None:
    """Follow the live feed by fact number, resuming where it broke."""
    after = -1
    while True:
        with suppress(httpx.TransportError):
            url = f"/v1/feed?subject={auction}&after={after}"
            async with api.http.stream("GET", url, timeout=None) as answer:
                kind = ""
                async for line in answer.aiter_lines():
                    if line.startswith("event:"):
                        kind = line[6:].strip()
                    elif line.startswith("id:"):
                        after = int(line[3:])
                    elif line.startswith("data:") and kind == "bid.placed":
                        heard.add(int(json.loads(line[5:])["seq"]))
        await asyncio.sleep(0.2)


async def _uhd_clip(stage: Stage) -> Path:
    path = _original_path(stage)
    if path.exists():
        return path
    with stage.step(
        "encode", f"0 Encode {CLIP_SECONDS} s of 2160p50 10-bit HLG (first run only)"
    ) as bar:

        def encode() -> None:
            clip.make_uhd_hlg(SOURCE_CLIP, path, seconds=CLIP_SECONDS, progress=stage.meter(bar))

        await anyio.to_thread.run_sync(encode)
    return path


async def _drafted(stage: Stage, api: Api, which: str) -> str:
    """Write the listing unless it is published already; return its path."""
    path = f"/v1/listings/{stage.state.id(f'listing/{which}')}"
    try:
        found = await api.call("GET", path)
    except Refused:
        found = {"state": "draft"}
    if found["state"] == "draft":
        await api.call("PUT", path, json=offer(stage, which))
    return path


def _original_path(stage: Stage) -> Path:
    return stage.master or stage.folder / "master-2160p50-hlg.mp4"


async def _shares(stage: Stage, work: Any) -> None:
    """Declare 70/30; the co-owner consents (著作权法 art. 14)."""
    cast = stage.cast
    shares = [
        {"party_id": str(cast.party("producer")), "share_bp": 7_000},
        {"party_id": str(cast.party("coowner")), "share_bp": 3_000},
    ]
    await cast.clients["producer"].call("PUT", f"/v1/works/{work}/shares", json={"shares": shares})
    await cast.clients["coowner"].call("POST", f"/v1/works/{work}/shares/consent")


async def _examined(
    stage: Stage, api: Api, master: str, bar: TaskID, *, until: str = "ready"
) -> dict[str, Any]:
    """Watch the examination move the bar; return the master when it is at `until` or ready."""
    async for found in api.watch(f"/v1/masters/{master}", patience_s=EXAMINE_PATIENCE_S):
        stage.meter(bar)(found["done_bp"], 10_000)
        stage.name(bar, found["stage"])
        if found["state"] == "refused":
            raise Refused(found["refusal"])
        if found["state"] == "ready" or found["stage"] == until:
            return dict(found)
    raise TimeoutError("the examination did not end")


def _work(title_zh: str, title_en: str, isan: str | None) -> dict[str, Any]:
    return {
        "title_zh": title_zh, "title_en": title_en, "kind": "documentary", "year": 2026,
        "country": "CN", "eidr": None, "isan": isan,
        "permit_no": "国作登字-2026-I-00000001",
    }  # fmt: skip


def offer(stage: Stage, which: str) -> dict[str, Any]:
    """Return the listing of a work, its bidding open from now on."""
    state, now = stage.state, clock.now()
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    return {
        "work_id": str(state.id(f"work/{which}")),
        "master_id": str(state.id(f"master/{which}")),
        "rights": [RIGHTS],
        "sale": {
            "method": "english",
            "auction_id": str(state.id(f"auction/{which}")),
            "currency": "CNY",
            "floor_minor": FLOOR_MINOR,
            "step_minor": STEP_MINOR,
            "opens_at": now.strftime(stamp),
            "closes_at": (now + timedelta(seconds=stage.bidding_s)).strftime(stamp),
            "soft_close_s": SOFT_CLOSE_S,
            "hard_stop_at": (now + timedelta(minutes=2)).strftime(stamp),
        },
    }


def _amount(minor: int) -> dict[str, Any]:
    return {"amount_minor": minor, "currency": "CNY"}


async def refused(api: Api, method: str, path: str, *codes: str, **options: Any) -> dict[str, Any]:
    """Send what must be refused; return the problem, raise when it was let through."""
    try:
        await api.call(method, path, **options)
    except Refused as no:
        if no.code in codes:
            return no.problem
        raise
    raise RuntimeError(f"{method} {path} was let through; {codes} was expected")
