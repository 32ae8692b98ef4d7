"""Attacks by updates upon a signed contract, object by object, beside pyHanko's own verdict.

Each attack hides in the very update in which the licensee signs, or in the one that archives: what
comes after the last signature is refused before anybody asks what it changes.
"""

import os
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, DiffResult, ModificationLevel
from pyhanko.sign.fields import MDPPerm

from contracts.deals import verification
from contracts.deals.updates import Steps
from contracts.deals.usages import Document
from contracts.deals.verification import DocumentNotSound
from contracts.parties.gateway import LocalAuthority
from tests.conftest import NOW
from tests.contracts import pdf_factory
from tests.contracts.test_deals_archiving import made

SOAK = "SOAK_ROUND" in os.environ
SEED = int(os.environ.get("SOAK_ROUND", "1"))
OBJECTS = 10_000 if SOAK else 8  # of all; the gate draws some
MUTANTS = 200 if SOAK else 12
NEW = 900  # the number of an object that no contract has
BOX = pdf_factory.stream(b"", b"1 1 1 rg 0 0 600 900 re f")
Objects = Mapping[int, bytes]


@dataclass(frozen=True)
class Step:
    """A revision of a contract: the file before it, and what it wrote."""

    root: bytes
    before: bytes
    wrote: Objects
    stood: Objects  # everything, as it was before

    def pdf(self, changes: Objects | None = None, **how: Any) -> bytes:
        """The file with this revision, and with something more in it."""
        return pdf_factory.updated(self.before, {**self.wrote, **(changes or {})}, **how)

    def now(self, number: int) -> bytes:
        return self.wrote.get(number, self.stood.get(number, b""))

    def find(self, text: bytes) -> int:
        """The number of the first object that holds a text."""
        return next(number for number in self.stood if text in self.now(number))

    def changed(self, text: bytes, old: bytes, new: bytes) -> Objects:
        """The first object that holds a text, with one part of it in another way."""
        number = self.find(text)
        body, count = re.subn(old, lambda _: new, self.now(number), count=1)
        assert count and body != self.now(number)
        return {number: body}

    def refused(self, pdf: bytes) -> bool:
        """Whether one of the two signatures before this revision holds no longer."""
        try:
            verdicts = verification.check_signatures(pdf, self.root)
        except DocumentNotSound:
            return True
        return not all(one.covers and one.modification_ok for one in verdicts[:2])


def steps(pdf: bytes, root: bytes) -> list[Step]:
    ends = [0, *(found.end() for found in re.finditer(rb"%%EOF\r?\n?", pdf))]
    stood: dict[int, bytes] = {}
    found = []
    for number, (start, _) in enumerate(pairwise(ends)):
        wrote = pdf_factory.bodies(pdf, number)
        found.append(Step(root, pdf[:start], wrote, dict(stood)))
        stood |= wrote
    return found


@pytest.fixture(scope="module")
def revisions(tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    paper = made(LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW), stamps=True)
    found = steps(paper.archived(), paper.authority.root_pem)
    assert len(found) == 5
    return found


@pytest.fixture(scope="module")
def signing(revisions: list[Step]) -> Step:
    """The revision in which the licensee signs."""
    return revisions[3]


@pytest.fixture(scope="module")
def archive(revisions: list[Step]) -> Step:
    return revisions[4]


def allowed(found: object, most: ModificationLevel) -> bool:
    return isinstance(found, DiffResult) and found.modification_level <= most


@dataclass(frozen=True)
class Rules:
    """After which revision changes are judged, and the most that is allowed."""

    since: int
    most: ModificationLevel


def ours(pdf: bytes, rules: Rules) -> bool:
    """Whether what comes after a revision is allowed to."""
    try:
        return allowed(Steps().review_file(Document(pdf), rules.since), rules.most)
    except verification.UNREADABLE:
        return False


def theirs(pdf: bytes, rules: Rules) -> bool:
    """The same by pyHanko alone."""
    try:
        reader = PdfFileReader(BytesIO(pdf), strict=True)
        judged = DEFAULT_DIFF_POLICY.review_file(reader, rules.since, doc_mdp=MDPPerm.FILL_FORMS)
        return allowed(judged, rules.most)
    except verification.UNREADABLE:
        return False


SIGNS = Rules(2, ModificationLevel.FORM_FILLING)
ARCHIVES = Rules(3, ModificationLevel.LTA_UPDATES)


def test_the_updates_are_allowed_when_nobody_attacks(signing: Step, archive: Step) -> None:
    """Written anew byte by byte, so that a refusal below is one of what was changed."""
    assert ours(signing.pdf(), SIGNS) and theirs(signing.pdf(), SIGNS)
    assert ours(archive.pdf(), ARCHIVES) and theirs(archive.pdf(), ARCHIVES)
    verdicts = verification.check_signatures(signing.pdf(), signing.root)
    assert all(one.covers and one.modification_ok and one.intact for one in verdicts[:2])


