"""Usages of objects as pyHanko finds them, and references as pyHanko reads them, only sooner."""

from collections.abc import Mapping
from io import BytesIO
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.generic import DictionaryObject, Reference
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader, RawPdfPath
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY

from contracts.deals import references, updates, verification
from contracts.deals.references import Path, Ref, Unplain
from contracts.deals.usages import Document, Revision
from contracts.parties.gateway import LocalAuthority
from tests.conftest import NOW
from tests.contracts import pdf_factory
from tests.contracts.test_deals_archiving import Paper, made

BROKEN = verification.UNREADABLE
Usages = Mapping[Ref, set[Path]]


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    return made(LocalAuthority.ensure(tmp_path_factory.mktemp("keys"), NOW), stamps=True)


def usages(revision: HistoricalResolver, refs: set[Ref]) -> Usages:
    revision._load_reverse_xref_cache()
    return {
        ref: {tuple(path) for path in revision._get_usages_of_ref(Reference(*ref))} for ref in refs
    }


def theirs(pdf: bytes, number: int) -> Usages:
    """All that pyHanko finds in a revision."""
    revision = PdfFileReader(BytesIO(pdf), strict=True).get_historical_resolver(number)
    revision._load_reverse_xref_cache()
    found = revision._indirect_object_access_cache or {}
    return usages(revision, {(ref.idnum, ref.generation) for ref in found})


def test_every_object_of_a_contract_is_found_wherever_pyhanko_finds_it(paper: Paper) -> None:
    pdf = paper.archived(paper.archived(), number=2)
    document = Document(pdf)
    for number in range(document.xrefs.total_revisions):
        revision = document.get_historical_resolver(number)
        expected = theirs(pdf, number)
        assert len(expected) > 300
        assert usages(revision, set(expected)) == expected
        assert revision._found is not None and set(revision._found) == set(expected)


