"""One call as the operations see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exchange.standins.stripe.store import Store

API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True, slots=True)
class Options:
    """How this stand-in was started."""

    webhook_url: str | None = None
    webhook_secret: str = "whsec_standin"  # noqa: S105 - the settings' placeholder, not a secret.
    fee_bp: int = 290
    fee_fixed_minor: int = 30
    most_minor: int = 999_999_999_999
    onboards: bool = False  # accounts wait for what is required of them
    pending_s: int = 2 * 86_400
    # Source: docs.stripe.com/payments/place-a-hold-on-a-payment-method: seven days for cards.
    hold_s: int = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Call:
    """The parameters, checked; `id` from the path; `now` in Unix seconds, its own clock."""

    store: Store
    options: Options
    params: Mapping[str, Any]
    id: str
    now: int
    account: str
    request: str
    key: str | None
    is_browser: bool = False
    at: str = ""  # the address under which the caller reaches this stand-in


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body; errors that keep their effect (a decline) are answers too."""

    status: int
    body: Mapping[str, Any]
