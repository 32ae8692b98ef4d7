"""QR codes as rows of modules: what the last page of a contract shows for its public check (pure).

Source: ISO/IEC 18004:2015, byte mode, error correction level M, versions 1 to 10. Block sizes are
those of table 9, alignment patterns those of annex E.
Differs from the source: one mode, and no kanji or structured append; an address needs no more.
"""

from collections.abc import Callable, Iterator
from itertools import product

# Of level M: codewords of correction in each block, then (blocks, codewords of data in each).
_BLOCKS: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {
    1: (10, ((1, 16),)), 2: (16, ((1, 28),)), 3: (26, ((1, 44),)), 4: (18, ((2, 32),)),
    5: (24, ((2, 43),)), 6: (16, ((4, 27),)), 7: (18, ((4, 31),)), 8: (22, ((2, 38), (2, 39))),
    9: (22, ((3, 36), (2, 37))), 10: (26, ((4, 43), (1, 44))),
}  # fmt: skip
_ALIGNED: dict[int, tuple[int, ...]] = {
    1: (), 2: (6, 18), 3: (6, 22), 4: (6, 26), 5: (6, 30), 6: (6, 34), 7: (6, 22, 38),
    8: (6, 24, 42), 9: (6, 26, 46), 10: (6, 28, 50),
}  # fmt: skip
_MASKS: tuple[Callable[[int, int], bool], ...] = (
    lambda r, c: (r + c) % 2 == 0,
    lambda r, _: r % 2 == 0,
    lambda _, c: c % 3 == 0,
    lambda r, c: (r + c) % 3 == 0,
    lambda r, c: (r // 2 + c // 3) % 2 == 0,
    lambda r, c: r * c % 2 + r * c % 3 == 0,
    lambda r, c: (r * c % 2 + r * c % 3) % 2 == 0,
    lambda r, c: ((r + c) % 2 + r * c % 3) % 2 == 0,
)
_FINDER = (1, 0, 1, 1, 1, 0, 1)  # dark and light as a scanner looks for them
_FIELD, _FORMAT, _FORMAT_MASK, _VERSION = 0x11D, 0x537, 0x5412, 0x1F25
Modules = list[list[int]]


def matrix(text: str) -> list[str]:
    """Return the rows of the code, `1` for dark; the quiet zone is the page's affair.

    Raises:
        ValueError: the text is longer than version 10 holds, 213 bytes (a bug, not a refusal).
    """
    data = text.encode()
    version = next((v for v in _BLOCKS if len(data) <= _room(v)), None)
    if version is None:
        raise ValueError("too long for a QR code of version 10")
    plain, fixed = _frame(version)
    _fill(plain, fixed, _bits(_interleaved(_codewords(data, version), version)))
    drawn = (_masked(plain, fixed, version, mask) for mask in range(len(_MASKS)))
    best = min(drawn, key=_penalty)
    return ["".join(map(str, row)) for row in best]


def _length_bits(version: int) -> int:
    return 8 if version < 10 else 16


def _room(version: int) -> int:
    total = sum(count * size for count, size in _BLOCKS[version][1])
    return (total * 8 - 4 - _length_bits(version)) // 8


def _codewords(data: bytes, version: int) -> list[int]:
    total = sum(count * size for count, size in _BLOCKS[version][1])
    bits = f"0100{len(data):0{_length_bits(version)}b}" + "".join(f"{byte:08b}" for byte in data)
    bits += "0" * min(4, total * 8 - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    padding = (0xEC, 0x11)
    return words + [padding[step % 2] for step in range(total - len(words))]


def _interleaved(words: list[int], version: int) -> list[int]:
    correction, shape = _BLOCKS[version]
    sizes = [size for count, size in shape for _ in range(count)]
    blocks, start = [], 0
    for size in sizes:
        blocks.append(words[start : start + size])
        start += size
    checks = [_correction(block, correction) for block in blocks]
    mixed = [block[at] for at in range(max(sizes)) for block in blocks if at < len(block)]
    return mixed + [check[at] for at in range(correction) for check in checks]


def _times(one: int, other: int) -> int:
    """Multiply in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    total = 0
    while other:
        if other & 1:
            total ^= one
        one, other = one << 1 ^ (_FIELD if one & 0x80 else 0), other >> 1
    return total


def _correction(block: list[int], count: int) -> list[int]:
    generator, root = [1], 1
    for _ in range(count):
        shifted = [_times(term, root) for term in generator]
        generator = [a ^ b for a, b in zip([*generator, 0], [0, *shifted], strict=True)]
        root = _times(root, 2)
    rest = block + [0] * count
    for at in range(len(block)):
        factor = rest[at]
        for step, term in enumerate(generator):
            rest[at + step] ^= _times(term, factor)
    return rest[len(block) :]


def _bits(words: list[int]) -> Iterator[int]:
    for word in words:
        for place in range(7, -1, -1):
            yield word >> place & 1


def _frame(version: int) -> tuple[Modules, Modules]:
    """Return the modules that are always there, and a map of which those are."""
    size = 17 + 4 * version
    dark: Modules = [[0] * size for _ in range(size)]
    fixed: Modules = [[0] * size for _ in range(size)]
    for row, column in ((0, 0), (0, size - 7), (size - 7, 0)):
        _square(dark, fixed, row + 3, column + 3, reach=4)
    for step in range(8, size - 8):
        dark[6][step] = dark[step][6] = (step + 1) % 2
        fixed[6][step] = fixed[step][6] = 1
    corners = {(6, 6), (6, size - 7), (size - 7, 6)}
    for row, column in set(product(_ALIGNED[version], repeat=2)) - corners:
        _square(dark, fixed, row, column, reach=2)
    for step in (*range(9), *range(size - 8, size)):
        fixed[8][step] = fixed[step][8] = 1
    for row, column, _ in _version_bits(version, size):
        fixed[row][column] = 1
    return dark, fixed


def _square(dark: Modules, fixed: Modules, row: int, column: int, *, reach: int) -> None:
    """Draw a finder (reach 4, with its light border) or an alignment pattern (reach 2)."""
    light = (1,) if reach == 2 else (2, 4)
    size = len(dark)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            y, x = row + down, column + right
            if 0 <= y < size and 0 <= x < size:
                dark[y][x] = int(max(abs(down), abs(right)) not in light)
                fixed[y][x] = 1


def _fill(dark: Modules, fixed: Modules, bits: Iterator[int]) -> None:
    size, upward = len(dark), True
    right = size - 1
    while right > 0:
        if right == 6:  # the column of the timing pattern is left out
            right -= 1
        for step in range(size):
            row = size - 1 - step if upward else step
            for column in (right, right - 1):
                if not fixed[row][column]:
                    dark[row][column] = next(bits, 0)
        upward, right = not upward, right - 2


def _masked(plain: Modules, fixed: Modules, version: int, mask: int) -> Modules:
    size = len(plain)
    turned = _MASKS[mask]
    made = [
        [plain[r][c] ^ int(not fixed[r][c] and turned(r, c)) for c in range(size)]
        for r in range(size)
    ]
    said = mask << 10  # level M is 00
    for place in range(14, 9, -1):
        if said >> place & 1:
            said ^= _FORMAT << place - 10
    said = (mask << 10 | said) ^ _FORMAT_MASK
    for place in range(15):
        bit = said >> place & 1
        row = place + (place >= 6) if place < 8 else size - 15 + place
        made[row][8] = bit
        column = size - 1 - place if place < 8 else 14 - place + (place < 9)
        made[8][column] = bit
    made[size - 8][8] = 1
    for row, column, bit in _version_bits(version, size):
        made[row][column] = bit
    return made


def _version_bits(version: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield where the version is written, twice; codes below version 7 do not carry it."""
    if version < 7:
        return
    rest = version << 12
    for place in range(17, 11, -1):
        if rest >> place & 1:
            rest ^= _VERSION << place - 12
    said = version << 12 | rest
    for place in range(18):
        bit, far, near = said >> place & 1, size - 11 + place % 3, place // 3
        yield far, near, bit
        yield near, far, bit


def _penalty(modules: Modules) -> int:
    """Return how hard a scanner finds it: runs, squares, false finders, too much of one colour."""
    size = len(modules)
    columns = [list(column) for column in zip(*modules, strict=True)]
    lines = [*modules, *columns]
    squares = sum(
        modules[r][c] == modules[r][c + 1] == modules[r + 1][c] == modules[r + 1][c + 1]
        for r in range(size - 1)
        for c in range(size - 1)
    )
    dark = sum(map(sum, modules))
    uneven = abs(dark * 20 - size * size * 10) // (size * size)
    return sum(map(_runs, lines)) + 3 * squares + 40 * sum(map(_finders, lines)) + 10 * uneven


def _runs(line: list[int]) -> int:
    points, length = 0, 1
    for before, now in zip(line, [*line[1:], -1], strict=True):
        if before == now:
            length += 1
        else:
            points += length - 2 if length >= 5 else 0
            length = 1
    return points


def _finders(line: list[int]) -> int:
    wide = [0] * 4 + line + [0] * 4
    found = 0
    for at in range(4, len(wide) - 10):
        if tuple(wide[at : at + 7]) == _FINDER:
            found += not any(wide[at - 4 : at]) or not any(wide[at + 7 : at + 11])
    return found
