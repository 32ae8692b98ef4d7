"""From code values to light: HLG, PQ and SDR, BT.2020 and BT.709; what one picture shows (pure).

Source: ITU-R BT.2100-2 tables 4 and 5, BT.2020-2, BT.709-6, BT.1886; the shares after the technical
review of 8K programmes in Beijing (2022), as the reference of this project gives it.
Differs from the source: a component above one after the conversion to BT.709 does not make a pixel
wide. It means more light, not more colour: a grey above 1000 cd/m² would count as wide.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from listings.masters.measures.samples import Coding, Flags, Floats, Words

# Linear BT.2020 to linear BT.709 (BT.2087-0), and the weights of luminance of both systems.
TO_709 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ],
    np.float32,
)
WEIGHTS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {  # red and blue; green is the rest
        "bt2020nc": (0.2627, 0.0593),
        "bt2020c": (0.2627, 0.0593),
        "bt709": (0.2126, 0.0722),
        "bt470bg": (0.299, 0.114),
        "smpte170m": (0.299, 0.114),
    }
)
EPS = 0.002  # of full light: noise of the coding is not colour
HLG_PEAK = 1000.0  # cd/m², the nominal display; its system gamma is 1.2
HLG_GAMMA = 1.2
HLG_A, HLG_B, HLG_C = 0.17883277, 0.28466892, 0.55991073
PQ_M1, PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
PQ_C1, PQ_C2, PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
PQ_PEAK = 10_000.0
SDR_PEAK, SDR_GAMMA = 100.0, 2.4


def signal(planes: Words, coding: Coding) -> Floats:
    """Return R′G′B′ of Y′CbCr planes, shape (3, …); 0 is black and 1 nominal white."""
    scale = 2.0 ** (coding.depth - 8)
    if coding.range == "pc":
        most = 256 * scale - 1
        black, white, colour, middle = 0.0, most, most, 128 * scale
    else:
        black, white, colour, middle = 16 * scale, 219 * scale, 224 * scale, 128 * scale
    red, blue = weights(coding)
    luma = (planes[0].astype(np.float32) - np.float32(black)) / np.float32(white)
    cb = (planes[1].astype(np.float32) - np.float32(middle)) / np.float32(colour)
    cr = (planes[2].astype(np.float32) - np.float32(middle)) / np.float32(colour)
    out = np.empty((3, *luma.shape), np.float32)
    out[0] = luma + np.float32(2 - 2 * red) * cr
    out[2] = luma + np.float32(2 - 2 * blue) * cb
    out[1] = (luma - red * out[0] - blue * out[2]) / np.float32(1 - red - blue)
    return out


def weights(coding: Coding) -> tuple[float, float]:
    """Return the shares of red and blue in luma; without a matrix the primaries tell."""
    named = coding.matrix or ("bt2020nc" if coding.primaries == "bt2020" else "bt709")
    return WEIGHTS.get(named, WEIGHTS["bt709"])


def hlg_linear(value: Floats) -> Floats:
    """Return scene light (0 to 1) of an HLG signal (BT.2100 table 5, the inverse OETF)."""
    value = np.clip(value, 0, None)
    upper = (np.exp((value - HLG_C) / HLG_A) + HLG_B) / 12
    return np.where(value <= 0.5, value * value / 3, upper).astype(np.float32, copy=False)


def hlg_light(scene: Floats, peak: float = HLG_PEAK) -> Floats:
    """Return cd/m² on the nominal display of scene luminance (the OOTF on luminance)."""
    return (peak * np.power(scene, np.float32(HLG_GAMMA))).astype(np.float32, copy=False)


def pq_light(value: Floats) -> Floats:
    """Return cd/m² of a PQ signal (BT.2100 table 4, the EOTF)."""
    root = np.power(np.clip(value, 0, 1), np.float32(1 / PQ_M2))
    ratio = np.clip(root - PQ_C1, 0, None) / (PQ_C2 - PQ_C3 * root)
    return (PQ_PEAK * np.power(ratio, np.float32(1 / PQ_M1))).astype(np.float32, copy=False)


def code(value: float, depth: int = 10) -> int:
    """Return the code value of a signal in narrow range."""
    return round((219 * value + 16) * (1 << (depth - 8)))


def light_of(colour: Floats, coding: Coding) -> tuple[Floats, Floats]:
    """Return (linear RGB, 1 = full; luminance in cd/m²) of R′G′B′ by the coding's transfer.

    Full is the nominal peak of HLG, 1000 cd/m² of PQ, reference white of SDR.
    """
    red, blue = weights(coding)
    if coding.transfer == "arib-std-b67":
        linear = hlg_linear(colour)
        return linear, hlg_light(_luminance(linear, red, blue))
    if coding.transfer == "smpte2084":
        light = pq_light(colour)
        return light / np.float32(HLG_PEAK), _luminance(light, red, blue)
    linear = np.power(np.clip(colour, 0, None), np.float32(SDR_GAMMA))
    return linear, np.float32(SDR_PEAK) * _luminance(linear, red, blue)


def _luminance(linear: Floats, red: float, blue: float) -> Floats:
    green = np.float32(1 - red - blue)
    total = np.float32(red) * linear[0] + green * linear[1] + np.float32(blue) * linear[2]
    return np.asarray(total, np.float32)


def beyond_709(linear: Floats) -> Flags:
    """Return where linear BT.2020 light has a colour that BT.709 cannot show."""
    parts = [row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2] for row in TO_709]
    return np.asarray(np.minimum(np.minimum(parts[0], parts[1]), parts[2]) < np.float32(-EPS))
