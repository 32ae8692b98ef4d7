"""Signing in a real Chromium: the key is made there, stays there, and signs what was checked."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Browser, Page, Request, Route, expect

from contracts.deals import queries, verification
from contracts.parties import queries as parties
from exchange import clock
from exchange.authority import open_authority
from exchange.context import Context
from exchange.demo import signer
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.portal_site import Visit, visit
from tests.exchange.signing_factory import Waiting, waiting_deal
from tests.exchange.test_signing_cli import MESSAGE_DIGEST

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)
PASSWORD_OF_FILE = "ein Satz 一句话"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
# PKCS#8 of a P-256 key begins so (RFC 5915 inside RFC 5958); JWK would name its secret `d`.
PKCS8 = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
EC_KEY = bytes.fromhex("0201010420")
EXPORTS = """async () => {
  const opening = indexedDB.open("uhdx-signing", 1);
  await new Promise((done) => { opening.onsuccess = done; });
  const asked = opening.result.transaction("keys").objectStore("keys").getAll();
  await new Promise((done) => { asked.onsuccess = done; });
  const told = [];
  for (const { privateKey } of asked.result) {
    for (const form of ["pkcs8", "jwk", "raw"]) {
      try {
        await crypto.subtle.exportKey(form, privateKey);
        told.push("exported");
      } catch (error) {
        told.push(error.name);
      }
    }
  }
  return told;
}"""


class Traffic:
    """Everything that a page sends, to be searched for what must not be in it."""

    def __init__(self, page: Page) -> None:
        self.sent: list[tuple[str, bytes]] = []
        page.on("request", self._remember)

    def _remember(self, request: Request) -> None:
        said = f"{request.method} {request.url} {json.dumps(request.headers)}"
        self.sent.append((said, request.post_data_buffer or b""))

    def bodies(self, ending: str) -> list[bytes]:
        return [body for said, body in self.sent if said.split()[1].endswith(ending)]

    def holds(self, secret: bytes) -> bool:
        forms = (
            secret, secret.hex().encode(), base64.b64encode(secret),
            base64.urlsafe_b64encode(secret).rstrip(b"="),
        )  # fmt: skip
        return any(form in said.encode() + body for said, body in self.sent for form in forms)

    def holds_a_private_key(self) -> bool:
        for said, body in self.sent:
            text = said.encode() + body
            if b"PRIVATE KEY" in text or b'"d"' in text or b"pkcs8" in text.lower():
                return True
            for raw in decoded(body):
                if PKCS8 in raw and EC_KEY in raw:
                    return True
        return False


def decoded(body: bytes) -> list[bytes]:
    """The body, and every text in it that is base64."""
    found = [body]
    try:
        values = json.loads(body).values() if body else ()
    except ValueError:
        return found
    for value in values:
        text = "".join(line for line in str(value).splitlines() if "-----" not in line)
        found.append(base64.b64decode(text + "=" * (-len(text) % 4)))
    return found


async def sign(seen: Visit, deal: object, *, button: str, done: str) -> None:
    page = seen.page
    await seen.go(f"/deals/{deal}")
    await page.locator(f'a[href="/deals/{deal}/signing"]').click()
    await expect(page.locator("#amount")).to_contain_text("壹佰贰拾万元整")
    await page.check("#read")
    await seen.shot(f"signing-{'zh' if button != 'Sign the contract' else 'en'}")
    await page.get_by_role("button", name=button).click()
    await expect(page.locator("#told")).to_contain_text(done)


async def the_other_side_signs(site: str, browser: Browser, waiting: Waiting, folder: Path) -> None:
    """On a telephone, in Chinese, with a key from a PKCS#12 file."""
    async with visit(browser, site, locale="zh-CN", viewport=NARROW) as seen:
        page, traffic = seen.page, Traffic(seen.page)
        await seen.sign_in(waiting.people["licensee"].email, PASSWORD)
        file, secret = pkcs12(folder)
        await imported(seen, file)
        assert await page.evaluate(EXPORTS) == ["InvalidAccessError"] * 3
        await sign(seen, waiting.deal.id, button="签署合同", done="已签署")
        assert not traffic.holds_a_private_key()
        assert not traffic.holds(secret) and not traffic.holds(PASSWORD_OF_FILE.encode())
        assert not traffic.holds(file.read_bytes()[:64])


