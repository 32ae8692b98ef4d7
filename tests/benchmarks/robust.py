"""`make bench B=robust`: copies of real clips against all works; ours, MPEG-7 and PDQ in one run.

    make bench B=robust                     # the clips of tests/media
    make bench B=robust MEDIA=folder        # other clips
    make bench B=robust WRITE=1             # also write the curves of scores to data/

Every copy is compared with every work, and every work with every other one. A method's recall is
taken at its own highest score of a pair that is no copy ("zero false positives"); ours is also
taken at the threshold that the product ships with. The last line is one JSON object.
"""

import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from listings.examinations import mpeg7
from listings.masters import alignment, fingerprint
from listings.masters.alignment import SURE
from listings.masters.fingerprint import HEIGHT, WIDTH
from tests.benchmarks import attacks, pdq, peers
from tests.benchmarks.attacks import ATTACKS, Made, Work

ROOT = Path(__file__).parents[2]
CURVES = Path(__file__).parent / "data" / "robust_scores.csv"
BEYOND = ("crop off centre", "turned by 3 degrees", "10 % faster")  # counted apart from the table
DECODE = (
    "[0:v]split[a][b];[a]fps=10,scale=160:90:flags=area,format=gray[l];"
    "[b]fps=5,format=yuv420p,signature=format=binary:filename={signature}[s]"
)
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What every method keeps of a clip."""

    video: npt.NDArray[np.uint8]
    query: npt.NDArray[np.uint8]
    ternary: npt.NDArray[np.uint8]
    hashes: npt.NDArray[np.uint8]
    quality: npt.NDArray[np.int64]


class Pair(NamedTuple):
    """The scores of a copy and a work, and how far ours is off, in seconds."""

    ours: float
    mpeg7: Sequence[float]
    pdq: Sequence[float]
    vpdq: float
    off_s: float


def media() -> list[Path]:
    """Return the clips of MEDIA, or those of the tests."""
    place = Path(os.environ.get("MEDIA") or ROOT / "tests" / "media")
    kinds = ("*.mp4", "*.mkv", "*.mov", "*.webm", "*.mxf", "*.ts")
    found = sorted(path for kind in kinds for path in place.glob(kind))
    if not found:
        raise SystemExit("There are no clips.")
    return found


def see(clip: Path) -> Seen:
    """Decode a clip once and take every method's codes."""
    signature = clip.with_suffix(".sig")
    graph = DECODE.format(signature=signature)
    raw = attacks.ffmpeg("-i", str(clip), "-filter_complex", graph, "-map", "[l]",
                         "-f", "rawvideo", "-", "-map", "[s]", "-f", "null", "-")  # fmt: skip
    luma = np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH)
    codes = fingerprint.codes_of(luma)
    hashes, quality = pdq.hashes(luma[::2])
    ternary = mpeg7.vectors(mpeg7.rows(signature.read_bytes()))
    signature.unlink()
    return Seen(codes.video, codes.query, ternary, hashes, quality)


def copies_of(
    number: int, work: Work, foil: Path, folder: Path
) -> tuple[Seen, list[tuple[Made, Seen]]]:
    """Make a work and all its copies, and see each; no file stays."""
    source = attacks.master(work, folder / f"work{number}.mp4")
    seen, copies = see(source), []
    for name in ATTACKS:
        target = folder / f"copy{number}.mp4"
        copy = attacks.made(work, number, source, foil, name, target)
        copies.append((copy, see(target)))
        target.unlink()
    source.unlink()
    return seen, copies


def compare(copy: Seen, made: Made | None, works: Sequence[Seen]) -> list[Pair]:
    """Return how a copy stands to every work."""
    return [_pair(copy, made, work) for work in works]


