"""The exchange's own log key: made at first use in development, required in production."""

from contracts.log.gateway import LogSigner
from exchange.settings import Settings


def log_signer(settings: Settings) -> LogSigner:
    """Return the signer of the transparency log.

    Raises:
        LogKeyMissing: in production, when the operator has not put the key in place.
    """
    if settings.environment == "production":
        return LogSigner.open(settings.keys, settings.log_origin)
    return LogSigner.ensure(settings.keys, settings.log_origin)
