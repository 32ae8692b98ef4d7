"""The pages of the register: who sees what, every entry by its form, refusals in place."""

import re
from datetime import timedelta
from uuid import UUID

import httpx

from contracts import ids
from contracts.refusal import Refusal
from contracts.titles import explaining, recording
from contracts.titles.recording import Licensee
from exchange import clock
from exchange.context import Context
from exchange.identity.tables import Person
from exchange.portal import encumbered, reasons, register
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person
from tests.exchange.rights_walk import burdened, satellite
from tests.exchange.test_portal_deals import enter as enter_as
from tests.exchange.test_portal_deals import traded
from tests.exchange.test_portal_pages import browser, token_in
from tests.listings.catalogue_factory import published_listing

PDF = b"%PDF-1.7\n% a licence in\n%%EOF\n"
BOX = {
    "right": "broadcasting", "media": ["satellite"], "territories": "CN-SH", "languages": "zh",
    "first_day": "2028-01-01", "last_day": "2028-12-31", "tz": "Asia/Shanghai",
    "exclusivity": "exclusive",
}  # fmt: skip


class Scene:
    """A work, its owner, a licensee of Guangdong, a stranger and an operator, all signed up."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.people: dict[str, Person] = {}
        self.work_id = UUID(int=0)

    async def set(self) -> "Scene":
        now, kinds = clock.now(), {"owner": "rights_holder", "friend": "broadcaster"}
        roles = {"owner": "holder", "friend": "broadcaster", "operator": "operator"}
        async with self.context.db.transaction() as session:
            homes = {}
            for name in ("owner", "friend", "stranger", "operator"):
                homes[name] = await party(session, kind=kinds.get(name, "rights_holder"), now=now)
                role = roles.get(name, "holder")
                self.people[name] = await person(
                    session, party_id=homes[name].id, role=role, now=now
                )
            subject = await burdened(session, owner=homes["owner"], friend=homes["friend"], now=now)
        self.work_id = subject.id
        return self

    async def enter(self, client: httpx.AsyncClient, name: str) -> None:
        form = {"email": self.people[name].email, "password": PASSWORD}
        assert (await client.post("/sign-in", data=form)).status_code == 303

    @property
    def at(self) -> str:
        return f"/works/{self.work_id}"


async def sent(
    client: httpx.AsyncClient, page_at: str, to: str, **fields: object
) -> httpx.Response:
    """Send a form from a page, with the page's token and the id that its form carries."""
    page = (await client.get(page_at)).text
    entry = re.search(r'name="(entry_id|telecast_id)" value="([^"]+)"', page)
    known = {entry[1]: entry[2]} if entry else {}
    return await client.post(to, data={**known, **fields, "csrf_token": token_in(page)})


def test_every_reason_and_state_has_words_in_both_languages() -> None:
    for code, words in explaining.WORDS.items():
        zh, en = words
        assert re.search("[一-鿿]", zh) and en.isascii(), code
    assert set(encumbered.ENGLISH) == set(encumbered.KINDS)
    assert set(reasons.SHADES) == {"free", "partly", "taken", "unknown"}
    assert set(reasons.STATES) == {"reserved", "held", "effective", "released", "ended"}


async def test_the_map_shows_every_shade_with_words_beside_its_colour(context: Context) -> None:
    scene = await Scene(context).set()
    async with browser(context) as client:
        await scene.enter(client, "owner")
        query = "rows=CN&right=broadcasting&medium=satellite&from=2028-01&months=6"
        page = (await client.get(f"{scene.at}/rights?{query}")).text
        rows = re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)</a></th>(.*?)</tr>', page, re.S)
        shades = {name: re.findall(r'class="shade (\w+)"', cells) for name, cells in rows}
        assert len(rows) == 31
        assert shades["Guangdong"] == ["taken"] * 6
        assert shades["Shanghai"] == ["free"] * 6
        assert shades["Hainan"] == ["free"] * 2 + ["taken"] * 4
        assert set(shades["Xizang"]) == {"unknown"}
        for cell in re.findall(r'<td class="shade .*?</td>', page, re.S):
            assert "unseen" in cell or "aria-label" in cell


async def test_a_cell_tells_its_reasons_and_until_when(context: Context) -> None:
    scene = await Scene(context).set()
    async with browser(context) as client:
        await scene.enter(client, "owner")
        query = "rows=CN&right=broadcasting&medium=satellite&from=2027-12&months=24"
        at = f"{scene.at}/rights?{query}&at=CN-GD&month=2028-03"
        why = (await client.get(at)).text.partition('id="why"')[2].partition("</section>")[0]
        assert "licensed exclusively or solely already" in why and "已作独占或排他许可" in why
        assert "2028-01-01" in why and "2029-06-30" in why
        assert f"{scene.at}/register#grant-" in why


