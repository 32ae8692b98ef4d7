"""How a work may be described: identifiers that check, permit numbers that have the form (pure).

Source: EIDR ID Format 1.51 §2 and ISO 15706-1/-2 (= GB/T 23730), both with check characters after
ISO/IEC 7064 MOD 37,36 started at 36; for permit numbers 电影产业促进法 art. 17-20 (公映许可证),
the NRTA notices of 2022 (剧审字, 动审字, 网审字) and 国家版权局 2016 (作品登记号); for countries
ISO 3166-1 alpha-2.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_37_36

from contracts import canonical
from contracts.parties.rules import clean_name
from contracts.refusal import InvalidContent, Kind, NotAllowed, Refusal
from contracts.works import tree

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

_EIDR = re.compile(r"10\.5240/((?:[0-9A-F]{4}-){5})([0-9A-Z])")
_ISAN = re.compile(r"((?:[0-9A-F]{4}-){4})([0-9A-Z])(?:-([0-9A-F]{4}-[0-9A-F]{4})-([0-9A-Z]))?")
_OPEN, _CLOSE = r"[（(〔\[]", r"[)）〕\]]"
_AUTHORITY = r"[（(][\u4e00-\u9fa5]{1,4}[)）]"
_YEAR = rf"{_OPEN}(?:19|20)[0-9]{{2}}{_CLOSE}"
_FILM_SORTS = r"故|故[（(]复[)）]|美|数|纪|纪数|动|动数|科|进|特|特[（(]进[)）]"
PERMITS = {
    "国产电视剧发行许可证": re.compile(rf"{_AUTHORITY}剧审字{_YEAR}第[0-9]{{3,5}}号"),
    "国产电视动画片发行许可证": re.compile(rf"{_AUTHORITY}动审字{_YEAR}第[0-9]{{3,5}}号"),
    "网络剧片发行许可证": re.compile(
        rf"{_AUTHORITY}网(?:剧|影|微剧|动)审字{_OPEN}20[0-9]{{2}}{_CLOSE}第[0-9]{{3,6}}号"
    ),
    "电影公映许可证": re.compile(rf"电审(?:{_FILM_SORTS})字{_YEAR}第[0-9]{{3,4}}号"),
    "作品登记号": re.compile(r"[\u4e00-\u9fa5]{1,2}作登字-20[0-9]{2}-[A-Z]-[0-9]{8,12}"),
}
units = tree.units  # the block of numbers of a work, as the register of rights asks for it


class BadEidr(Refusal):
    """The EIDR has the wrong form or check character."""

    kind, code = Kind.INVALID, "bad-eidr"
    hint = "Write it as 10.5240/XXXX-XXXX-XXXX-XXXX-XXXX-C, with its own check character."


class BadIsan(Refusal):
    """The ISAN has the wrong form or a wrong check character."""

    kind, code = Kind.INVALID, "bad-isan"
    hint = "Write it as XXXX-XXXX-XXXX-XXXX-C or XXXX-XXXX-XXXX-XXXX-C-XXXX-XXXX-C."


class BadPermit(Refusal):
    """The permit number (许可证号) has none of the forms that permits have."""

    kind, code = Kind.INVALID, "bad-permit"
    hint = "Copy it from the permit, e.g. (粤)剧审字(2026)第001号 or 电审故字[2026]第001号."


class BadYear(Refusal):
    """The year of production is before film or too far ahead."""

    kind, code = Kind.INVALID, "bad-year"
    hint = "Give a year between `earliest` and `latest`."


class UnknownCountry(Refusal):
    """The country of origin is no ISO 3166-1 alpha-2 code."""

    kind, code = Kind.INVALID, "unknown-country"
    hint = "Use two capital letters, e.g. CN."


class WorkFields(TypedDict):
    """What a registrant says about a work."""

    title_zh: str
    title_en: str
    kind: str
    year: int
    country: str
    eidr: str | None
    isan: str | None
    permit_no: str | None


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

    def title_sha256(self) -> str:
        """Return the hex SHA-256 of the titles' canonical JSON, `{"en": …, "zh": …}`."""
        return canonical.sha256_hex(canonical.dumps({"zh": self.title_zh, "en": self.title_en}))


def describe(fields: WorkFields) -> Description:
    """Return the cleaned description of a work; its year is looked at by `check_year`.

    Raises:
        BadName: a title is empty, too long, or holds characters that cannot be seen.
        InvalidContent: the kind is not one of KINDS.
        UnknownCountry: the country is no ISO 3166-1 code.
        BadEidr: the EIDR does not check.
        BadIsan: the ISAN does not check.
        BadPermit: the permit number has none of the known forms.
    """
    if fields["kind"] not in KINDS:
        raise InvalidContent("This kind of work is not known.", known=list(KINDS))
    if fields["country"] not in COUNTRIES:
        raise UnknownCountry("The country of origin is not known.")
    eidr, isan, permit_no = fields["eidr"], fields["isan"], fields["permit_no"]
    return Description(
        title_zh=clean_name(fields["title_zh"], field="title_zh", most=LONGEST_TITLE),
        title_en=clean_name(fields["title_en"], field="title_en", most=LONGEST_TITLE),
        kind=fields["kind"],
        year=fields["year"],
        country=fields["country"],
        eidr=None if eidr is None else clean_eidr(eidr),
        isan=None if isan is None else clean_isan(isan),
        permit_no=None if permit_no is None else clean_permit(permit_no),
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


def clean_eidr(text: str) -> str:
    """Return a content EIDR in capitals.

    Raises:
        BadEidr: the form or the check character is wrong.
    """
    found = _EIDR.fullmatch(_capitals(text))
    if found is None or not _checks(found[1], found[2]):
        raise BadEidr("The EIDR does not check.")
    return found[0]


def clean_isan(text: str) -> str:
    """Return an ISAN in capitals; check characters are required, the version part is not.

    Raises:
        BadIsan: the form or a check character is wrong.
    """
    found = _ISAN.fullmatch(_capitals(text))
    if found is None or not _checks(found[1], found[2]):
        raise BadIsan("The ISAN does not check.")
    # The second check character stands for root, episode and version, without the first one.
    if found[3] is not None and not _checks(found[1] + found[3], found[4]):
        raise BadIsan("The ISAN's version does not check.")
    return found[0]


def clean_permit(text: str) -> str:
    """Return a permit number without spaces at its ends.

    Raises:
        BadPermit: it has none of the forms in PERMITS.
    """
    number = unicodedata.normalize("NFC", text).strip()
    if permit_of(number) is None:
        raise BadPermit("The permit number has none of the known forms.", known=list(PERMITS))
    return number


def permit_of(number: str) -> str | None:
    """Name the permit (in Chinese) that a number of this form belongs to, or None."""
    return next((name for name, form in PERMITS.items() if form.fullmatch(number)), None)


def _capitals(text: str) -> str:
    # Only ASCII is raised: "ß".upper() or a full-width letter must not turn into something valid.
    stripped = text.strip()
    return stripped.upper() if stripped.isascii() else ""


def _checks(body: str, check: str) -> bool:
    try:
        return bool(mod_37_36.validate(body.replace("-", "") + check))
    except ValidationError:
        return False
