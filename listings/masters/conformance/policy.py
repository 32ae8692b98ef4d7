"""A profile as a policy of MediaConch: what MediaInfo alone can tell, for those who use it (pure).

Source: the XML form of MediaConch policies: `policy` (and, or) of `rule` with value, tracktype,
occurrence and operator.
Differs from the source: nothing of ours runs it; checks that need decoding are left out, as the
description says.
"""

from collections.abc import Callable, Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from listings.masters.conformance.judging import fps, fraction, number, text, texts
from listings.masters.conformance.values import Profile, Requirement, Wanted

# What MediaInfo calls what the technical record calls by ffmpeg's names.
PRIMARIES = {"bt2020": "BT.2020", "bt709": "BT.709"}
TRANSFERS = {
    "arib-std-b67": "HLG", "smpte2084": "PQ", "bt2020-10": "BT.2020 (10-bit)",
    "bt2020-12": "BT.2020 (12-bit)", "bt709": "BT.709",
}  # fmt: skip
MATRICES = {"bt2020nc": "BT.2020 non-constant", "bt709": "BT.709"}
RANGES = {"tv": "Limited", "pc": "Full"}
CONTAINERS = {"mxf": "MXF", "mov": "MPEG-4", "imf": "MXF"}

Field = tuple[str, str, str, str]  # track, value, operator, wanted
Alternatives = list[list[Field]]


def xml(profile: Profile) -> str:
    """Return the policy of a profile as XML."""
    blocks = [_block(each, fields) for each, fields in _ruled(profile)]
    about = (
        f"{profile.source}. Rules of {len(blocks)} of {len(profile.requirements)} checks: "
        "the others need the pictures and the sound decoded, or a person."
    )
    head = f'<policy type="and" name={quoteattr(profile.id)} license="CC0-1.0">'
    lines = ['<?xml version="1.0"?>', head, f"  <description>{escape(about)}</description>"]
    return "\n".join([*lines, *blocks, "</policy>"]) + "\n"


def _ruled(profile: Profile) -> Iterator[tuple[Requirement, Alternatives]]:
    for each in profile.requirements:
        fields = FIELDS[each.check.id](each.wanted) if each.check.id in FIELDS else []
        if fields:
            yield each, fields


def _block(each: Requirement, alternatives: Alternatives) -> str:
    name = f"{each.check.id} {each.check.name['en']} ({each.standard} {each.clause})"
    if len(alternatives) == 1:
        return "\n".join(_rule(name, field, 2) for field in alternatives[0])
    lines = [f'  <policy type="or" name={quoteattr(name)}>']
    for fields in alternatives:
        if len(fields) == 1:
            lines.append(_rule(name, fields[0], 4))
            continue
        lines.append(f'    <policy type="and" name={quoteattr(name)}>')
        lines += [_rule(name, field, 6) for field in fields]
        lines.append("    </policy>")
    return "\n".join([*lines, "  </policy>"])


def _rule(name: str, field: Field, indent: int) -> str:
    track, value, operator, wanted = field
    return (
        f"{' ' * indent}<rule name={quoteattr(name)} value={quoteattr(value)} "
        f'tracktype={quoteattr(track)} occurrence="*" operator={quoteattr(operator)}>'
        f"{escape(wanted)}</rule>"
    )


def _container(wanted: Wanted) -> Alternatives:
    found = [
        [("General", "Format", "=", CONTAINERS[each])]
        for each in (*texts(wanted, "containers"), *texts(wanted, "alternatives"))
    ]
    for pattern in texts(wanted, "patterns"):
        found[0].append(("General", "Format_Profile", "=", pattern))
    return [found[at] for at in range(len(found)) if found[at] not in found[:at]]


def _rasters(wanted: Wanted) -> Alternatives:
    sizes = [each.split("x") for each in texts(wanted, "rasters")]
    return [[("Video", "Width", "=", wide), ("Video", "Height", "=", tall)] for wide, tall in sizes]


def _rates(wanted: Wanted) -> Alternatives:
    rates = [fraction(each) for each in texts(wanted, "rates")]
    return [[("Video", "FrameRate", "=", _three(fps(rate)))] for rate in rates if rate]


def _three(rate: str) -> str:
    """Write a rate as MediaInfo does: 50.000, 59.940."""
    whole, _, part = rate.partition(".")
    return f"{whole}.{part.ljust(3, '0')}"


def _named(
    parameter: str, value: str, names: Mapping[str, str]
) -> Callable[[Wanted], Alternatives]:
    def fields(wanted: Wanted) -> Alternatives:
        return [[("Video", value, "=", names.get(each, each))] for each in texts(wanted, parameter)]

    return fields


def _sound(wanted: Wanted) -> Alternatives:
    (rate,) = texts(wanted, "rates_hz")[:1]
    found = [("Audio", "SamplingRate", "=", rate)]
    if "least_bits" in wanted:
        found.append(("Audio", "BitDepth", ">=", str(number(wanted, "least_bits"))))
        found.append(("Audio", "Format", "=", "PCM"))
    return [found]


FIELDS: Mapping[str, Callable[[Wanted], Alternatives]] = {
    "F01": _container,
    "F02": lambda wanted: [[("General", "Format_Settings", "=", text(wanted, "settings"))]],
    "V01": _rasters,
    "V02": lambda _: [
        [("Video", "PixelAspectRatio", "=", "1.000"), ("Video", "DisplayAspectRatio", "=", "1.778")]
    ],
    "V03": _rates,
    "V04": lambda _: [[("Video", "ScanType", "=", "Progressive")]],
    "V05": lambda _: [[("Video", "FrameRate_Mode", "=", "CFR")]],
    "V06": lambda wanted: [[("Video", "BitDepth", ">=", str(number(wanted, "least_bits")))]],
    "V08": _named("samplings", "ChromaSubsampling", {}),
    "V09": _named("primaries", "colour_primaries", PRIMARIES),
    "V10": _named("transfers", "transfer_characteristics", TRANSFERS),
    "V11": _named("matrices", "matrix_coefficients", MATRICES),
    "V12": _named("ranges", "colour_range", RANGES),
    "V17": lambda _: [[("Video", "Format_Settings_GOP", "=", "N=1")]],
    "A01": _sound,
}
