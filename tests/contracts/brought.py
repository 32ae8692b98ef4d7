"""An exchange whose parties bring their certificates from another authority."""

from datetime import datetime
from pathlib import Path

from contracts.parties.gateway import LocalAuthority, Setup, Subject
from contracts.parties.trusted import Trusted
from tests.conftest import NOW
from tests.contracts.licensed_factory import Outside


class Brought(LocalAuthority):
    """The exchange's authority, in whose place another one issues to parties."""

    outside: Outside

    @classmethod
    def beside(cls, keys_dir: Path, folder: Path, *, now: datetime = NOW) -> "Brought":
        outside = Outside(folder, now)
        setup = Setup("https://exchange.example", Trusted(folder))
        LocalAuthority.ensure(keys_dir, now, setup)
        made = cls(keys_dir, setup)
        made.outside = outside
        return made

    @property
    def issuer_name(self) -> str:
        return "CN=持牌签发"

    def issue(self, csr_pem: bytes, *, party: Subject, now: datetime) -> bytes:  # noqa: ARG002 - asked as the exchange's own is.
        return self.outside.issue(csr_pem, uscc=party.uscc) + self.outside.middle_pem
