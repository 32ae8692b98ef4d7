"""How a work may be described: its titles, kind, year, country and identifiers (pure).

Source: ISO 3166-1 alpha-2 for countries; `contracts/works/identifiers.py` for identifiers.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict
from uuid import UUID

from contracts import canonical
from contracts.parties.rules import clean_name, clear_name
from contracts.refusal import InvalidContent, Kind, NotAllowed, Refusal
from contracts.works import identifiers, tree

KINDS = (
    "film", "series", "season", "episode", "edit", "documentary", "sports", "variety", "animation",
    "other",
)  # fmt: skip
EARLIEST_YEAR = 1888  # Roundhay Garden Scene, the oldest film that survives.
YEARS_AHEAD = 5  # works in production are offered before they are finished
LONGEST_TITLE = 200
_ALPHA_2 = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW "
    "GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY "
    "KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY "
    "QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG "
    "TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM "
    "ZW"
)
COUNTRIES = frozenset(_ALPHA_2.split())

units = tree.units  # the block of numbers of a work, as the register of rights asks for it


class BadYear(Refusal):
    """The year of production is before film or too far ahead."""

    kind, code = Kind.INVALID, "bad-year"
    hint = "Give a year between `earliest` and `latest`."


class IdentifierTaken(Refusal):
    """Another work is registered under this EIDR or ISAN; two could be sold beside each other."""

    kind, code = Kind.CONFLICT, "identifier-taken"
    hint = "If the work is yours, ask the exchange to settle whose it is; else correct the number."


class UnknownCountry(Refusal):
    """The country of origin is no ISO 3166-1 alpha-2 code."""

    kind, code = Kind.INVALID, "unknown-country"
    hint = "Use two capital letters, e.g. CN."


class WorkFields(TypedDict):
    """What a registrant says about a work; what is left out is not known, or does not apply."""

    title_zh: str
    title_en: str
    kind: str
    year: int
    country: str
    eidr: str | None
    isan: str | None
    permit_no: str | None
    dci: NotRequired[str | None]
    registration_no: NotRequired[str | None]
    parent_id: NotRequired[UUID | None]


@dataclass(frozen=True, slots=True)
class Description:
    """A work's description, cleaned: two spellings of one content compare equal."""

    title_zh: str
    title_en: str
    kind: str
    year: int
    country: str
    eidr: str | None
    isan: str | None
    permit_no: str | None
    dci: str | None = None
    registration_no: str | None = None
    parent_id: UUID | None = None

    def title_sha256(self) -> str:
        """Return the hex SHA-256 of the titles' canonical JSON, `{"en": …, "zh": …}`."""
        return canonical.sha256_hex(canonical.dumps({"zh": self.title_zh, "en": self.title_en}))


def describe(fields: WorkFields) -> Description:
    """Return the cleaned description of a work; its year is looked at by `check_year`.

    Raises:
        BadName: a title is empty, too long, or holds characters that cannot be seen.
        ConfusableName: a title can be mistaken for another.
        InvalidContent: the kind is not one of KINDS.
        UnknownCountry: the country is no ISO 3166-1 code.
        BadEidr: the EIDR does not check.
        BadIsan: the ISAN does not check.
        BadPermit: the permit number or registration number has none of the known forms.
        WorkNeedsParent: a season or an edit without a parent.
    """
    if fields["kind"] not in KINDS:
        raise InvalidContent("This kind of work is not known.", known=list(KINDS))
    if fields["country"] not in COUNTRIES:
        raise UnknownCountry("The country of origin is not known.")
    parent_id, permit_no, dci = fields.get("parent_id"), fields["permit_no"], fields.get("dci")
    if parent_id is None:
        tree.check_nesting(fields["kind"], parent_kind=None)
    return Description(
        title_zh=clear_name(fields["title_zh"], field="title_zh", most=LONGEST_TITLE),
        title_en=clear_name(fields["title_en"], field="title_en", most=LONGEST_TITLE),
        kind=fields["kind"],
        year=fields["year"],
        country=fields["country"],
        eidr=_checked("eidr", fields["eidr"]),
        isan=_checked("isan", fields["isan"]),
        permit_no=None if permit_no is None else identifiers.clean_permit(permit_no),
        dci=None if dci is None else clean_name(dci, field="dci", most=identifiers.LONGEST),
        registration_no=_checked("work-registration", fields.get("registration_no")),
        parent_id=parent_id,
    )


def check_year(year: int, *, now: datetime) -> None:
    """Let a year pass in which a work can have been, or soon will be, produced.

    Raises:
        BadYear: it is before 1888 or more than five years ahead.
    """
    latest = now.year + YEARS_AHEAD
    if not EARLIEST_YEAR <= year <= latest:
        raise BadYear("The year is not possible.", earliest=EARLIEST_YEAR, latest=latest)


def need_rights_holder(kind: str) -> None:
    """Let only rights holders (权利人) register works.

    Raises:
        NotAllowed: the party is a broadcaster or the exchange.
    """
    if kind != "rights_holder":
        raise NotAllowed("Only rights holders register works.")


def _checked(kind: str, text: str | None) -> str | None:
    return None if text is None else identifiers.check(kind, text).canonical
