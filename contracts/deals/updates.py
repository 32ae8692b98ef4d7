"""What each update of a contract's file may have changed: every step from a revision to the next.

Source: ISO 32000-2 §12.8.2.2 (DocMDP), pyHanko's difference analysis.
Differs from the source: pyHanko compares every later revision with the signed one, for each
signature anew. Here each revision is compared with the one before it, once, under the permissions
of the certification. That is stricter: what an update does to objects that a later revision brought
(another party's signature) is judged too. The work grows with the revisions, not with their square.
Stricter again: an update may do what signing, archiving and renewing do, and nothing else that
pyHanko thinks harmless. It writes no object that nothing asks for, moves none into a stream, leaves
the catalog, the form and its fields as they are but for the signature, and what the document says
of itself (title, author, language) but for the date and the program that wrote the update.
"""

import logging
from io import BytesIO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.metadata import model, xmp_xml
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DiffPolicy,
    DiffResult,
    DocInfoRule,
    DSSCompareRule,
    FormUpdatingRule,
    MetadataUpdateRule,
    ModificationLevel,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    SuspiciousModification,
)
from pyhanko.sign.diff_analysis.commons import compare_dicts
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm

_log = logging.getLogger("contracts.deals.updates")
Judged = DiffResult | SuspiciousModification

# Entries that the rules named beside them judge, or that a signature brings.
_CATALOG = frozenset({"/AcroForm", "/DSS", "/Extensions", "/Metadata"})
_SIGNED = frozenset({"/AP", "/V"})
_WRITTEN = frozenset({"/ModDate", "/Producer"})  # and their like in XMP
_WRITTEN_XMP = (model.XMP_MODDATE, model.PDF_PRODUCER)
_METADATA = MetadataUpdateRule()
POLICY = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(_CATALOG),
        DocInfoRule().as_qualified(ModificationLevel.LTA_UPDATES),
        DSSCompareRule().as_qualified(ModificationLevel.LTA_UPDATES),
        _METADATA.as_qualified(ModificationLevel.LTA_UPDATES),
    ],
    form_rule=FormUpdatingRule(
        field_rules=[
            SigFieldCreationRule(),
            SigFieldModificationRule(
                allow_in_place_appearance_stream_changes=False,
                always_modifiable=frozenset(),
                value_update_keys=_SIGNED,
            ),
        ],
        ignored_acroform_keys=frozenset({"/Fields"}),
    ),
    ignore_orphaned_objects=False,
    ignore_identical_objects=False,
)


class Steps(DiffPolicy):
    """Judges each step between the revisions of one file once; for one reader, made anew."""

    def __init__(self) -> None:
        """Start with no step judged."""
        self._judged: dict[int, Judged] = {}

    def apply(
        self,
        old: HistoricalResolver,
        new: HistoricalResolver,
        field_mdp_spec: FieldMDPSpec | None = None,
        doc_mdp: MDPPerm | None = None,
    ) -> DiffResult:
        """Judge one difference by pyHanko's rules, as far as they are a contract's."""
        found = POLICY.apply(old, new, field_mdp_spec, doc_mdp)
        _described_alike(old, new)
        return found

    def review_file(
        self,
        reader: PdfFileReader,
        base_revision: int | HistoricalResolver,
        field_mdp_spec: FieldMDPSpec | None = None,
        doc_mdp: MDPPerm | None = None,  # noqa: ARG002 - the certification's holds for all.
    ) -> Judged:
        """Return the most that any step after a revision changed, or the first that is not allowed.

        A signature that locks fields of its own is none of a contract's.
        """
        if field_mdp_spec is not None:
            return SuspiciousModification("a signature locks fields")
        signed = base_revision if isinstance(base_revision, int) else base_revision.revision
        most, fields = ModificationLevel.NONE, set()
        for revision in range(signed + 1, reader.xrefs.total_revisions):
            judged = self._step(reader, revision)
            if isinstance(judged, SuspiciousModification):
                return judged
            most = max(most, judged.modification_level)
            fields |= judged.changed_form_fields
        return DiffResult(most, fields)

    def _step(self, reader: PdfFileReader, revision: int) -> Judged:
        if revision not in self._judged:
            old, new = map(reader.get_historical_resolver, (revision - 1, revision))
            try:
                self._judged[revision] = self.apply(old, new, doc_mdp=MDPPerm.FILL_FORMS)
            except SuspiciousModification as found:
                _log.warning("revision %d is no update of a contract: %s", revision, found)
                self._judged[revision] = found
        return self._judged[revision]


def _described_alike(old: HistoricalResolver, new: HistoricalResolver) -> None:
    """Pass only an update after which the document says the same of itself.

    Raises:
        SuspiciousModification: it has another title, say.
    """
    compare_dicts(_info(old), _info(new), _WRITTEN)
    before, after = (one.root.raw_get("/Metadata").get_object() for one in (old, new))
    if _xmp(before) != _xmp(after) or _entries(before) != _entries(after):
        raise SuspiciousModification("the document says something else of itself")


def _info(revision: HistoricalResolver) -> generic.PdfObject:
    """Return the information dictionary; a trailer's own reference leads to the latest one."""
    ref = revision.trailer_view.get_value_as_reference("/Info", optional=True)
    found: generic.PdfObject = generic.DictionaryObject() if ref is None else revision(ref)
    return found


def _xmp(metadata: generic.StreamObject) -> list[dict[model.ExpandedName, model.XmpValue]]:
    return [
        {name: value for name, value in described if name not in _WRITTEN_XMP}
        for described in xmp_xml.parse_xmp(BytesIO(metadata.data))
    ]


def _entries(metadata: generic.StreamObject) -> dict[str, generic.PdfObject]:
    return {key: value for key, value in metadata.items() if key != "/Length"}