def test_checking_a_contract_asks_pyhankos_own_search_for_nothing(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when another pyHanko looks for usages under other names: then ours would be unused."""

    def never(*_: object) -> None:
        raise AssertionError("pyHanko searches by itself")

    monkeypatch.setattr(HistoricalResolver, "_load_reverse_xref_cache", never)
    monkeypatch.setattr(HistoricalResolver, "_get_usages_of_ref", never)
    assert all(one.good for one in paper.verdicts(paper.archived()))
    with pytest.raises(AssertionError, match="by itself"):
        DEFAULT_DIFF_POLICY.review_file(PdfFileReader(BytesIO(paper.signed)), 1)


def test_what_is_found_decides_what_an_update_has_to_clear(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One usage more than there is: an update of that object is no longer allowed."""
    find = Revision._get_usages_of_ref
    reader = Document(paper.signed)
    assert not isinstance(updates.Steps().review_file(reader, 2), Exception)

    def more(revision: Revision, ref: Reference) -> set[object]:
        return find(revision, ref) | {RawPdfPath("/Root", "/Pages", "/Kids", 0, "/Contents")}

    monkeypatch.setattr(Revision, "_get_usages_of_ref", more)
    assert isinstance(updates.Steps().review_file(Document(paper.signed), 2), Exception)


def test_signatures_are_read_at_once_and_as_pyhanko_reads_them(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    pdf = paper.archived()
    plain = PdfFileReader(BytesIO(pdf), strict=True)
    found = [one.sig_object.container_ref for one in plain.embedded_signatures]
    assert len(found) == 4
    expected = [plain.get_object(ref) for ref in found]
    mine = Document(pdf)
    monkeypatch.setattr(PdfFileReader, "_read_object", None)
    for ref, one in zip(found, expected, strict=True):
        own = mine.get_object(ref)
        assert isinstance(own, DictionaryObject)
        assert own == one and own.container_ref == ref
        assert isinstance(own.container_ref, Reference) and own.container_ref.pdf is mine
        for key, value in one.items():
            assert type(own.raw_get(key)) is type(value)
            assert own.raw_get(key).container_ref == value.container_ref


def test_a_signature_written_in_another_way_is_left_to_pyhanko() -> None:
    for body in (b"<<\n/Contents <41> /V (\\q)>>", b"<<\n/Contents <4 1> /V 1>>"):
        pdf = pdf_factory.written({1: body})
        reader = PdfFileReader(BytesIO(pdf))
        try:
            expected = reader.get_object(Reference(1))
        except PdfError:
            with pytest.raises(PdfError):
                Document(pdf).get_object(Reference(1))
        else:
            found = Document(pdf).get_object(Reference(1))
            assert found == expected


KEYS = ["/Parent", "/P", "/K", "/Kids", "/Pg", "/Annots", "/Obj", "/Type", "/StructTreeRoot", "/A"]
TYPES = ["/Pages", "/Page", "/StructElem", "/MCR", "(/StructElem)", "null", "7"]
refs = st.integers(1, 7).map(lambda number: f"{number} 0 R")


def dictionary(entries: Mapping[str, str]) -> str:
    return f"<<{''.join(f'{key} {value}' for key, value in entries.items())}>>"


values = st.recursive(
    refs | st.sampled_from([*TYPES, "[]", "1.5", "true"]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{' '.join(items)}]")
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4).map(dictionary)
    ),
    max_leaves=6,
)
several = st.lists(refs, max_size=3).map(lambda items: f"[{' '.join(items)}]")
links = {"/Parent": refs, "/P": refs, "/Pg": refs, "/A": values, "/Annots": several}
elements = st.fixed_dictionaries(
    {"/K": several | values}, optional={**links, "/Type": st.sampled_from(TYPES)}
).map(dictionary)
pages = st.fixed_dictionaries({"/Type": st.just("/Page")}, optional=links).map(dictionary)
trees = st.fixed_dictionaries(
    {
        "/Type": st.sampled_from(["/Pages"] * 8 + ["/Page", "(/Pages)", "5 0 R"]),
        "/Kids": st.sampled_from(["[3 0 R]", "[3 0 R 4 0 R]"] * 4 + ["[3 0 R 3 0 R]", "[2 0 R]"]),
    },
    optional=links,
).map(dictionary)
roots = st.fixed_dictionaries(
    {"/Pages": st.just("2 0 R")},
    optional={"/StructTreeRoot": st.just("5 0 R") | elements, "/A": values, "/Parent": refs},
).map(dictionary)
graphs = st.tuples(
    roots, trees, pages, pages | trees, elements, elements | values, elements | values
).map(lambda bodies: dict(zip(count(1), (body.encode() for body in bodies), strict=False)))


@given(graphs)
@example({
    1: b"<</Pages 2 0 R/StructTreeRoot 4 0 R>>", 2: b"<</Type/Pages/Kids[3 0 R]>>",
    3: b"<</Type/Page/Parent 2 0 R/A 5 0 R>>", 4: b"<</K 5 0 R/P 6 0 R>>",
    5: b"<</K[6 0 R<</P 3 0 R/K 7 0 R>>]/P 4 0 R>>", 6: b"<</Pg 3 0 R/P 5 0 R>>", 7: b"[3 0 R]",
})  # fmt: skip
def test_any_document_is_searched_as_pyhanko_searches_it(graph: Mapping[int, bytes]) -> None:
    """Trees with knots, elements that are pages, types that are strings."""
    pdf = pdf_factory.written(graph)
    try:
        expected = theirs(pdf, 0)
    except BROKEN:
        with pytest.raises(BROKEN):
            usages(Document(pdf).get_historical_resolver(0), set())
        return
    revision = Document(pdf).get_historical_resolver(0)
    assert usages(revision, set(expected)) == expected
    if revision._found is not None:
        assert set(revision._found) == set(expected)