async def test_a_cell_tells_only_what_touches_its_month(context: Context) -> None:
    scene = await Scene(context).set()
    async with browser(context) as client:
        await scene.enter(client, "owner")
        query = "rows=CN&right=broadcasting&medium=satellite&from=2028-01&months=12&at=CN-HI"
        for month, outcome, is_black in (("2028-02", "free", False), ("2028-03", "not free", True)):
            page = (await client.get(f"{scene.at}/rights?{query}&month={month}")).text
            why = page.partition('id="why"')[2].partition("</section>")[0]
            assert ("blacked out" in why) is is_black
            assert f"<strong>{outcome}</strong>" in why


async def test_a_stranger_sees_neither_map_nor_register_until_something_is_listed(
    context: Context,
) -> None:
    scene = await Scene(context).set()
    async with browser(context) as client:
        await scene.enter(client, "stranger")
        for path in ("rights", "rights/check", "register", "register/new/hold"):
            assert (await client.get(f"{scene.at}/{path}")).status_code == 404, path
        now = clock.now()
        async with context.db.transaction() as session:
            seller = await party(session, kind="rights_holder", now=now)
            listing = await published_listing(session, seller=seller, now=now)
        page = await client.get(f"/works/{listing.work_id}/rights?from=2027-01&months=24")
        assert page.status_code == 200 and "reserved for an offer" in page.text
        assert "/register" not in page.text and "/deals/" not in page.text.partition("<main")[2]
        told = (await client.get(f"/listings/{listing.id}")).text
        assert f'href="/works/{listing.work_id}/rights"' in told


async def test_a_question_that_cannot_be_asked_is_told_beside_its_form(context: Context) -> None:
    scene = await Scene(context).set()
    async with browser(context) as client:
        await scene.enter(client, "owner")
        bad = await client.get(f"{scene.at}/rights?right=broadcasting&medium=ott")
        assert bad.status_code == 422 and "nothing-offered" in bad.text
        assert 'name="medium"' in bad.text
        answer = await client.get(f"{scene.at}/rights/check", params={**BOX, "territories": "+XX"})
        assert answer.status_code == 422 and "unknown-territory" in answer.text
        assert 'value="+XX"' in answer.text
        for months in ("1000", "x"):
            assert (await client.get(f"{scene.at}/rights?months={months}")).status_code == 422


async def test_is_exactly_this_free_is_answered_with_the_parts_that_are(context: Context) -> None:
    scene = await Scene(context).set()
    async with browser(context) as client:
        await scene.enter(client, "owner")
        free = (await client.get(f"{scene.at}/rights/check", params=BOX)).text
        assert '<p class="note good"><strong>free</strong>' in free
        partly = {**BOX, "territories": "CN-SH CN-GD"}
        told = (await client.get(f"{scene.at}/rights/check", params=partly)).text
        assert "partly free" in told and "Shanghai" in told and "exclusive-out" in told


