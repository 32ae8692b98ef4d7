"""The model → rows of a sheet in the layout of a version: one row for each transaction."""

from collections.abc import Iterator, Mapping, Sequence

from contracts.avails import layouts, mddf, otherterms, texts
from contracts.avails.model import Asset, Avail, Bound, Document, Term, Transaction, last_second
from contracts.avails.refusals import AvailsVersionLacks
from contracts.avails.sheets import CONTENT_ID

_MANY = ", "


def rows(document: Document, *, version: str) -> Iterator[Sequence[str | None]]:
    """Yield the three rows of headings, then a row for each transaction and asset.

    A term that the version has no column for goes into OtherTerms; a fact said more than once keeps
    its first value.

    Raises:
        AvailsVersionLacks: the version has no column for something else that the document says.
    """
    columns = layouts.template(version)
    names = frozenset(key.partition(":")[2] for key in columns)
    yield [key.partition(":")[0] for key in columns]
    yield [key.partition(":")[2] for key in columns]
    yield [version, *("//Opt" for _ in columns[1:])]
    for avail in document.avails:
        for offer in avail.transactions:
            for asset in avail.assets:
                said = _row(avail, asset, offer, names)
                _need(said, names, version)
                yield [said.get(key.partition(":")[2]) for key in columns]


def _need(said: Mapping[str, str | None], names: frozenset[str], version: str) -> None:
    newest = {key.partition(":")[2] for key in layouts.template(mddf.NEWEST_SHEET)}
    lacks = sorted(name for name in newest - names if said.get(name) is not None)
    if lacks:
        raise AvailsVersionLacks(
            f"Version {version} has no column for {lacks[0]}.", version=version, columns=lacks
        )


def _row(
    avail: Avail, asset: Asset, offer: Transaction, names: frozenset[str]
) -> dict[str, str | None]:
    facts = dict(reversed(asset.facts))
    entitlements = dict(reversed(avail.entitlements))
    return {
        **facts,
        CONTENT_ID.get(asset.work_type, "ContentID"): asset.content_id,
        "WorkType": asset.work_type,
        "BundledALIDs": _MANY.join(asset.bundled) or None,
        "ALID": avail.alid,
        "EntryType": avail.entry_type,
        "DisplayName": avail.licensor,
        "ServiceProvider": avail.service_provider,
        "ExceptionFlag": "Yes" if avail.exception else None,
        "UV_ID": entitlements.get("UVVU"),
        "DMA_ID": entitlements.get("DMA"),
        **_offer(offer),
        **_terms(offer.terms, names),
    }


def _offer(offer: Transaction) -> dict[str, str | None]:
    return {
        "AvailID": offer.id,
        "Licensee": offer.licensee,
        "LicenseType": offer.licence_type,
        "Description": offer.description,
        "Territory": _MANY.join(offer.territories) or None,
        "TerritoryExclusion": _MANY.join(offer.excluded) or None,
        "Start": _bound(offer.start, end=False),
        "StartLag": offer.start.lag,
        "End": _bound(offer.end, end=True),
        "EndLag": offer.end.lag,
        "WindowDuration": offer.window_duration,
        "AllowedLanguages": _MANY.join(one.tag for one in offer.allowed) or None,
        "AssetLanguage": _MANY.join(one.tag for one in offer.assets if not one.provided) or None,
        "RequiredFulfillmentLanguages": _MANY.join(one.tag for one in offer.assets if one.provided)
        or None,
        "HoldbackLanguage": _MANY.join(one.tag for one in offer.holdback) or None,
        "LicenseRightsDescription": offer.rights_description,
        "FormatProfile": offer.format.profile,
        "HDR": offer.format.hdr,
        "WCG": offer.format.wcg,
        "HFR": offer.format.hfr,
        "NGAudio": offer.format.ngaudio,
        "ContractID": offer.contract_id,
        "ReportingID": offer.reporting_id,
        "OtherInstructions": offer.instructions,
    }


def _bound(bound: Bound, *, end: bool) -> str | None:
    if bound.day is None:
        return bound.condition or None
    said = last_second(bound.day, bound.clock) if end else (bound.day, bound.clock)
    text = texts.wall(said, offset_s=bound.offset_s)
    whole = "T23:59:59" if end else "T00:00:00"
    return text.removesuffix(whole)


def _terms(terms: Sequence[Term], names: frozenset[str]) -> dict[str, str | None]:
    """Return the columns that terms stand in: their own, the price's, and OtherTerms."""
    own = {name: column for column, (_, name) in mddf.term_columns().items()}
    said: dict[str, str | None] = {}
    rest: list[Term] = []
    for term in terms:
        column = own.get(term.name)
        if column in names and column is not None and column not in said:
            said[column] = term.value
            said["PriceCurrency"] = said.get("PriceCurrency") or term.currency
        elif term.name in mddf.price_types() and "PriceType" not in said:
            said["PriceType"], said["PriceValue"] = term.name, term.value or None
            said["PriceCurrency"] = term.currency or said.get("PriceCurrency")
        else:
            rest.append(term)
    said["OtherTerms"] = otherterms.write(rest)
    return said