pieces = st.sampled_from([
    b"<<", b">>", b"[", b"]", b"/A", b"/B", b"/Length 3", b"/#41", b"/\xc3\xa9", b"5 0 R",
    b"0 0 R", b"5 0 Rx", b"05 0 R", b"5 00000 R", b"7", b"-7", b"+7", b"7.", b".5", b"7-", b"1e5",
    b"7,7", b"null", b"nullx", b"true", b"false", b"truefalse", b"(a)", b"(a(b))", b"(\\))",
    b"(\\07)", b"(\\101)", b"(\\777)", b"(\\189)", b"(\\q)", b"()",
    b"(\xfe\xff\xd8)", b"<41>", b"<4 1>", b"<4>", b"<>", b"<g>",
    b"%c\n", b"endobj", b"obj", b"{", b"R", b"\nstream\nabc\nendstream", b"\x00", b"\x0c",
    b"\nstream\r\nabcendstream", b"stream abc endstream",
])  # fmt: skip
plain = st.sampled_from([
    b"/A", b"5 0 R", b"7", b"-7", b".5", b"null", b"true", b"(a)", b"(\\))", b"<41>", b"[]",
    b"<</A 5 0 R>>", b"<</Length 3>>\nstream\nabc\nendstream",
])  # fmt: skip
gaps = st.sampled_from([b"", b" ", b"\n", b"\r\n", b"\t"])
soups = st.lists(st.tuples(pieces, gaps).map(b"".join), min_size=1, max_size=9).map(b"".join)
keys = st.sampled_from([b"/A", b"/B", b"/C"])


def joined(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(st.tuples(*parts).map(b"".join), max_size=3).map(b"".join)


sound = st.recursive(
    plain | plain | plain | pieces,
    lambda inner: (
        joined(inner, gaps).map(lambda items: b"[" + items + b"]")
        | joined(keys, gaps, inner).map(lambda items: b"<<" + items + b">>")
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(sound | sound | soups)
@example(b"<</Length 3>>\nstream\nabc\nendstream")
@example(b"[1 0 3 0 R]")
@example(b"<</A/B/B 5 0 R>>")
@example(b"<</A 1/A 2>>")
def test_what_is_read_here_is_read_alike_by_pyhanko(body: bytes) -> None:
    pdf = pdf_factory.written({1: b"<</Pages 2 0 R>>", 2: body})
    document = Document(pdf)
    try:
        ours = references.read(pdf, (2, 0), pdf.index(b"2 0 obj"))
    except Unplain:
        return
    read = document.get_historical_resolver(0)(Reference(2, 0))
    assert references.plain(read) == ours.value


def test_the_ordinary_syntax_is_read_here() -> None:
    body = (
        b"<</Type/Page/Kids[5 0 R 6 0 R null]/N -1.5/T(a)/X<41>/B true/Parent 3 0 R/D<</P 4 0 R>>>>"
    )
    pdf = pdf_factory.written({1: body})
    found = references.read(pdf, (1, 0), pdf.index(b"1 0 obj"))
    assert [(path, ref) for path, ref in found.uses] == [
        (("/Kids", 0), (5, 0)), (("/Kids", 1), (6, 0)), (("/D", "/P"), (4, 0)),
    ]  # fmt: skip
    assert [path for path, _ in found.below] == [("/Kids", 0), ("/Kids", 1)]
    with pytest.raises(Unplain):
        references.read(pdf, (2, 0), pdf.index(b"1 0 obj"))


def test_objects_in_streams_and_enciphered_files_are_left_to_pyhanko() -> None:
    pdf = pdf_factory.written({1: b"<</Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[]>>"})
    pdf = pdf_factory.streamed(pdf, {}, {2: b"<</Type/Pages/Kids[3 0 R]>>", 3: b"<</Type/Page>>"})
    expected = theirs(pdf, 1)
    assert usages(Document(pdf).get_historical_resolver(1), set(expected)) == expected
    assert (3, 0) in expected


def test_a_reference_to_nothing_is_complained_of() -> None:
    pdf = pdf_factory.written({1: b"<</Pages 2 0 R/A 9 0 R>>", 2: b"<</Type/Pages/Kids[]>>"})
    with pytest.raises(PdfError):
        usages(Document(pdf).get_historical_resolver(0), set())


def test_trees_that_never_end_are_refused() -> None:
    deep = {number: b"<</A %d 0 R>>" % (number + 1) for number in range(3, 2000)}
    pdf = pdf_factory.written(
        {1: b"<</Pages 2 0 R/A 3 0 R>>", 2: b"<</Type/Pages/Kids[]>>", **deep, 2000: b"[]"}
    )
    with pytest.raises(RecursionError):
        usages(Document(pdf).get_historical_resolver(0), set())