async def test_both_sides_sign_in_the_browser_and_the_key_is_in_no_request(
    context: Context, site: str, browser: Browser, tmp_path: Path
) -> None:
    waiting = await waiting_deal(context)
    deal = waiting.deal.id
    async with visit(browser, site, viewport=WIDE) as seen:
        page, traffic = seen.page, Traffic(seen.page)
        await seen.sign_in(waiting.people["licensor"].email, PASSWORD)
        await seen.go(f"/deals/{deal}/signing")
        await expect(page.locator("#no-key")).to_be_visible()
        await page.get_by_role("link", name="To the signing keys").click()
        await page.get_by_role("button", name="Make and register a key").click()
        await expect(page.locator(".here")).to_be_visible()
        await seen.shot("signing-keys-en")
        assert await page.evaluate(EXPORTS) == ["InvalidAccessError"] * 3
        await sign(seen, deal, button="Sign the contract", done="Signed.")
        [csr] = keys_of(traffic)
        assert b"BEGIN CERTIFICATE REQUEST" in csr
        assert len(traffic.bodies("/signature")) == 1
        assert not traffic.holds_a_private_key()
    await the_other_side_signs(site, browser, waiting, tmp_path)
    async with context.db.transaction() as session:
        assert (await queries.get_deal(session, deal)).signing == "executed"
        pdf = (await queries.document(session, deal)).pdf
    root = open_authority(context.settings, now=clock.now()).root_pem
    assert [one.role for one in verification.check_signatures(pdf, root) if one.good] == [
        "exchange", "licensor", "licensee",
    ]  # fmt: skip


def pkcs12(folder: Path, *more: str) -> tuple[Path, bytes]:
    """A .p12 as OpenSSL writes it, and the secret number of its key."""
    key, certificate, file = folder / "k.pem", folder / "c.pem", folder / "k.p12"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    openssl("req", "-x509", "-key", str(key), "-subj", "/CN=x", "-out", str(certificate))
    openssl(
        "pkcs12", "-export", "-inkey", str(key), "-in", str(certificate), "-out", str(file),
        "-passout", f"pass:{PASSWORD_OF_FILE}", *more,
    )  # fmt: skip
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return file, private.private_numbers().private_value.to_bytes(32)


async def imported(seen: Visit, file: Path) -> None:
    page = seen.page
    await seen.go("/signing-keys")
    await page.set_input_files("#p12", file)
    await page.fill("#password", "another")
    await page.get_by_role("button", name="导入密钥").click()
    await expect(page.locator("#told")).to_contain_text("该密码无法打开文件")
    await page.fill("#password", PASSWORD_OF_FILE)
    await page.get_by_role("button", name="导入密钥").click()
    await expect(page.locator(".here")).to_be_visible()
    await seen.shot("signing-keys-zh-narrow")


def keys_of(traffic: Traffic) -> list[bytes]:
    return [
        body for said, body in traffic.sent if said.startswith("PUT") and "/signing-keys/" in said
    ]


async def other_digest(route: Route) -> None:
    answer = await route.fetch()
    begun = await answer.json()
    tbs = bytearray(base64.b64decode(begun["tbs_der_b64"]))
    tbs[tbs.index(MESSAGE_DIGEST) + len(MESSAGE_DIGEST)] ^= 1
    changed = {**begun, "tbs_der_b64": base64.b64encode(tbs).decode()}
    await route.fulfill(response=answer, json=changed)


async def other_price(route: Route) -> None:
    answer = await route.fetch()
    body = (await answer.body()).replace(b"1200000.00", b"1300000.00")
    await route.fulfill(response=answer, body=body)


