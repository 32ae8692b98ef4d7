"""A sealed auction from the key to the award, by the commands and endpoints that people use."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio.to_thread
import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from contracts import canonical, ids, rfc3339
from contracts.parties.tables import Party
from contracts.refusal import Refusal
from exchange import cli, clock
from exchange.bid_cli import app as bid_app
from exchange.context import Context
from exchange.identity.rules import Role
from exchange.sealed_cli import ExchangeSaidNo, KeyFileUnreadable, TooEarlyToOpen
from listings.auctions import ending
from listings.auctions import service as auctions
from listings.sealed.ceremony import FalseShare
from listings.sealed.opening import BadOpeningKey
from listings.sealed.sharing import HOLDERS
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import api_key, person
from tests.exchange.portal_site import served

ROLE = {"seller": Role.HOLDER, "exchange": Role.OPERATOR, "auditor": Role.AUDITOR}


@dataclass
class Stage:
    """A served exchange, the holders' keys and API keys, and bidders."""

    site: str
    context: Context
    folder: Path
    seller: Party
    api_keys: dict[str, str] = field(default_factory=dict)
    auction: UUID = field(default_factory=lambda: ids.new(clock.now()))

    @property
    def part(self) -> Path:
        return self.folder / "part"

    async def run(self, *words: str, who: str = "nobody") -> Result:
        """Run a command of the real command line, in its own thread like a terminal's."""
        environment = {"EXCHANGE_KEY": self.api_keys.get(who, "")}
        at = ["--exchange", self.site] if words[1] not in ("keygen", "combine") else []
        runner = CliRunner()
        return await anyio.to_thread.run_sync(
            lambda: runner.invoke(cli.app, [*words, *at], env=environment)
        )

    async def good(self, *words: str, who: str = "nobody") -> Result:
        told = await self.run(*words, who=who)
        assert told.exit_code == 0, (told.output, told.exception)
        return told

    async def refused(self, *words: str, who: str = "nobody") -> Refusal:
        told = await self.run(*words, who=who)
        assert isinstance(told.exception, Refusal), (told.output, told.exception)
        return told.exception

    async def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        key = self.api_keys.get(who)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with httpx.AsyncClient(base_url=self.site, headers=headers) as client:
            return await client.request(method, f"/v1/auctions/{self.auction}{path}", json=body)

    def pem(self, name: str) -> str:
        """A file with a fresh P-256 key; beside it the public half."""
        path = self.folder / f"{name}.key"
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            path.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )  # fmt: skip
            (self.folder / f"{name}.pem").write_bytes(
                key.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
        return str(path)

    async def keygen(self, to: Path, auction: UUID | None = None) -> Result:
        for holder in HOLDERS:
            self.pem(holder)
        pems = [str(self.folder / f"{holder}.pem") for holder in HOLDERS]
        return await self.good(
            "sealed", "keygen", str(auction or self.auction), "--seller", pems[0],
            "--operator", pems[1], "--auditor", pems[2], "--out", str(to),
        )  # fmt: skip

    def share(self, holder: str) -> list[str]:
        return [str(self.part / f"{holder}.share.json"), "--mine", self.pem(holder)]

    async def opened(self) -> None:
        """Publish the auction: the part of a listing that is about its sale."""
        now = clock.now()
        sale = {
            "method": "sealed", "auction_id": str(self.auction), "currency": "CNY",
            "floor_minor": 100_000, "opens_at": rfc3339.exact(now - timedelta(minutes=1)),
            "closes_at": rfc3339.exact(now + timedelta(hours=1)),
            "secrecy": {"bidders": "hidden", "amounts": "sealed"},
            "opening": canonical.loads((self.part / "opening.json").read_bytes()),
        }  # fmt: skip
        async with self.context.db.transaction() as session:
            await auctions.open_auction(
                session, self.auction, listing_id=ids.new(now), work_id=ids.new(now),
                seller_id=self.seller.id, sale=sale, now=now,
            )  # fmt: skip

    async def close(self) -> None:
        async with self.context.db.transaction() as session:
            row = await auctions.locked(session, self.auction)
            await ending.close(session, row, now=row.closes_at)


@pytest.fixture
async def stage(context: Context, tmp_path: Path) -> AsyncIterator[Stage]:
    now = clock.now()
    keys: dict[str, str] = {}
    async with context.db.transaction() as session:
        seller = await party(session, kind="rights_holder", now=now)
        for holder, role in ROLE.items():
            home = seller if holder == "seller" else await party(session, now=now)
            who = await person(session, party_id=home.id, role=role.value, now=now)
            keys[holder] = await api_key(session, person=who, now=now)
        for bidder in ("one", "other"):
            home = await party(session, kind="broadcaster", now=now)
            who = await person(session, party_id=home.id, role="broadcaster", now=now)
            keys[bidder] = await api_key(session, person=who, now=now)
    async with served(context) as site:
        yield Stage(site, context, tmp_path, seller, keys)


async def ready(stage: Stage) -> None:
    await stage.keygen(stage.part)
    await stage.good("sealed", "register", str(stage.part / "opening.json"), who="seller")
    for holder in HOLDERS:
        await stage.good("sealed", "acknowledge", *stage.share(holder), who=holder)
    await stage.opened()


async def test_two_holders_open_what_bidders_sealed_at_their_terminals(stage: Stage) -> None:
    await ready(stage)
    kept = stage.folder / "kept"
    for who, amount in (("one", "150000"), ("other", "170000")):
        told = await stage.good(
            "bid", "seal", str(stage.auction), "--amount-minor", amount, "--keep", str(kept / who),
            who=who,
        )  # fmt: skip
        assert '"receipt"' in told.output
    early = await stage.refused("sealed", "release", *stage.share("seller"), who="seller")
    assert isinstance(early, TooEarlyToOpen)
    [file] = (kept / "one").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text())["content"]["amount_minor"] == 150_000
    again = await stage.good("bid", "send", str(file), who="one")
    assert '"receipt"' in again.output
    own = await stage.refused("bid", "open", str(file), who="one")
    assert isinstance(own, TooEarlyToOpen)
    await stage.close()
    first = await stage.good("sealed", "release", *stage.share("seller"), who="seller")
    assert json.loads(first.output) == {
        "state": "closed", "handed_in": ["seller"], "opened": 0, "failed": 0,
    }  # fmt: skip
    second = await stage.good("sealed", "release", *stage.share("auditor"), who="auditor")
    assert json.loads(second.output) == {
        "state": "opened", "handed_in": ["seller", "auditor"], "opened": 2, "failed": 0,
    }  # fmt: skip
    shown = (await stage.ask("nobody", "GET", "/opening")).json()
    amounts = [one["content"]["amount_minor"] for one in shown["opened"]["openings"]]
    assert amounts == [150_000, 170_000]


