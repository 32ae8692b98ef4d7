"""Every no that a further file of a work, or a package, can meet."""

from contracts.refusal import Kind, Refusal


class BadLanguage(Refusal):
    """The language is no tag of BCP 47."""

    kind, code = Kind.INVALID, "asset-language"
    hint = "Send a language tag such as zh-Hans, yue or en, or leave it out."


class AssetNotReceived(Refusal):
    """The upload of the file is not complete."""

    kind, code = Kind.CONFLICT, "asset-not-received"
    hint = "Finish the upload (tus), then send this again with the same id."


class AssetContent(Refusal):
    """Base of what the content of a file shows to be wrong; the asset ends as `refused`."""

    kind, code = Kind.INVALID, "asset-content"
    hint = "Send the file under the kind that it is, as a new asset."


class NotASubtitle(AssetContent):
    """The file holds no subtitles that can be read."""

    code = "not-a-subtitle"
    hint = "Send SRT, WebVTT, TTML or IMSC with at least one cue, each ending after it begins."


class NotArtwork(AssetContent):
    """The file is no whole JPEG or PNG of a usable size."""

    code = "not-artwork"
    hint = "Send a JPEG or PNG of 16 to 16384 pixels a side."


class NotASound(AssetContent):
    """The file holds no sound that can be read, or a moving picture beside it."""

    code = "not-a-sound"
    hint = "Send WAV (BWF, RF64), AIFF, FLAC or MXF with sound alone."


class NotAPicture(AssetContent):
    """The file holds no moving picture."""

    code = "not-a-picture-file"
    hint = "Send MXF, MOV, MP4, MKV or MPEG-TS with a moving picture."


class NotMetadata(AssetContent):
    """The file is neither XML, JSON nor plain text that can be read."""

    code = "not-metadata"
    hint = "Send well-formed XML or JSON, or text in UTF-8."


class AssetTooLarge(AssetContent):
    """The file is larger than a file of its kind may be."""

    code = "asset-too-large"
    hint = "`most_bytes` is the limit for this kind."
