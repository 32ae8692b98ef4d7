"""Callers and what their role and key allow (pure)."""

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from contracts.refusal import Kind, NotAllowed, Refusal


class Role(Enum):
    """What a person does; staff roles are three, so that nobody approves their own work."""

    HOLDER = "holder"  # works for a rights holder (权利人)
    BROADCASTER = "broadcaster"  # works for a broadcaster (播出机构)
    OPERATOR = "operator"  # staff: verifies parties, prepares payouts (经办)
    APPROVER = "approver"  # staff: approves or refuses what an operator prepared (复核)
    AUDITOR = "auditor"  # staff: reads everything, changes nothing (审计)


STAFF = frozenset({Role.OPERATOR, Role.APPROVER, Role.AUDITOR})
SCOPES = ("read", "list", "bid", "deal", "money")


class SignInNeeded(Refusal):
    """Nobody we know: no session, no key, or one that has expired or been revoked."""

    kind, code = Kind.UNAUTHENTICATED, "sign-in-needed"
    hint = "Sign in, or send `Authorization: Bearer <API key>` with a key that is still valid."


class ScopeMissing(Refusal):
    """The API key was not given the scope for this."""

    kind, code = Kind.FORBIDDEN, "scope-missing"
    hint = "Make a key with the scope named in `needed`."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a person of a party, signed in or acting through an API key.

    `scopes` is the whole of SCOPES for a session; a key carries what it was given.
    """

    person_id: UUID
    party_id: UUID
    role: Role
    scopes: frozenset[str]

    @property
    def is_staff(self) -> bool:
        """Whether the caller works for the exchange itself."""
        return self.role in STAFF

    def need(self, scope: str, *roles: Role) -> None:
        """Refuse unless the key covers `scope` and the role is one of `roles` (any, when empty).

        Raises:
            ScopeMissing: the key lacks the scope.
            NotAllowed: the role is another.
        """
        if scope not in self.scopes:
            raise ScopeMissing(f"This key lacks the scope {scope!r}.", needed=scope)
        if roles and self.role not in roles:
            raise NotAllowed(
                "Your role does not cover this.", needed=sorted(role.value for role in roles)
            )