async def test_a_bidder_opens_its_own_bid_when_the_holders_do_not(stage: Stage) -> None:
    await ready(stage)
    kept = stage.folder / "kept"
    words = ("--amount-minor", "150000", "--keep", str(kept))
    await stage.good("bid", "seal", str(stage.auction), *words, who="one")
    await stage.close()
    [file] = kept.iterdir()
    told = await stage.good("bid", "open", str(file), who="one")
    assert json.loads(told.output)["state"] == "closed"
    not_mine = await stage.refused("bid", "open", str(file), who="other")
    assert isinstance(not_mine, ExchangeSaidNo)
    shown = (await stage.ask("nobody", "GET", "/opening")).json()
    assert shown["opened"] is None
    assert "150000" not in json.dumps(shown)


async def test_three_parts_are_combined_to_a_key_that_opens(stage: Stage) -> None:
    parts = [stage.folder / f"part-{n}" for n in range(3)]
    for part in parts:
        await stage.keygen(part)
    hashes = set()
    for holder in HOLDERS:
        told = await stage.good(
            "sealed", "combine", *map(str, parts), "--holder", holder,
            "--mine", stage.pem(holder), "--out", str(stage.part),
        )  # fmt: skip
        hashes.add(told.output.split()[1])
    assert len(hashes) == 1
    await stage.good("sealed", "register", str(stage.part / "opening.json"), who="seller")
    for holder in HOLDERS:
        await stage.good("sealed", "acknowledge", *stage.share(holder), who=holder)
    await stage.opened()
    sealed = ("--amount-minor", "150000", "--keep", str(stage.folder / "kept"))
    await stage.good("bid", "seal", str(stage.auction), *sealed, who="one")
    await stage.close()
    await stage.good("sealed", "release", *stage.share("exchange"), who="exchange")
    told = await stage.good("sealed", "release", *stage.share("auditor"), who="auditor")
    assert json.loads(told.output)["opened"] == 1
    # the first part alone is another key: its shares open nothing here
    odd = [str(parts[0] / "seller.share.json"), "--mine", stage.pem("seller")]
    assert isinstance(await stage.refused("sealed", "release", *odd, who="seller"), FalseShare)