def entered(body: bytes) -> bytes:
    """An object with one entry more."""
    if body.startswith(b"<<"):
        return b"<</Changed true " + body[2:]
    return b"[null " + body[1:] if body.startswith(b"[") else b"null"


def flipped(body: bytes) -> bytes:
    """A stream with one bit of its data changed; anything else with one entry more."""
    start = re.search(rb"stream\r?\n", body)
    if start is None or start.end() >= len(body):
        return entered(body)
    place = start.end()
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


@pytest.mark.parametrize("change", [entered, flipped])
def test_a_change_of_any_object_is_refused(
    revisions: list[Step], change: Callable[[bytes], bytes]
) -> None:
    draw = random.Random(SEED)
    for step, rules in zip(revisions[3:], (SIGNS, ARCHIVES), strict=True):
        numbers = draw.sample(sorted(step.stood), min(OBJECTS, len(step.stood)))
        for number in numbers:
            attacked = step.pdf({number: change(step.now(number))})
            assert not ours(attacked, rules), number
        attacked = step.pdf(freed=[draw.choice(sorted(step.stood.keys() - step.wrote.keys()))])
        assert not ours(attacked, rules) and not theirs(attacked, rules)


@pytest.mark.parametrize("step", [3, 4], ids=["signing", "archive"])
def test_what_is_allowed_here_is_allowed_by_pyhanko(revisions: list[Step], step: int) -> None:
    """Updates with flipped bits, objects left out, exchanged and repeated; few of them pass."""
    draw, rules = random.Random(SEED), SIGNS if step == 3 else ARCHIVES
    for _ in range(MUTANTS):
        pdf = mutant(revisions[step], draw)
        if ours(pdf, rules):
            assert theirs(pdf, rules)


