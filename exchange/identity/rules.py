"""People, callers, and what their role and key allow (pure).

Source: OWASP ASVS 5.0 §6.2 (length of passwords), §7.2 (sessions); RFC 8265 §4 (passwords in NFC).
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TypedDict
from uuid import UUID

from contracts.parties.rules import clean_name
from contracts.refusal import InvalidContent, Kind, NotAllowed, Refusal


class Role(Enum):
    """What a person does; staff roles are three, so that nobody approves their own work."""

    HOLDER = "holder"  # works for a rights holder (权利人)
    BROADCASTER = "broadcaster"  # works for a broadcaster (播出机构)
    OPERATOR = "operator"  # staff: verifies parties, prepares payouts (经办)
    APPROVER = "approver"  # staff: approves or refuses what an operator prepared (复核)
    AUDITOR = "auditor"  # staff: reads everything, changes nothing (审计)


STAFF = frozenset({Role.OPERATOR, Role.APPROVER, Role.AUDITOR})
SCOPES = ("read", "list", "bid", "deal", "money")
# What a key of each role may cover at most; the role itself is checked besides.
SCOPES_OF: Mapping[Role, frozenset[str]] = {
    Role.HOLDER: frozenset({"read", "list", "deal", "money"}),
    Role.BROADCASTER: frozenset({"read", "bid", "deal", "money"}),
    Role.OPERATOR: frozenset({"read", "list", "deal", "money"}),
    Role.APPROVER: frozenset({"read", "money"}),
    Role.AUDITOR: frozenset({"read"}),
}
ROLE_OF_KIND: Mapping[str, Role] = {
    "rights_holder": Role.HOLDER,
    "broadcaster": Role.BROADCASTER,
}

SESSION_LASTS = timedelta(hours=12)
PROOF_LASTS = timedelta(minutes=5)
FAILURES_ALLOWED, FAILURES_COUNT_FOR = 10, timedelta(minutes=15)
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256
LONGEST_PERSON_NAME = 100
# RFC 5321 §4.5.3.1: 64 octets before the @, 254 in all; internationalised mailboxes are not taken.
_EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


class SignInNeeded(Refusal):
    """Nobody we know: no session, no key, or one that has expired or been revoked."""

    kind, code = Kind.UNAUTHENTICATED, "sign-in-needed"
    hint = "Sign in, or send `Authorization: Bearer <API key>` with a key that is still valid."


class ScopeMissing(Refusal):
    """The API key was not given the scope for this."""

    kind, code = Kind.FORBIDDEN, "scope-missing"
    hint = "Make a key with the scope named in `needed`."


class CsrfToken(Refusal):
    """The request changes something, came with a cookie, and lacks the session's CSRF token."""

    kind, code = Kind.FORBIDDEN, "csrf-token"
    hint = "Send the `csrf_token` of the sign-in in the header X-CSRF-Token."


class SignInFailed(Refusal):
    """The e-mail address and the password do not belong together."""

    kind, code = Kind.UNAUTHENTICATED, "sign-in-failed"
    hint = "Check both; the answer is the same whichever is wrong."


class PasswordWrong(Refusal):
    """The password is not that of the person who is signed in, or whose key it is."""

    kind, code = Kind.FORBIDDEN, "password-wrong"
    hint = "Type your own password; after ten failures wait for a quarter of an hour."
    keeps = True  # the failure is counted


class ProofNeeded(Refusal):
    """The decision needs a fresh proof of who decides."""

    kind, code = Kind.FORBIDDEN, "proof-needed"
    hint = "POST /v1/proofs with your password; send its `proof` within five minutes."


class TooManyAttempts(Refusal):
    """Too many sign-ins with this e-mail address have failed."""

    kind, code = Kind.LIMITED, "too-many-attempts"
    hint = "Wait for `retry_after_s` seconds."


class BadEmail(Refusal):
    """The e-mail address cannot be one."""

    kind, code = Kind.INVALID, "bad-email"
    hint = "Use an address such as name@example.com."


class EmailTaken(Refusal):
    """A person with this e-mail address is registered already."""

    kind, code = Kind.CONFLICT, "email-taken"
    hint = "Sign in with it, or use another address."


class WeakPassword(Refusal):
    """The password is too short, too long, or repeats a few characters."""

    kind, code = Kind.INVALID, "weak-password"
    hint = "Use 12 to 256 characters, at least five of them different; a sentence does well."


