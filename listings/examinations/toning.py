"""How a picture of high dynamic range or wide colour looks on a common screen: a cube (pure).

Proxies, posters and thumbnails are SDR BT.709. Light is brought to a white of 203 cd/m2, rolled off
above it, and its colours are turned from BT.2020 to BT.709 and clipped there.

Source: ITU-R BT.2100-2 tables 4 and 5 (PQ, HLG); BT.2408 (203 cd/m2 as diffuse white); BT.2087
(BT.2020 to BT.709); BT.1886 (a display gamma of 2.4).
"""

import numpy as np
import numpy.typing as npt

SIZE = 33  # points a side, as grading tools write
WHITE_CD = 203.0
PEAK_CD = 1000.0  # what most masters are graded to; above it is clipped
KNEE = 0.75  # of SDR white in light: below it nothing is changed
GAMMA = 2.4
HDR = ("arib-std-b67", "smpte2084")
WIDE = "bt2020"
TO_709 = np.array([
    [1.6605, -0.5876, -0.0728],
    [-0.1246, 1.1329, -0.0083],
    [-0.0182, -0.1006, 1.1187],
])  # fmt: skip
LUMINANCE = np.array([0.2627, 0.6780, 0.0593])

Floats = npt.NDArray[np.float64]


def is_needed(transfer: str | None, primaries: str | None) -> bool:
    """Tell whether a picture has to be changed to be seen on a common screen."""
    return transfer in HDR or primaries == WIDE


def cube(transfer: str | None, primaries: str | None) -> str:
    """Return the colour cube (.cube text) from R'G'B' as coded to R'G'B' of BT.709."""
    steps = np.linspace(0, 1, SIZE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    seen = toned(np.stack([red, green, blue], axis=-1).reshape(-1, 3), transfer, primaries)
    lines = "\n".join(f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in seen)
    return f"LUT_3D_SIZE {SIZE}\n{lines}\n"


def toned(coded: Floats, transfer: str | None, primaries: str | None) -> Floats:
    """Return SDR signals, 0 to 1, for signals as coded; shape (n, 3) both."""
    light = _light(coded, transfer)
    if transfer in HDR:
        light = _rolled(light)
    if primaries == WIDE:
        light = light @ TO_709.T
    signal: Floats = np.clip(light, 0, 1) ** (1 / GAMMA)
    return signal


def _light(coded: Floats, transfer: str | None) -> Floats:
    """Return display light where 1 is diffuse white."""
    if transfer == "smpte2084":
        return _pq(coded) / WHITE_CD
    if transfer == "arib-std-b67":
        scene = _hlg(coded)
        bright = np.maximum(scene @ LUMINANCE, 1e-9)[:, None]
        light: Floats = PEAK_CD * scene * bright**0.2 / WHITE_CD  # the OOTF's gamma of 1.2
        return light
    shown: Floats = np.power(coded, GAMMA, dtype=np.float64)
    return shown


def _pq(coded: Floats) -> Floats:
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = coded ** (1 / m2)
    light: Floats = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return light


def _hlg(coded: Floats) -> Floats:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)


def _rolled(light: Floats) -> Floats:
    """Bring light up to the peak below 1, brightest channel first, so that hues stay."""
    top = np.maximum(light.max(axis=1, keepdims=True), 1e-9)
    room, most = 1 - KNEE, PEAK_CD / WHITE_CD - KNEE
    over = np.clip((top - KNEE) / most, 0, 1)
    curved = KNEE + room * over * (1 + most / room) / (1 + over * most / room)
    rolled: Floats = light * np.where(top > KNEE, curved, top) / top
    return rolled