async def test_files_that_are_not_what_they_should_be_are_refused(stage: Stage) -> None:
    await stage.keygen(stage.part)
    odd = stage.folder / "odd.json"
    odd.write_text("{")
    assert isinstance(await stage.refused("sealed", "register", str(odd)), KeyFileUnreadable)
    odd.write_text("[]")
    assert isinstance(await stage.refused("sealed", "register", str(odd)), KeyFileUnreadable)
    odd.write_text("{}")
    assert isinstance(await stage.refused("sealed", "register", str(odd)), KeyFileUnreadable)
    assert isinstance(await stage.refused("bid", "open", str(odd)), KeyFileUnreadable)
    odd.write_text(json.dumps({"auction": str(stage.auction)}))
    assert isinstance(await stage.refused("sealed", "register", str(odd)), BadOpeningKey)
    not_a_key = [str(stage.part / "seller.share.json"), "--mine", str(odd)]
    await stage.good("sealed", "register", str(stage.part / "opening.json"), who="seller")
    wrong = await stage.refused("sealed", "acknowledge", *not_a_key, who="seller")
    assert isinstance(wrong, KeyFileUnreadable)
    others = [str(stage.part / "seller.share.json"), "--mine", stage.pem("auditor")]
    wrong = await stage.refused("sealed", "acknowledge", *others, who="seller")
    assert isinstance(wrong, FalseShare)


async def test_nothing_is_sent_when_the_amount_is_missing(stage: Stage) -> None:
    await ready(stage)
    told = await stage.run("bid", "seal", str(stage.auction), who="one")
    assert told.exit_code == 2
    told = await stage.run("bid", "seal", str(stage.auction), "--amount-minor", "0", who="one")
    assert told.exit_code == 2
    words = ("--amount-minor", "5", "--value", "days=soon")
    assert (await stage.run("bid", "seal", str(stage.auction), *words, who="one")).exit_code == 2


async def test_who_is_not_the_holder_is_told_so_and_strangers_learn_nothing(stage: Stage) -> None:
    await ready(stage)
    share = {"share": "5a" * 32}
    answers = [
        await stage.ask("auditor", "PUT", "/opening/shares/seller", share),
        await stage.ask("seller", "PUT", "/opening/shares/exchange", share),
        await stage.ask("seller", "PUT", "/opening/shares/seller", share),
        await stage.ask("one", "PUT", "/opening/shares/seller", share),
        await stage.ask("nobody", "PUT", "/opening/shares/seller", share),
        await stage.ask("one", "GET", "/opening-key"),
        await stage.ask("auditor", "GET", "/opening-key"),
        await stage.ask("seller", "GET", "/opening-key"),
        await stage.ask("seller", "PUT", "/opening/shares/nobody", share),
    ]
    told = [(one.status_code, one.json().get("code")) for one in answers]
    assert told == [
        (403, "not-the-holder"),
        (403, "not-the-holder"),
        (409, "false-share"),
        (403, "not-allowed"),
        (401, "sign-in-needed"),
        (404, "unknown"),
        (200, None),
        (200, None),
        (422, "invalid-content"),
    ]


def test_the_commands_explain_themselves() -> None:
    for words in (["--help"], ["seal", "--help"], ["open", "--help"]):
        assert CliRunner().invoke(bid_app, words).exit_code == 0