class ScopeNotAllowed(Refusal):
    """The key was to cover more than the person's role does."""

    kind, code = Kind.FORBIDDEN, "scope-not-allowed"
    hint = "Choose among the scopes named in `allowed`."


class BadExpiry(Refusal):
    """The key would expire before it is used."""

    kind, code = Kind.INVALID, "bad-expiry"
    hint = "Give an instant in the future, or null for a key that stays until it is revoked."


class PersonFields(TypedDict):
    """What a person says about themselves when they register."""

    email: str
    name: str
    password: str


class KeyFields(TypedDict):
    """What a new API key is to be."""

    name: str
    scopes: Collection[str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a person of a party, signed in or acting through an API key.

    `scopes` is the whole of SCOPES for a session; a key carries what it was given, as far as the
    role still covers it. `key_id` is None for a session.
    """

    person_id: UUID
    party_id: UUID
    role: Role
    scopes: frozenset[str]
    key_id: UUID | None = None

    @property
    def is_staff(self) -> bool:
        """Whether the caller works for the exchange itself."""
        return self.role in STAFF

    @property
    def for_party(self) -> UUID | None:
        """Whose things the caller sees and decides: its party's; None for staff, everybody's."""
        return None if self.is_staff else self.party_id

    def need(self, scope: str, *roles: Role) -> None:
        """Refuse unless the role is one of `roles` (any, when empty) and the key covers `scope`.

        Raises:
            NotAllowed: the role is another; no key of this person could help.
            ScopeMissing: the key lacks the scope.
        """
        if roles and self.role not in roles:
            raise NotAllowed(
                "Your role does not cover this.", needed=sorted(role.value for role in roles)
            )
        if scope not in self.scopes:
            raise ScopeMissing(f"This key lacks the scope {scope!r}.", needed=scope)

    def need_session(self) -> None:
        """Refuse an API key: a key that leaked must not be able to make itself another.

        Raises:
            NotAllowed: the caller acts through an API key.
        """
        if self.key_id is not None:
            raise NotAllowed("Only a signed-in person may do this, not an API key.")


def clean_email(text: str) -> str:
    """Return the address in lower case.

    Raises:
        BadEmail: it does not have the form of an address.
    """
    email = text.strip().lower()
    if len(email) > 254 or _EMAIL.fullmatch(email) is None:
        raise BadEmail("This is not an e-mail address.")
    return email


def clean_person(fields: PersonFields) -> PersonFields:
    """Return the fields as they are compared and stored (the password in NFC, not yet hashed).

    Raises:
        BadEmail: the address does not have the form of one.
        BadName: the name is empty, too long, or holds characters that cannot be seen.
        WeakPassword: the password is too short, too long, or repeats a few characters.
    """
    password = unicodedata.normalize("NFC", fields["password"])
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or len(set(password)) < 5:
        raise WeakPassword("The password is easy to guess.", least=SHORTEST_PASSWORD)
    name = clean_name(fields["name"], field="name", most=LONGEST_PERSON_NAME)
    return PersonFields(email=clean_email(fields["email"]), name=name, password=password)


def clean_key(fields: KeyFields) -> KeyFields:
    """Return the fields as they are compared and stored: scopes once each, in the order of SCOPES.

    Raises:
        BadName: the key's name is empty, too long, or holds characters that cannot be seen.
        InvalidContent: a scope is unknown, or none is given.
    """
    name = clean_name(fields["name"], field="name", most=LONGEST_PERSON_NAME)
    unknown = sorted(set(fields["scopes"]) - set(SCOPES))
    if unknown or not fields["scopes"]:
        raise InvalidContent("A key needs one or more known scopes.", known=list(SCOPES))
    scopes = [scope for scope in SCOPES if scope in fields["scopes"]]
    return KeyFields(name=name, scopes=scopes, expires_at=fields["expires_at"])


def check_new_key(caller: Caller, fields: KeyFields, *, now: datetime) -> None:
    """Let a person give a key what they may do themselves, for a time to come.

    Raises:
        NotAllowed: the caller acts through an API key.
        ScopeNotAllowed: the role does not cover a scope.
        BadExpiry: the key would be expired from the start.
    """
    caller.need_session()
    allowed = SCOPES_OF[caller.role] & caller.scopes
    if not allowed.issuperset(fields["scopes"]):
        raise ScopeNotAllowed("Your role does not cover every scope.", allowed=sorted(allowed))
    if fields["expires_at"] is not None and fields["expires_at"] <= now:
        raise BadExpiry("The key would be expired from the start.")