async def test_a_hold_is_placed_and_given_up_on_the_page(context: Context) -> None:
    scene = await Scene(context).set()
    friend = scene.people["friend"].party_id
    until = (clock.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    async with browser(context) as client:
        await scene.enter(client, "owner")
        form = {**BOX, "grantee_id": str(friend), "expires_at": until}
        new, to = f"{scene.at}/register/new/hold", f"{scene.at}/register/holds"
        assert (await sent(client, new, to, **form)).status_code == 303
        page = (await client.get(f"{scene.at}/register")).text
        assert "Shanghai" in page and len(re.findall(r'action="[^"]+/lift"', page)) == 3
        taken = await sent(client, new, to, **{**form, "territories": "CN-GD"})
        assert taken.status_code == 409
        assert "rights-already-granted" in taken.text
        assert "Overlap: satellite television · Guangdong · 2028-01-01 00:00" in taken.text
        black = await sent(client, new, to, **{**form, "territories": "CN-HI"})
        assert black.status_code == 409 and "rights-not-available" in black.text
        assert "blacked out: Hainan · 2028-03-01 – 2028-08-31" in black.text
        assert "outcome" not in black.text
        lift = re.findall(rf'action="({scene.at}/register/holds/[^"]+/lift)"', page)[-1]
        assert (await sent(client, f"{scene.at}/register", lift)).status_code == 303
        assert "Given up" in (await client.get(f"{scene.at}/register")).text


async def test_a_licence_made_elsewhere_is_recorded_and_the_staff_takes_it_back(
    context: Context,
) -> None:
    scene = await Scene(context).set()
    async with browser(context) as client:
        await scene.enter(client, "owner")
        new, to = f"{scene.at}/register/new/record", f"{scene.at}/register/records"
        form = {**BOX, "licensee_name": "Example <b>Channel</b>", "round_no": "2"}
        assert (await sent(client, new, to, **form)).status_code == 303
        page = (await client.get(f"{scene.at}/register")).text
        assert "Example &lt;b&gt;Channel" in page and "made elsewhere" in page
        assert "second run" in page and "Take back" not in page
    async with browser(context) as client:
        await scene.enter(client, "operator")
        page = (await client.get(f"{scene.at}/register")).text
        back = re.findall(rf'action="({scene.at}/register/grants/[^"]+/reversion)"', page)[-1]
        given = {"reason": "default", "note": "The second instalment was not paid."}
        assert (await sent(client, f"{scene.at}/register", back, **given)).status_code == 303
        assert "Default of payment" in (await client.get(f"{scene.at}/register")).text


async def test_promises_are_declared_dated_lifted_and_excepted_on_the_page(
    context: Context,
) -> None:
    scene = await Scene(context).set()
    at = f"{scene.at}/register"
    async with browser(context) as client:
        await scene.enter(client, "owner")
        page = (await client.get(at)).text
        assert "theatrical release + 6 months" in page and "waits for theatrical release" in page
        dated = {"event": "theatrical-release", "happened_on": "2026-10-01"}
        assert (await sent(client, at, f"{at}/events", **dated)).status_code == 303
        page = (await client.get(at)).text
        assert "2026-10-01" in page and "waits for" not in page
        pledge = {
            **BOX, "kind": "pledge", "right": "", "media": [], "reference": "著质登字-2026-0001",
            "beneficiary_id": str(scene.people["friend"].party_id), "last_day": "",
        }  # fmt: skip
        made = await sent(client, f"{at}/new/encumbrance", f"{at}/encumbrances", **pledge)
        assert made.status_code == 303, made.text
        page = (await client.get(at)).text
        assert "著质登字-2026-0001" in page and "without end" in page and "all rights" in page
        lift = re.findall(rf'action="({at}/encumbrances/[^"]+/lift)"', page)
        assert len(lift) == 1  # the blackout: what serves somebody is theirs to give up
        assert (await sent(client, at, lift[0], reason="not needed")).status_code == 303
    async with browser(context) as client:
        await scene.enter(client, "friend")
        page = (await client.get(at)).text
        assert "Pledge" in page and "Blackout" not in page
        new = re.findall(rf'href="({at}/new/consent\?of=([^"]+))"', page)
        to = f"{at}/encumbrances/{new[0][1]}/consents"
        given = await sent(client, new[0][0], to, **BOX)
        assert given.status_code == 303, given.text
        assert "consented</span> Shanghai" in (await client.get(at)).text


async def test_a_document_is_filed_and_saved_again(context: Context) -> None:
    scene = await Scene(context).set()
    at = f"{scene.at}/register"
    async with browser(context) as client:
        await scene.enter(client, "owner")
        token = token_in((await client.get(at)).text)
        form = {"csrf_token": token, "kind": "licence-in", "from_party": "示范影业"}
        files = {"file": ("授权书.pdf", PDF, "application/pdf")}
        done = await client.post(f"{at}/documents", data=form, files=files)
        assert done.status_code == 303, done.text
        page = (await client.get(at)).text
        assert "授权书.pdf" in page and "Licence in" in page
        saved = await client.get(re.findall(rf'href="({at}/documents/[^"]+)"', page)[0])
        assert saved.content == PDF and "attachment" in saved.headers["content-disposition"]
        wrong = {"file": ("page.html", b"<script>alert(1)</script>", "text/html")}
        told = await client.post(f"{at}/documents", data=form, files=wrong)
        assert told.status_code == 415 and "document-type-unsupported" in told.text
        record = (await client.get(f"{at}/new/record")).text
        paper = re.findall(r'name="documents" value="([^"]+)"', record)
        box = {**BOX, "licensee_name": "Channel", "documents": paper}
        assert (await sent(client, f"{at}/new/record", f"{at}/records", **box)).status_code == 303
        none = await client.post(f"{at}/documents", data=form)
        assert none.status_code == 422 and "no file was sent" in none.text
    async with browser(context) as client:
        await scene.enter(client, "stranger")
        address = re.findall(rf'href="({at}/documents/[^"]+)"', page)[0]
        assert (await client.get(address)).status_code == 404


async def licensed(scene: Scene) -> str:
    """A licence of the friend for two runs in Fujian that is running; where its runs are shown."""
    now = clock.now()
    said = satellite("CN-FJ", first_day="2026-01-01", last_day="2027-12-31", runs_max=2)
    async with scene.context.db.transaction() as session:
        (grant,) = await recording.record_grant(
            session, scene.work_id, ids.new(now), grantor_id=scene.people["owner"].party_id,
            licensee=Licensee(scene.people["friend"].party_id), boxes=[said], documents=[], now=now,
        )  # fmt: skip
    return f"{scene.at}/grants/{grant.id}/runs"


async def test_a_licensee_logs_telecasts_until_the_runs_are_spent(context: Context) -> None:
    scene = await Scene(context).set()
    at = await licensed(scene)
    async with browser(context) as client:
        await scene.enter(client, "friend")
        shown = {"channel": "示范卫视", "tz": "Asia/Shanghai"}
        for day in ("2026-03-01T20:00", "2026-03-02T20:00"):
            assert (await sent(client, at, at, **shown, started_at=day)).status_code == 303
        page = (await client.get(at)).text
        assert re.search(r'id="used">2 / 2<', page) and re.search(r'id="left">0<', page)
        told = await sent(client, at, at, **shown, started_at="2026-03-03T20:00")
        assert told.status_code == 409 and "run-budget-spent" in told.text
        cancel = re.findall(rf'action="({at}/[^"]+/cancellation)"', page)[0]
        assert (await sent(client, at, cancel, reason="another film was shown")).status_code == 303
        page = (await client.get(at)).text
        assert re.search(r'id="left">1<', page) and "another film was shown" in page
        assert "Let repeats count" not in page


async def test_who_granted_says_how_showings_make_runs(context: Context) -> None:
    scene = await Scene(context).set()
    at = await licensed(scene)
    async with browser(context) as client:
        await scene.enter(client, "owner")
        page = (await client.get(at)).text
        assert "Log a telecast" not in page and "Let repeats count" in page
        rule = {
            "repeats_max": "1", "length": "24", "within": "within_hours", "same_channel": "yes",
            "day_starts": "06:00",
        }  # fmt: skip
        assert (await sent(client, at, f"{at}/rule", **rule)).status_code == 303
        assert "Up to 1 repeats within 24 hours" in (await client.get(at)).text
    async with browser(context) as client:
        await scene.enter(client, "stranger")
        assert (await client.get(at)).status_code == 404


async def test_a_broadcaster_comes_from_its_deal_to_the_runs(context: Context) -> None:
    trade = await traded(context)
    async with browser(context) as client:
        await enter_as(client, trade.licensee)
        page = (await client.get(f"/deals/{trade.deal.id}")).text
        runs = re.findall(r'href="(/works/[^"]+/grants/[^"]+/runs)"', page)
        assert runs
        page = (await client.get(runs[0])).text
        assert "Log a telecast" in page
        assert (await client.get(f"/works/{trade.deal.work_id}/register")).status_code == 200


async def test_every_field_has_a_label_and_no_page_carries_inline_code(context: Context) -> None:
    scene = await Scene(context).set()
    paths = ("rights", "rights/check", "register", *(
        f"register/new/{kind}" for kind in ("hold", "record", "encumbrance")
    ))  # fmt: skip
    async with browser(context) as client:
        await scene.enter(client, "owner")
        for path in paths:
            text = (await client.get(f"{scene.at}/{path}")).text
            fields = re.findall(r'<(?:input|select|textarea)\b[^>]*\bid="([^"]+)"', text)
            assert len(fields) == len(set(fields)), path
            for field in fields:
                assert f'for="{field}"' in text, (path, field)
            assert text.count("<table") == text.count("<caption>"), path
            assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", text), path
            assert text.count("<h1>") == 1, path


def test_every_reason_why_a_grant_ended_has_words() -> None:
    said = set(register.REASONS)
    assert {"expired", "lifted", "default", "agreement", "termination", "parent-ended"} <= said
    assert issubclass(explaining.RightsNotAvailable, Refusal)


async def test_who_may_license_on_finds_the_forms_that_enter_it(context: Context) -> None:
    scene = await Scene(context).set()
    home, owner = scene.people["friend"].party_id, scene.people["owner"].party_id
    async with browser(context) as client:
        await scene.enter(client, "friend")
        assert "/register/new/hold" not in (await client.get(f"{scene.at}/register")).text
        now = clock.now()
        async with context.db.transaction() as session:
            await recording.record_grant(
                session, scene.work_id, ids.new(now), grantor_id=owner, licensee=Licensee(home),
                boxes=[satellite("CN-HN", sublicence_depth=1)], documents=[], now=now,
            )  # fmt: skip
        page = (await client.get(f"{scene.at}/register")).text
        assert "/register/new/hold" in page and "/register/new/record" in page
        assert (await client.get(f"{scene.at}/register/new/record")).status_code == 200