def _pair(copy: Seen, made: Made | None, work: Seen) -> Pair:
    found = alignment.align(copy.query, work.video)
    ternary = peers.scores(peers.ternary_distances(copy.ternary, work.ternary),
                           peers.ternary_distances(work.ternary, work.ternary),
                           peers.EVENS["mpeg7"])  # fmt: skip
    hashes = peers.scores(peers.binary_distances(copy.hashes, work.hashes),
                          peers.binary_distances(work.hashes, work.hashes),
                          peers.EVENS["pdq"])  # fmt: skip
    bag = pdq.same(copy.hashes, work.hashes, copy.quality, work.quality)
    off = 0.0
    if found and made:
        here = (found.here_ms + found.length_ms / 2) / 1000
        there = (found.there_ms + found.slope * found.length_ms / 2) / 1000
        off = abs(there - (float(made.speed) * (here - made.here) + made.there))
    return Pair(found.score if found else 0.0, ternary.tolist(), hashes.tolist(), bag, off)


class Kin(NamedTuple):
    """Which pairs (copies, works) and (works, works) are no evidence of a false alarm."""

    copies: npt.NDArray[np.bool_]
    works: npt.NDArray[np.bool_]


class Method(NamedTuple):
    """A method's scores, (copies, works): higher is more alike; and its highest other score."""

    name: str
    scores: Scores
    highest: float

    def found(self, own: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Return which copies score higher with their own work than any pair that is no copy."""
        found: npt.NDArray[np.bool_] = self.scores[np.arange(len(own)), own] > self.highest
        return found


def _method(name: str, scores: Scores, kin: Kin, works: Scores) -> Method:
    """Return a method with the highest of its scores that no kinship explains."""
    others = float(scores[~kin.copies].max(initial=-np.inf))
    return Method(name, scores, max(others, float(works[~kin.works].max(initial=-np.inf))))


def _best(name: str, table: Scores, own: Sequence[int], works: Scores, kin: Kin) -> Method:
    """Return the method at the threshold of distance that finds most."""
    tried = [
        _method(name, table[:, :, even], kin, works[:, :, even]) for even in range(table.shape[2])
    ]
    return max(tried, key=lambda one: int(one.found(own).sum()))


def main() -> None:
    """Make, see, compare, tell."""
    started = time.monotonic()
    works, foil = attacks.works_of(media())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        hidden = attacks.master(foil, folder / "foil.mp4")
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            make = partial(copies_of, foil=hidden, folder=folder)
            made = list(threads.map(make, range(len(works)), works))
    listed = [seen for seen, _ in made]
    copies = [copy for _, own in made for copy in own]
    _say(f"{len(works)} works, {len(copies)} copies made in {time.monotonic() - started:.0f} s")
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        pairs = list(processes.map(
            compare, [seen for _, seen in copies] + listed,
            [each for each, _ in copies] + [None] * len(listed),
            [listed] * (len(copies) + len(listed)), chunksize=8))  # fmt: skip
    _say(f"compared after {time.monotonic() - started:.0f} s")
    _tell(works, foil, pairs[: len(copies)], pairs[len(copies) :])


def _tell(
    works: Sequence[Work], foil: Work, copies: Sequence[list[Pair]], among: Sequence[list[Pair]]
) -> None:
    names, own = list(ATTACKS), [at // len(ATTACKS) for at in range(len(copies))]
    strict, forgiving = _strict(own, len(works)), _forgiving(works, foil, own)
    methods = _methods(copies, among, own, strict)
    forgiven = _methods(copies, among, own, forgiving)
    found = {name: method.found(own) for name, method in methods.items()}
    found |= {f"{name}*": method.found(own) for name, method in forgiven.items()}
    scores = methods["ours"].scores
    found["shipped"] = scores[np.arange(len(own)), own] >= SURE
    hits = {name: hit.reshape(len(works), -1) for name, hit in found.items()}
    rows = {
        attack: {name: round(float(hit[:, at].mean()), 3) for name, hit in hits.items()}
        for at, attack in enumerate(names)
    }
    _table(rows)
    table = [at for at, name in enumerate(names) if name not in BEYOND]
    between = np.array([[pair.ours for pair in row] for row in among])
    others = np.concatenate([scores[~strict.copies], between[~strict.works]])
    if os.environ.get("WRITE"):
        mine = scores[np.arange(len(own)), own].reshape(len(works), -1)
        _write(mine[:, table].ravel(), others)
    recall = {name: round(float(hit[:, table].mean()), 4) for name, hit in hits.items()}
    wrong = [(own[at], names[at % len(names)], to) for at, to in np.argwhere(scores >= SURE)]
    told: dict[str, Any] = {
        "recall": recall["ours"],
        "recall_shipped": recall["shipped"],
        "by_attack": rows,
        "false_positives": int((others >= SURE).sum()),
        "mpeg7_recall": recall["mpeg7"],
        "pdq_recall": recall["pdq"],
        "vpdq_recall": recall["vpdq"],
        "same_camera_forgiven": {name: recall[f"{name}*"] for name in methods},
        "wrong_pairs": [f"{works[one].name} ({name}) = {works[to].name}"
                        for one, name, to in wrong if one != to],
        "localisation_s": _localisation(copies, own, found["shipped"]),
        "threshold": SURE,
        "highest_other": round(float(others.max()), 2),
        "works": len(works),
        "copies": len(copies),
        "negatives": len(others),
    }  # fmt: skip
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")


def _strict(own: Sequence[int], works: int) -> Kin:
    """Every pair but a copy and its own work is a negative."""
    copies = np.zeros((len(own), works), np.bool_)
    copies[np.arange(len(own)), own] = True
    return Kin(copies, np.eye(works, dtype=np.bool_))


def _forgiving(works: Sequence[Work], foil: Work, own: Sequence[int]) -> Kin:
    """Neither are works out of one clip, which show one place, nor what the hiding film shows."""
    clips = np.array([str(work.clip) for work in works])
    same = clips[:, None] == clips[None, :]
    copies = same[np.array(own)]
    hides = np.array([bool(attack.graph) for attack in ATTACKS.values()] * len(works))
    copies[hides] |= clips == str(foil.clip)
    return Kin(copies, same)


def _localisation(
    copies: Sequence[list[Pair]], own: Sequence[int], found: npt.NDArray[np.bool_]
) -> dict[str, float]:
    off = [row[to].off_s for row, to, hit in zip(copies, own, found, strict=True) if hit]
    return {
        "median": round(float(np.median(off)), 3),
        "p90": round(float(np.quantile(off, 0.9)), 3),
    }


def _methods(
    copies: Sequence[list[Pair]], among: Sequence[list[Pair]], own: Sequence[int], kin: Kin
) -> Mapping[str, Method]:
    def table(rows: Sequence[list[Pair]], name: str) -> Scores:
        return np.array([[getattr(pair, name) for pair in row] for row in rows], np.float64)

    plain = {
        name: _method(name, table(copies, name), kin, table(among, name))
        for name in ("ours", "vpdq")
    }
    bag = plain["vpdq"]
    # vPDQ as specified: four fifths of the frames; raised only if unrelated clips reach that.
    plain["vpdq"] = bag._replace(highest=max(bag.highest, pdq.LEAST_SHARE - 1e-9))
    best = {
        name: _best(name, table(copies, name), own, table(among, name), kin)
        for name in ("mpeg7", "pdq")
    }
    return plain | best


def _table(rows: Mapping[str, Mapping[str, float]]) -> None:
    columns = ("ours", "shipped", "mpeg7", "pdq", "vpdq", "ours*", "mpeg7*", "pdq*", "vpdq*")
    _say(f"{'recall at zero false positives':32}" + "".join(f"{name:>9}" for name in columns))
    for attack, row in rows.items():
        _say(f"{attack:32}" + "".join(f"{row[name]:9.2f}" for name in columns))
    _say("* where other works of the same clip do not count as false positives")


def _write(copies: Scores, others: Scores) -> None:
    """Write how many copies and how many other pairs scored what."""
    CURVES.parent.mkdir(exist_ok=True)
    edges = np.arange(0.0, 33.0)
    with CURVES.open("w", newline="", encoding="utf-8") as out:
        sheet = csv.writer(out, lineterminator="\n")
        sheet.writerow(["score_from", "copies", "others"])
        counts = [np.histogram(np.clip(one, 0, 32.5), edges)[0] for one in (copies, others)]
        sheet.writerows(
            [int(edge), int(one), int(other)]
            for edge, one, other in zip(edges, *counts, strict=False)
        )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
