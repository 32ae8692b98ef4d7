"""What each update of a contract's file may have changed: every step from a revision to the next.

Source: ISO 32000-2 §12.8.2.2 (DocMDP), pyHanko's difference analysis.
Differs from the source: pyHanko compares every later revision with the signed one, for each
signature anew. Here each revision is compared with the one before it, once, under the permissions
of the certification. That is stricter: what an update does to objects that a later revision brought
(another party's signature) is judged too. The work grows with the revisions, not with their square.
"""

import logging

from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.sign.diff_analysis import (
    DEFAULT_DIFF_POLICY,
    DiffPolicy,
    DiffResult,
    ModificationLevel,
    SuspiciousModification,
)
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm

_log = logging.getLogger("contracts.deals.updates")
Judged = DiffResult | SuspiciousModification


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
        """Judge one difference as pyHanko does."""
        return DEFAULT_DIFF_POLICY.apply(old, new, field_mdp_spec, doc_mdp)

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
