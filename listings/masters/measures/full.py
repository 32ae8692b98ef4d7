"""What ffmpeg's own detectors say of every frame: the tier `full` (pure)."""


def filters(*, file: str) -> str:
    """Return the filters for every frame at its full size; they write lines into `file`."""
    raise NotImplementedError
