"""`exchange sign AUCTION --deposit`: an agreement checked, typeset again, signed at a terminal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts import canonical
from contracts.deals.consent import SessionNotSound
from exchange import clock
from exchange.context import Context
from exchange.signing_client import Desk, NothingToSign
from tests.contracts.parties_factory import party
from tests.exchange.agreements_factory import asking_auction
from tests.exchange.identity_factory import api_key, person
from tests.exchange.portal_site import served
from tests.exchange.test_signing_browser import openssl
from tests.exchange.test_signing_cli import Terminal


@pytest.fixture
async def terminal(context: Context, tmp_path: Path) -> AsyncIterator[tuple[Terminal, str]]:
    now = clock.now()
    async with context.db.transaction() as session:
        seller = await party(session, now=now)
        auction = await asking_auction(session, seller=seller, now=now)
        home = await party(session, kind="broadcaster", now=now)
        who = await person(session, party_id=home.id, role="broadcaster", now=now)
        key = await api_key(session, person=who, now=now)
    async with served(context) as site:
        yield Terminal(site, tmp_path, key), str(auction.id)


async def test_a_bidder_signs_with_a_key_in_a_file_after_the_typesetting_was_compared(
    terminal: tuple[Terminal, str],
) -> None:
    one, auction = terminal
    key = await one.with_key()
    sign = ("sign", auction, "--deposit", "--key", key)
    no = await one.run(*sign, typed="n\n")
    assert no.exit_code == 1 and "byte for byte the same" in no.output
    for shown in ("20000.00", "人民币贰万元整", "bidder", "(you)"):
        assert shown in no.output
    told = await one.good(*sign, "--yes", "--save", str(one.folder))
    assert "is now signed" in told
    terms = canonical.loads((one.folder / "terms.json").read_bytes())
    assert terms["auction"] == auction
    assert isinstance(await one.refused(*sign, "--yes"), NothingToSign)


async def test_a_device_signs_in_two_calls(terminal: tuple[Terminal, str]) -> None:
    one, auction = terminal
    key, out, sig = await one.with_key(), one.file("out.der"), one.file("sig.der")
    told = await one.good("sign", auction, "--deposit", "--prepare", out, "--yes")
    assert f"exchange sign {auction} --deposit --signature" in told
    openssl("dgst", "-sha256", "-sign", key, "-out", sig, out)
    assert "is now signed" in await one.good("sign", auction, "--deposit", "--signature", sig)
    assert not list(one.folder.glob("*.session.json"))


async def test_changed_terms_are_not_signed(
    terminal: tuple[Terminal, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exchange that shows other terms than it certified gets no signature."""
    one, auction = terminal
    key, raw = await one.with_key(), Desk.raw

    def lying(desk: Desk, method: str, path: str, content: object = None) -> bytes:
        told = raw(desk, method, path, content)
        return told.replace(b"20000.00", b"10000.00") if path.endswith("/terms") else told

    monkeypatch.setattr(Desk, "raw", lying)
    refusal = await one.refused("sign", auction, "--deposit", "--key", key, "--yes")
    assert isinstance(refusal, SessionNotSound)
