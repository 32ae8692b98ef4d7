"""Half-open stretches of time in milliseconds: united, taken away, long enough (pure)."""

from collections.abc import Iterable, Sequence

LEAST_MS = 2_000  # what lasts less is a cut or a pause, not a fault (EBU QC)
CLOSE_MS = 2  # times are rounded to milliseconds on either side of a border

Spans = list[list[int]]


def united(spans: Iterable[Sequence[int]]) -> Spans:
    """Return the stretches in order, those that touch or overlap as one."""
    out: Spans = []
    for start, end in sorted((span[0], span[1]) for span in spans):
        if out and start <= out[-1][1] + CLOSE_MS:
            out[-1][1] = max(out[-1][1], end)
        else:
            out.append([start, end])
    return out


def without(spans: Spans, others: Spans) -> Spans:
    """Return what remains of the stretches where none of the others is."""
    out: Spans = []
    for start, end in spans:
        for other_start, other_end in others:
            if other_end <= start or other_start >= end:
                continue
            if other_start > start:
                out.append([start, other_start])
            start = min(end, other_end)
        if start < end:
            out.append([start, end])
    return out


def long_enough(spans: Spans) -> Spans:
    """Leave out what is shorter than a fault."""
    return [span for span in spans if span[1] - span[0] >= LEAST_MS]
