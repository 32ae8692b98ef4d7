from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.refusal import InvalidContent, NotAllowed
from exchange.identity import rules, secret
from exchange.identity.rules import (
    SCOPES,
    SCOPES_OF,
    STAFF,
    BadEmail,
    BadExpiry,
    Caller,
    KeyFields,
    PersonFields,
    Role,
    ScopeMissing,
    ScopeNotAllowed,
    WeakPassword,
)
from tests.conftest import NOW

ID = UUID(int=1)
keys = st.binary(min_size=32, max_size=32).map(lambda raw: secret.write(raw, prefix=secret.TEST))
scope_sets = st.frozensets(st.sampled_from(SCOPES), min_size=1)


def caller(role: Role = Role.HOLDER, scopes: frozenset[str] = frozenset(SCOPES)) -> Caller:
    return Caller(ID, ID, role, scopes)


@given(keys)
def test_an_api_key_has_its_form(key: str) -> None:
    assert secret.is_well_formed(key)
    assert len(key) == len("rx_test_") + 43 + 6


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_different_entropy_makes_different_keys(one: bytes, other: bytes) -> None:
    written = [secret.write(raw, prefix=secret.LIVE) for raw in (one, other)]
    assert (written[0] == written[1]) == (one == other)


@given(keys, st.integers(0, 56), st.characters(min_codepoint=33, max_codepoint=0x2FF))
def test_a_mistyped_api_key_is_told_from_a_good_one(key: str, place: int, letter: str) -> None:
    if key[place] == letter:
        return
    assert not secret.is_well_formed(key[:place] + letter + key[place + 1 :])


@pytest.mark.parametrize("text", ["", "rx_test_", "sk_test_123", "rx_test_" + "钥" * 49])
def test_something_else_is_no_api_key(text: str) -> None:
    assert not secret.is_well_formed(text)


@given(
    st.sampled_from(Role), scope_sets, st.sampled_from(SCOPES), st.frozensets(st.sampled_from(Role))
)
def test_a_caller_passes_exactly_when_role_and_scope_cover_it(
    role: Role, scopes: frozenset[str], needed: str, roles: frozenset[Role]
) -> None:
    who = caller(role, scopes)
    if roles and role not in roles:
        with pytest.raises(NotAllowed):
            who.need(needed, *roles)
    elif needed not in scopes:
        with pytest.raises(ScopeMissing):
            who.need(needed, *roles)
    else:
        who.need(needed, *roles)


@given(st.sampled_from(Role), scope_sets)
def test_a_key_covers_no_more_than_its_role(role: Role, scopes: frozenset[str]) -> None:
    fields = KeyFields(name="k", scopes=scopes, expires_at=None)
    if scopes <= SCOPES_OF[role]:
        rules.check_new_key(caller(role), fields, now=NOW)
    else:
        with pytest.raises(ScopeNotAllowed):
            rules.check_new_key(caller(role), fields, now=NOW)


def test_an_api_key_makes_no_keys() -> None:
    who = Caller(ID, ID, Role.HOLDER, frozenset(SCOPES), key_id=ID)
    with pytest.raises(NotAllowed):
        rules.check_new_key(who, KeyFields(name="k", scopes=["read"], expires_at=None), now=NOW)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=-1)])
def test_a_key_that_is_expired_from_the_start_is_refused(ahead: timedelta) -> None:
    fields = KeyFields(name="k", scopes=["read"], expires_at=NOW + ahead)
    with pytest.raises(BadExpiry):
        rules.check_new_key(caller(), fields, now=NOW)


@given(st.lists(st.sampled_from(SCOPES), min_size=1, max_size=9))
def test_the_order_and_repetition_of_scopes_do_not_matter(scopes: list[str]) -> None:
    one = rules.clean_key(KeyFields(name="k", scopes=scopes, expires_at=None))
    other = rules.clean_key(KeyFields(name="k", scopes=sorted(set(scopes)), expires_at=None))
    assert one == other


@pytest.mark.parametrize("scopes", [[], ["read", "everything"]])
def test_unknown_scopes_are_refused(scopes: list[str]) -> None:
    with pytest.raises(InvalidContent):
        rules.clean_key(KeyFields(name="k", scopes=scopes, expires_at=None))


def test_an_address_is_kept_in_lower_case() -> None:
    assert rules.clean_email(" Rights@Example.COM ") == "rights@example.com"


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@b", "a@b.", "@b.cn", "a b@c.cn", "a@b..cn", "a@-b.cn", "a@b.cn\x00", "a@b.cn\n.x",
     "ä@b.cn", "a@" + "b" * 250 + ".cn"],
)  # fmt: skip
def test_what_cannot_be_an_address_is_refused(text: str) -> None:
    with pytest.raises(BadEmail):
        rules.clean_email(text)


@pytest.mark.parametrize("password", ["", "elevenchars", "aaaaaaaaaaaaaaaa", "a1" * 8, "x" * 257])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        rules.clean_person(PersonFields(email="a@b.cn", name="A", password=password))


def test_twelve_characters_in_either_spelling_are_one_password() -> None:
    spellings = ("caf\u00e9 am Fluss", "cafe\u0301 am Fluss")
    cleaned = [
        rules.clean_person(PersonFields(email="a@b.cn", name="A", password=text))["password"]
        for text in spellings
    ]
    assert cleaned[0] == cleaned[1]


def test_staff_are_three_roles_none_of_which_trades() -> None:
    assert {role.value for role in STAFF} == {"operator", "approver", "auditor"}
    assert all("bid" not in SCOPES_OF[role] for role in STAFF)
    assert SCOPES_OF[Role.AUDITOR] == {"read"}
