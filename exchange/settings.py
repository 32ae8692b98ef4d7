"""Settings: read from the environment (`EXCHANGE_…`), checked once, passed down."""

from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.parties import certificates, times
from contracts.parties.gateway import POLICY, Setup
from contracts.parties.trusted import Trusted
from listings.masters import references

PLACEHOLDERS = (
    "changeme",
    "change-me",
    "secret",
    "placeholder",
    "sk_test_standin",
    "whsec_standin",
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Settings(BaseSettings):
    """What the operator may configure; every field has a working default for development."""

    model_config = SettingsConfigDict(env_prefix="EXCHANGE_", extra="ignore")

    environment: Literal["development", "production"] = "development"
    home: Path = Path(".exchange")
    database_url: str | None = None
    objects_dir: str | None = None
    objects_store: str | None = None
    reference_stores: str = ""
    index_dir: Path | None = None
    index_url: SecretStr | None = None
    keys_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    base_url: str = ""
    log_origin: str = "log.uhdx.local/2026"
    log_policy: Path | None = None
    log_site_dir: Path | None = None
    trusted_cas: Path | None = None
    tsa_policy: str = POLICY
    tsa_urls: str = ""
    tsa_roots: Path | None = None
    # Which methods of sale may be offered; development has all, production says what it holds.
    operator_licence: Literal["property_exchange", "auction_house", "none"] | None = None
    stripe_api_key: SecretStr = SecretStr("sk_test_standin")
    stripe_publishable_key: str = "pk_test_standin"  # public: payers confirm with it
    stripe_api_base: str = "http://127.0.0.1:8001"
    stripe_webhook_secret: SecretStr = SecretStr("whsec_standin")
    upload_limit_bytes: int = 2 * 1024**4
    sandbox: Literal["auto", "require", "off"] = "auto"
    # Films of twice this length and more are decoded in pieces of about so many seconds, which any
    # worker takes; one worker decodes so many of them at once.
    piece_s: PositiveInt = 300
    pieces_at_once: PositiveInt = 1

    @field_validator(
        "home", "keys_dir", "index_dir", "log_site_dir", "log_policy", "tsa_roots", "trusted_cas"
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().resolve()

    @field_validator("reference_stores")
    @classmethod
    def _name_stores(cls, text: str) -> str:
        references.roots(text)
        return text

    @field_validator("tsa_policy")
    @classmethod
    def _name_policy(cls, text: str) -> str:
        try:
            return certificates.dotted(text)
        except ValueError as wrong:
            raise ValueError(f"EXCHANGE_TSA_POLICY: {text} is no object identifier") from wrong

    @field_validator("tsa_urls")
    @classmethod
    def _reach_time_authorities(cls, text: str) -> str:
        for url in text.split():
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"EXCHANGE_TSA_URLS: {url} is no address of an authority")
        return text

    @model_validator(mode="after")
    def _trust_time_authorities(self) -> "Settings":
        if self.tsa_urls.split() and self.tsa_roots is None:
            raise ValueError("EXCHANGE_TSA_ROOTS must name the roots of those in EXCHANGE_TSA_URLS")
        try:
            names = [one.subject.native for one in times.anchors(self.time_roots_pem)]
        except (OSError, ValueError) as wrong:
            raise ValueError(f"EXCHANGE_TSA_ROOTS: {self.tsa_roots} cannot be read") from wrong
        if self.tsa_roots and not names:
            raise ValueError(f"EXCHANGE_TSA_ROOTS: {self.tsa_roots} holds no certificate")
        return self

    @model_validator(mode="after")
    def _no_placeholders_in_production(self) -> "Settings":
        if self.environment == "production":
            for name in ("stripe_api_key", "stripe_webhook_secret"):
                value = getattr(self, name).get_secret_value()
                if not value or value.lower() in PLACEHOLDERS:
                    raise ValueError(
                        f"EXCHANGE_{name.upper()} is a placeholder; set the real secret"
                    )
            if self.database_url is None:
                raise ValueError("EXCHANGE_DATABASE_URL must name a PostgreSQL in production")
            if self.operator_licence is None:
                raise ValueError(
                    "EXCHANGE_OPERATOR_LICENCE must say property_exchange, auction_house or none"
                )
        return self

    @property
    def licence(self) -> str:
        """The operator's licence; in development, where none is given, that of an exchange."""
        return self.operator_licence or "property_exchange"

    @cached_property
    def objects(self) -> Path:
        """The folder of stored files; `EXCHANGE_OBJECTS_DIR` takes a path or a `file://` URL."""
        if self.objects_dir is None:
            return self.home / "objects"
        parts = urlsplit(self.objects_dir)
        return Path(unquote(parts.path) if parts.scheme == "file" else self.objects_dir).resolve()

    @cached_property
    def references(self) -> tuple[str, ...]:
        """The stores that masters may be fetched from: URLs in `EXCHANGE_REFERENCE_STORES`."""
        return references.roots(self.reference_stores)

    @cached_property
    def index(self) -> Path:
        """The folder of the scan files, which are derived: it may be of one machine alone."""
        return self.index_dir or self.objects / "index"

    @property
    def warehouse_url(self) -> str | None:
        """The ClickHouse server that holds the index; None when this machine scans."""
        return None if self.index_url is None else self.index_url.get_secret_value()

    @cached_property
    def keys(self) -> Path:
        """The folder of the exchange's own keys (log, certificate authority, certification)."""
        return self.keys_dir or self.home / "keys"

    @cached_property
    def log_site(self) -> Path:
        """The folder of the published log; any web server may serve it."""
        return self.log_site_dir or self.home / "log-site"

    @property
    def authority_setup(self) -> Setup:
        """What the operator says about the certificate authority."""
        return Setup(self.public_url, Trusted(self.trusted_cas), self.tsa_policy)

    @property
    def time_authorities(self) -> tuple[str, ...]:
        """Where outside time-stamping authorities (RFC 3161) are asked, the preferred first."""
        return tuple(self.tsa_urls.split())

    @cached_property
    def time_roots_pem(self) -> bytes:
        """The certificates (PEM) that outside time-stamps may lead to; empty when there are none.

        They outlive the addresses: contracts that were stamped once are checked for decades.
        """
        return b"" if self.tsa_roots is None else self.tsa_roots.read_bytes()

    @property
    def public_url(self) -> str:
        """Where people and providers reach this exchange, without a trailing slash."""
        return (self.base_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def stripe_is_standin(self) -> bool:
        """Whether payments go to a server on this machine instead of Stripe."""
        return urlsplit(self.stripe_api_base).hostname in LOOPBACK