def mutant(step: Step, draw: random.Random) -> bytes:
    wrote, number = dict(step.wrote), draw.choice(sorted(step.wrote))
    match draw.randrange(4):
        case 0:
            del wrote[number]
        case 1:
            other = draw.choice(sorted({*step.stood, *step.wrote}))
            wrote[number], wrote[other] = step.now(other), step.now(number)
        case 2:
            wrote[draw.choice(sorted(step.stood))] = wrote[number]
        case _:
            body = bytearray(wrote[number])
            body[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
            wrote[number] = bytes(body)
    return pdf_factory.updated(step.before, wrote)


CATALOG, PAGE, FORM, ELEMENT = b"/Type /Catalog", b"/Type/Page/", b"/SigFlags", b"/Type/StructElem"


def entry(text: bytes, added: bytes, *, also: bytes | None = None) -> Callable[[Step], bytes]:
    """An attack that adds an entry to the first object that holds a text."""
    return other(text, rb"^<<", b"<<" + added, also=also)


def other(
    text: bytes, old: bytes, new: bytes, *, also: bytes | None = None
) -> Callable[[Step], bytes]:
    """An attack that changes a part of the first object that holds a text.

    `also` is an object that it brings, of the number 900.
    """
    brought = {} if also is None else {NEW: also}
    return lambda step: step.pdf({**step.changed(text, old, new), **brought})


def in_stream(text: bytes, change: Callable[[bytes], bytes]) -> Callable[[Step], bytes]:
    """An attack that moves the first object that holds a text into an object stream."""

    def attack(step: Step) -> bytes:
        number = step.find(text)
        return pdf_factory.streamed(step.before, step.wrote, {number: change(step.now(number))})

    return attack


def hybrid(step: Step) -> bytes:
    """A table for old readers, and a stream with another page for those that know streams."""
    page = step.find(PAGE)
    hidden = pdf_factory.streamed(step.before, {}, {page: entered(step.now(page))})
    start = int(hidden[hidden.rindex(b"startxref") + 9 :].split()[0])
    return pdf_factory.updated(
        hidden[: hidden.rindex(b"startxref")] + pdf_factory.ending(step.before),
        step.wrote, trailer=b"/XRefStm %d" % start,
    )  # fmt: skip


def shadowed(step: Step) -> bytes:
    """The licensor's revision left out of the chain of tables."""
    ends = [found.end() for found in re.finditer(rb"%%EOF\r?\n?", step.before)]
    before = pdf_factory.startxref(step.before[: ends[-2]])
    return step.pdf(previous=before)


def fonted(step: Step) -> bytes:
    """Another font program, under the number of the old one."""
    found = re.search(rb"/FontFile\d? (\d+) 0 R", b" ".join(step.stood.values()))
    assert found is not None
    number = int(found[1])
    return step.pdf({number: flipped(step.now(number))})


def repainted(step: Step) -> bytes:
    """What the exchange's certification shows, changed in its place."""
    found = re.search(rb"/N (\d+) 0 R", step.stood[step.find(b"(exchange)")])
    assert found is not None
    return step.pdf({int(found[1]): step.wrote[max(step.wrote)]})


ATTACKS: dict[str, Callable[[Step], bytes]] = {
    "covered page": other(PAGE, rb"/Contents \d+ 0 R", b"/Contents 900 0 R", also=BOX),
    "resources of a page": other(PAGE, rb"/Resources \d+ 0 R", b"/Resources 900 0 R", also=b"<<>>"),
    "note upon a page": entry(PAGE, b"/Annots[900 0 R]", also=b"<</Subtype/FreeText>>"),
    "turned page": entry(PAGE, b"/Rotate 180"),
    "page with an action": entry(PAGE, b"/AA<</O<</S/JavaScript/JS(0)>>>>"),
    "order of pages": other(b"/Type/Pages", rb"/Kids\[(\d+ 0 R)", b"/Kids[900 0 R", also=b"<<>>"),
    "action at opening": entry(CATALOG, b"/OpenAction 900 0 R", also=b"<</S/JavaScript/JS(0)>>"),
    "actions of the catalog": entry(CATALOG, b"/AA<<>>"),
    "outlines": entry(CATALOG, b"/Outlines 900 0 R", also=b"<<>>"),
    "optional content": entry(CATALOG, b"/OCProperties<<>>"),
    "version": entry(CATALOG, b"/Version/2.0"),
    "another attachment": other(
        CATALOG,
        rb"/Names \[ \(terms\\056json\) \d+ 0 R",
        b"/Names [ (terms.json) 900 0 R",
        also=b"<</Type/Filespec>>",
    ),
    "another associated file": other(CATALOG, rb"/AF \[ \d+", b"/AF [ 900", also=b"<<>>"),
    "no certification": other(CATALOG, rb"/Perms <<[^>]*>>", b""),
    "another tree of pages": other(CATALOG, rb"/Pages \d+ 0 R", b"/Pages 900 0 R", also=b"<<>>"),
    "not tagged": other(CATALOG, rb"/Marked true", b"/Marked false"),
    "text for readers aloud": entry(ELEMENT, b"/ActualText(free of charge)"),
    "one element more": other(
        b"/Type/StructTreeRoot",
        rb"/K\[",
        b"/K[900 0 R ",
        also=b"<</Type/StructElem/S/P/ActualText(free)/K[]>>",
    ),
    "roles of elements": other(b"/Type/StructTreeRoot", rb"/Title/P", b"/Title/Artifact"),
    "font program": fonted,
    "another's appearance": other(b"(exchange)", rb"/N \d+ 0 R", b"/N 900 0 R", also=BOX),
    "another's appearance in its place": repainted,
    "another's place": other(b"(licensor)", rb"/Rect \[ \d+", b"/Rect [ 0"),
    "another's signature": other(b"(licensor)", rb"/V \d+ 0 R", b"/V 900 0 R", also=b"<<>>"),
    "larger field": other(b"(licensee)", rb"/Rect \[ \d+", b"/Rect [ 0"),
    "field with an action": entry(b"(licensee)", b"/A<</S/URI/URI(http://example.org)>>"),
    "hidden field": other(b"(licensee)", rb"/F 132", b"/F 2"),
    "field that cannot be seen": entry(b"(licensee)", b"/Ff 1"),
    "fields drawn by the viewer": entry(FORM, b"/NeedAppearances true"),
    "fonts of the form": entry(FORM, b"/DR<</Font<</F 900 0 R>>>>", also=b"<</Type/Font>>"),
    "form in XML": entry(FORM, b"/XFA 900 0 R", also=BOX),
    "another title": other(b"/CreationDate", rb"/Title \([^)]*\)", b"/Title (Free of charge)"),
    "another title in XMP": other(b"xpacket begin", rb"Exclusive", b"Worldwide"),
    "another author in XMP": other(b"xpacket begin", rb'dc:format="', b'dc:source="x" dc:format="'),
    "metadata with an entry": entry(b"xpacket begin", b"/Changed true"),
    "object that nothing asks for": lambda step: step.pdf({NEW: b"<<>>"}),
    "object written again": lambda step: step.pdf({step.find(PAGE): step.now(step.find(PAGE))}),
    "object moved into a stream": in_stream(ELEMENT, lambda body: body),
    "page changed in a stream": in_stream(PAGE, entered),
    "hybrid tables": hybrid,
    "revision left out": shadowed,
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_within_the_update_that_signs_is_refused(
    signing: Step, attack: Callable[[Step], bytes]
) -> None:
    pdf = attack(signing)
    assert pdf.startswith(signing.before)
    assert signing.refused(pdf)


def test_a_signature_may_show_what_its_signer_likes_within_its_box(signing: Step) -> None:
    """The one thing that an update may bring to a page; its place was certified."""
    number = max(signing.wrote) - 1
    assert b"/N %d 0 R" % number in signing.now(signing.find(b"(licensee)"))
    shown = signing.now(number).replace(b"/BBox [ 0 118 227 0 ]", b"/BBox [ 0 118 999 0 ]")
    assert shown != signing.now(number)
    pdf = signing.pdf({number: shown})
    assert not signing.refused(pdf) and theirs(pdf, SIGNS)
