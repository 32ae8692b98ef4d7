"""The demo's parties: who they are, how they sign in, and their API keys."""

import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from stdnum.cn import uscc

from exchange.demo import signer
from exchange.demo.api import Api
from exchange.demo.state import State
from exchange.identity.rules import Role

USCC_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: without I O S V Z


@dataclass(frozen=True, slots=True)
class Member:
    """One organisation of the demo and its person."""

    slot: str
    kind: str
    name_zh: str
    name_en: str
    person: str
    scopes: tuple[str, ...]


MEMBERS = (
    Member(
        "producer",
        "rights_holder",
        "示范影视制作有限公司",
        "Demo Pictures Production Co., Ltd.",
        "权利人经办 Rights desk",
        ("read", "list", "deal", "money"),
    ),
    Member(
        "coowner",
        "rights_holder",
        "示范联合出品有限公司",
        "Demo Co-Producers Ltd.",
        "联合出品方经办 Co-owner's desk",
        ("read", "list", "deal", "money"),
    ),
    Member(
        "north",
        "broadcaster",
        "示范北方卫视",
        "Demo North Satellite TV",
        "采购经办 Acquisitions desk",
        ("read", "bid", "deal", "money"),
    ),
    Member(
        "south",
        "broadcaster",
        "示范南方卫视",
        "Demo South Satellite TV",
        "采购经办 Acquisitions desk",
        ("read", "bid", "deal", "money"),
    ),
    Member(
        "west",
        "broadcaster",
        "示范西部卫视",
        "Demo West Satellite TV",
        "采购经办 Acquisitions desk",
        ("read", "bid", "deal", "money"),
    ),
)
STAFF = (
    ("operator", Role.OPERATOR, "交易所经办 Operator"),
    ("approver", Role.APPROVER, "交易所复核 Approver"),
)
BROADCASTERS = ("north", "south", "west")


@dataclass
class Cast:
    """Everybody in the trade with an open client each."""

    base_url: str
    state: State
    clients: dict[str, Api] = field(default_factory=dict)

    def party(self, slot: str) -> UUID:
        """Return the id of a member's party."""
        return self.state.id(f"party/{slot}")

    def email(self, slot: str) -> str:
        """Return the address a slot signs in with."""
        own = "" if self.state.path.name == "trade.json" else f"-{self.state.get('seed')[:6]}"
        return f"{slot}{own}@demo.example"

    def password(self, slot: str) -> str:
        """Return the slot's password; made once."""
        return str(self.state.keep(f"password/{slot}", secrets.token_urlsafe(15)))

    def signing_key(self, slot: str) -> str:
        """Return the slot's own P-256 key (PEM); made once, never sent anywhere."""
        found = self.state.get(f"signing-key/{slot}")
        if found is None:
            key_pem, _ = signer.make_key_and_csr(slot)
            found = self.state.put(f"signing-key/{slot}", key_pem.decode())
        return str(found)

    async def close(self) -> None:
        """Close every client."""
        for client in self.clients.values():
            await client.http.aclose()


async def sign_up(cast: Cast, member: Member) -> None:
    """Register the member's party and its person."""
    async with Api(cast.base_url) as public:
        await public.call(
            "PUT",
            f"/v1/parties/{cast.party(member.slot)}",
            json={
                "kind": member.kind,
                "name_zh": member.name_zh,
                "name_en": member.name_en,
                "uscc": _uscc(cast.state, member.slot),
                "person": {
                    "id": str(cast.state.id(f"person/{member.slot}")),
                    "email": cast.email(member.slot),
                    "name": member.person,
                    "password": cast.password(member.slot),
                },
            },
        )


async def signed_in(cast: Cast, slot: str) -> Api:
    """Return a client in a browser's place: session cookie and CSRF token."""
    client = Api(cast.base_url)
    answer = await client.call(
        "POST", "/v1/sessions", json={"email": cast.email(slot), "password": cast.password(slot)}
    )
    client.http.headers["X-CSRF-Token"] = answer["csrf_token"]
    return client


async def with_key(cast: Cast, slot: str, scopes: tuple[str, ...]) -> Api:
    """Return a client with the slot's API key; makes the key when there is none yet."""
    kept = cast.state.get(f"api-key/{slot}")
    if kept is None:
        kept = await _make_key(cast, slot, scopes)
    cast.clients[slot] = Api(cast.base_url, key=kept)
    return cast.clients[slot]


async def _make_key(cast: Cast, slot: str, scopes: tuple[str, ...]) -> str:
    async with await signed_in(cast, slot) as browser:
        for attempt in range(1, 20):
            # A key's secret is shown once: if that answer was lost, another key is made.
            made: dict[str, Any] = await browser.call(
                "PUT",
                f"/v1/api-keys/{cast.state.id(f'api-key/{slot}/{attempt}')}",
                json={"name": "demo", "scopes": list(scopes), "expires_at": None},
            )
            if made["secret"]:
                return str(cast.state.put(f"api-key/{slot}", made["secret"]))
    raise RuntimeError(f"no API key could be made for {slot}")


def _uscc(state: State, slot: str) -> str:
    """Return a well-formed 统一社会信用代码 (GB 32100-2015) of this demo's own."""
    number = state.id(f"uscc/{slot}").int
    digits = ""
    for _ in range(9):
        number, rest = divmod(number, len(USCC_LETTERS))
        digits += USCC_LETTERS[rest]
    body = "91440100" + digits
    return body + str(uscc.calc_check_digit(body))
