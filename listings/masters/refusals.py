"""Every no that an upload or its examination can meet."""

from contracts.refusal import Kind, Refusal


class TusVersionUnsupported(Refusal):
    """The request speaks another version of tus, or none."""

    kind, code = Kind.PRECONDITION, "tus-version"
    hint = "Send `Tus-Resumable: 1.0.0`."


class BadUploadHeader(Refusal):
    """A header of the upload is missing or is not a whole number in its range."""

    kind, code = Kind.MALFORMED, "bad-upload-header"
    hint = "Send Upload-Length when creating and Upload-Offset when appending, in whole bytes."


class BadUploadMetadata(Refusal):
    """Upload-Metadata is missing, unreadable, or lacks `filename` or `master_id`."""

    kind, code = Kind.INVALID, "bad-upload-metadata"
    hint = "Send `key base64(value)` pairs joined by commas, with filename and master_id (a UUID)."


class UploadTooLarge(Refusal):
    """The file is larger than this exchange takes."""

    kind, code = Kind.TOO_LARGE, "upload-too-large"
    hint = "`most_bytes` is the limit."


class UploadOverrun(Refusal):
    """The content goes on after the declared length."""

    kind, code = Kind.TOO_LARGE, "upload-overrun"
    hint = "Ask for the offset (HEAD) and send no more than the rest."


class WrongOffset(Refusal):
    """The content does not start where the stored part ends."""

    kind, code = Kind.CONFLICT, "upload-offset"
    hint = "Ask for the offset (HEAD) and go on from there."


class WrongUploadType(Refusal):
    """The content is not announced as a part of an upload."""

    kind, code = Kind.UNSUPPORTED, "upload-content-type"
    hint = "Send `Content-Type: application/offset+octet-stream`."


class UploadExpired(Refusal):
    """The upload was left unfinished too long."""

    kind, code = Kind.GONE, "upload-expired"
    hint = "Start again with a new master id."


class UploadFinished(Refusal):
    """The upload is complete; its file stays as it is."""

    kind, code = Kind.CONFLICT, "upload-finished"
    hint = "Follow the examination of the master instead."


class UploadByReference(Refusal):
    """The exchange fetches this master itself; no bytes are taken from elsewhere."""

    kind, code = Kind.CONFLICT, "upload-by-reference"
    hint = "Wait until it is fetched, or upload under a new master id."


class ReferenceNotAllowed(Refusal):
    """The URL is not below a store that this exchange fetches from."""

    kind, code = Kind.FORBIDDEN, "reference-not-allowed"
    hint = "Name a file below one of the stores that the operator allows, or upload it."


class Examination(Refusal):
    """Base of what an examination finds wrong; the master ends as `refused`."""

    kind, code = Kind.INVALID, "master-refused"
    hint = "Upload a whole, readable video under a new master id."


class NotAVideo(Examination):
    """The file is no video that can be read, whatever its name says."""

    code = "not-a-video"


class NoPicture(Examination):
    """The file holds no moving picture."""

    code = "no-picture"


class TruncatedMaster(Examination):
    """The file ends before its pictures do."""

    code = "truncated-master"


class PixelFlood(Examination):
    """The picture is larger than 8192 x 4320, the largest that is decoded."""

    code = "pixel-flood"


class StreamFlood(Examination):
    """The file holds more than 256 streams; the largest masters have some forty."""

    code = "stream-flood"


class LyingMaster(Examination):
    """The file promises more pictures than it has bytes, over 48 hours, or an impossible rate."""

    code = "lying-master"


class ExternalMedia(Examination):
    """The file keeps its pictures or its sound in another file."""

    code = "external-media"
    hint = "Wrap everything into one file, and upload it under a new master id."


class UndecodableMaster(Examination):
    """No decoder of this exchange gives a picture of the file."""

    code = "undecodable-master"
    hint = "Encode it in a format that is decoded here, and upload it under a new master id."


class ExaminationTimeout(Examination):
    """Examining the file took more time than a file of its length may take."""

    code = "examination-timeout"


class ExaminationTooLarge(Examination):
    """Examining the file took more memory or disk than a file may take."""

    code = "examination-too-large"


class ReferenceMissing(Examination):
    """There is no file at the URL."""

    code = "reference-missing"
    hint = "Put the file there, and refer to it under a new master id."


class ReferenceDiffers(Examination):
    """The file at the URL is not the one that was announced, or changed while it was fetched."""

    code = "reference-differs"
    hint = "Announce the file as it is, under a new master id."


class MasterDamaged(Examination):
    """The stored file no longer has the SHA-256 that it had when it was received."""

    code = "master-damaged"


CODES = {
    refusal.code: refusal
    for refusal in (
        NotAVideo, NoPicture, TruncatedMaster, PixelFlood, StreamFlood, LyingMaster, ExternalMedia,
        UndecodableMaster, ExaminationTimeout, ExaminationTooLarge,
        MasterDamaged,
    )
}  # fmt: skip