async def test_a_session_for_other_bytes_is_not_signed(
    context: Context, site: str, browser: Browser
) -> None:
    waiting = await waiting_deal(context)
    async with visit(browser, site, viewport=NARROW) as seen:
        page, traffic = seen.page, Traffic(seen.page)
        await seen.sign_in(waiting.people["licensor"].email, PASSWORD)
        await seen.go("/signing-keys")
        await page.get_by_role("button", name="Make and register a key").click()
        await expect(page.locator(".here")).to_be_visible()
        await page.route("**/signing-sessions/*", other_digest)
        await seen.go(f"/deals/{waiting.deal.id}/signing")
        await page.check("#read")
        await page.get_by_role("button", name="Sign the contract").click()
        await expect(page.locator("#told")).to_contain_text("is not the contract shown here")
        await expect(page.locator("#told")).to_contain_text("(digest)")
        await seen.shot("signing-tampered-narrow")
        await page.route(f"**/v1/deals/{waiting.deal.id}/terms", other_price)
        await seen.go(f"/deals/{waiting.deal.id}/signing")
        await expect(page.locator("#told")).to_contain_text("(terms)")
        await expect(page.locator("#sign")).to_be_hidden()
        assert traffic.bodies("/signature") == []


async def test_a_file_with_old_ciphers_is_refused_and_nothing_is_sent(
    context: Context, site: str, browser: Browser, tmp_path: Path
) -> None:
    old, _ = pkcs12(tmp_path, "-legacy", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1")
    now = clock.now()
    async with context.db.transaction() as session:
        home = await party(session, kind="rights_holder", now=now)
        holder = await person(session, party_id=home.id, role="holder", now=now)
    async with visit(browser, site, viewport=WIDE) as seen:
        page, traffic = seen.page, Traffic(seen.page)
        await seen.sign_in(holder.email, PASSWORD)
        await seen.go("/signing-keys")
        await page.set_input_files("#p12", old)
        await page.fill("#password", PASSWORD_OF_FILE)
        await page.get_by_role("button", name="Import the key").click()
        await expect(page.locator("#told")).to_contain_text("as OpenSSL 3 writes them")
        assert keys_of(traffic) == []


async def test_a_key_of_this_browser_vouches_for_the_next_one(
    context: Context, site: str, browser: Browser, tmp_path: Path
) -> None:
    file, _ = pkcs12(tmp_path)
    now = clock.now()
    async with context.db.transaction() as session:
        home = await party(session, kind="rights_holder", now=now)
        holder = await person(session, party_id=home.id, role="holder", now=now)
    async with visit(browser, site, viewport=WIDE) as seen:
        page = seen.page
        await seen.sign_in(holder.email, PASSWORD)
        await seen.go("/signing-keys")
        await page.get_by_role("button", name="Make and register a key").click()
        await expect(page.locator(".here:visible")).to_have_count(1)
        await page.set_input_files("#p12", file)
        await page.fill("#password", PASSWORD_OF_FILE)
        await page.get_by_role("button", name="Import the key").click()
        await expect(page.locator(".here:visible")).to_have_count(2)
        await seen.shot("signing-keys-vouched")
    async with context.db.transaction() as session:
        first, second = await parties.keys_of(session, home.id)
    told = sorted([first, second], key=lambda key: key.registered_at)
    assert [key.endorsed_by for key in told] == [None, told[0].id]
    async with visit(browser, site, viewport=NARROW) as stranger:  # keeps none of the keys
        await stranger.sign_in(holder.email, PASSWORD)
        await stranger.go("/signing-keys")
        await stranger.page.get_by_role("button", name="Make and register a key").click()
        await expect(stranger.page.locator("#told")).to_contain_text("key-not-endorsed")
        await stranger.shot("signing-keys-not-vouched-narrow")


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def test_the_search_for_private_keys_would_find_one() -> None:
    """What the traffic is searched for is found where it is: a test of the test."""
    pem, csr = signer.make_key_and_csr("x")
    traffic = Traffic.__new__(Traffic)
    traffic.sent = [("PUT /", json.dumps({"csr_pem": csr.decode()}).encode())]
    assert not traffic.holds_a_private_key()
    der = base64.b64encode(
        serialization.load_pem_private_key(pem, None).private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    traffic.sent = [("PUT /", json.dumps({"blob": der.decode()}).encode())]
    assert traffic.holds_a_private_key()
