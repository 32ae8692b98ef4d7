"""Policies: which logs are trusted, and which witnesses have to cosign their checkpoints.

Source: C2SP tlog-policy. Names are bytes to the source; they are compared code point by code point
here, which is the same for UTF-8.
Differs from the source: a file whose last line has no newline is read as well.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.log import checkpoint, cosignature, note
from contracts.log.checkpoint import Checkpoint
from contracts.log.cosignature import Cosigner
from contracts.log.note import Verifier
from contracts.refusal import Kind, Refusal

NONE = "none"
MOST_LINES, MOST_GROUPS = 1_000, 100
_SPACE = re.compile(r"[ \t]+")
_COUNT = re.compile(r"[1-9][0-9]{0,5}")


class PolicyUnreadable(Refusal):
    """The text is not a policy of logs, witnesses, groups and one quorum."""

    kind, code = Kind.INVALID, "policy-unreadable"
    hint = "`line` says where. The form is C2SP tlog-policy: log, witness, group and quorum lines."


class QuorumNotMet(Refusal):
    """Too few witnesses have cosigned the checkpoint."""

    kind, code = Kind.INVALID, "quorum-not-met"
    hint = "Ask for a later proof, or ask the witnesses what they have seen."


@dataclass(frozen=True, slots=True)
class Log:
    """A log that is trusted, and where it is."""

    verifier: Verifier
    url: str | None


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness under its name in the policy, and where it takes checkpoints."""

    name: str
    cosigner: Cosigner
    url: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """So many of these, each a witness or an earlier group."""

    name: str
    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as read; `quorum` is the name of a witness or group, or `none`."""

    text: str
    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...]
    groups: Mapping[str, Group]
    quorum: str

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the text, by which a policy is named."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def demands(self) -> bool:
        """Whether the quorum asks for any cosignature."""
        return self.quorum != NONE

    def missing(self, cosigned: Iterable[str]) -> int:
        """Return how many more witnesses have to cosign, at least; 0 when the quorum is met.

        Each name is a member of one group at most, so the cheapest members make the cheapest group.
        """
        return 0 if not self.demands else self._cost(self.quorum, frozenset(cosigned))

    def _cost(self, name: str, cosigned: frozenset[str]) -> int:
        group = self.groups.get(name)
        if group is None:
            return 0 if name in cosigned else 1
        costs = sorted(self._cost(member, cosigned) for member in group.members)
        return sum(costs[: group.least])


@dataclass(frozen=True, slots=True)
class Judged:
    """What a policy says of a checkpoint.

    Attributes:
        checkpoint: signed by a log of the policy.
        cosigned: the witnesses of the policy that cosigned it, each with the time in seconds.
        missing: how many more are needed at least; 0 when the quorum is met.
    """

    checkpoint: Checkpoint
    cosigned: Mapping[str, int]
    missing: int

    @property
    def needed(self) -> int:
        """How many cosignatures make the quorum, those that are there included."""
        return len(self.cosigned) + self.missing


def parse(raw: str | bytes) -> Policy:
    """Read a policy.

    Raises:
        PolicyUnreadable: a line is not of the form, names what is not there, or names it twice.
    """
    text = raw if isinstance(raw, str) else _decoded(raw)
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        raise PolicyUnreadable("The policy is too long.", line=MOST_LINES)
    read = _Reading()
    for number, line in enumerate(lines, start=1):
        words = [word for word in _SPACE.split(line) if word]
        if any((char < " " and char != "\t") or char == "\x7f" for char in line):
            raise PolicyUnreadable("A policy holds no control characters.", line=number)
        if words and not words[0].startswith("#"):
            read.take(words, number)
    return read.finished(text)


def judge(signed: str, policy: Policy, *, origin: str | None = None) -> Judged:
    """Say what the policy makes of a checkpoint with its cosignatures.

    Args:
        signed: the note: checkpoint, the log's line, witnesses' lines.
        policy: whom it trusts.
        origin: the log it has to be of; any log of the policy where None.

    Raises:
        BadNote: it is not a checkpoint.
        UntrustedNote: no log of the policy signed it, or a known key's line does not verify.
    """
    name = checkpoint.parse(note.parse(signed)[0]).origin if origin is None else origin
    trusted = [log.verifier for log in policy.logs if log.verifier.name == name]
    opened = checkpoint.open_checkpoint(signed, origin=name, trusted=trusted)
    times = cosigned_by(signed, policy.witnesses)
    return Judged(opened, times, policy.missing(times))


def open_cosigned(signed: str, policy: Policy, *, origin: str | None = None) -> Judged:
    """Return the checkpoint if the policy is met.

    Raises:
        BadNote: it is not a checkpoint.
        UntrustedNote: no log of the policy signed it, or a known key's line does not verify.
        QuorumNotMet: too few witnesses have cosigned it.
    """
    judged = judge(signed, policy, origin=origin)
    if judged.missing:
        raise QuorumNotMet(
            f"{len(judged.cosigned)} witnesses have cosigned; {judged.missing} more have to.",
            cosigned=sorted(judged.cosigned),
            missing=judged.missing,
        )
    return judged


def cosigned_by(signed: str, witnesses: Sequence[Witness]) -> dict[str, int]:
    """Return which of the witnesses cosigned a note, and when (seconds since 1970).

    Raises:
        BadNote: it is not a note.
        UntrustedNote: a witness's line does not verify.
    """
    times = {witness.name: cosignature.found(signed, witness.cosigner) for witness in witnesses}
    return {name: time_s for name, time_s in times.items() if time_s is not None}


@dataclass
class _Reading:
    """The lines that were read so far."""

    logs: list[Log] = field(default_factory=list)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    quorum: str | None = None

    def take(self, words: list[str], line: int) -> None:
        """Read one line.

        Raises:
            PolicyUnreadable: it is not of the form.
        """
        word, *rest = words
        try:
            match word, rest:
                case "log", [vkey, *url] if len(url) <= 1:
                    self._log(vkey, *url)
                case "witness", [name, vkey, *url] if len(url) <= 1:
                    self._witness(name, vkey, *url)
                case "group", [name, count, *members] if members:
                    self._group(name, count, members)
                case "quorum", [name]:
                    self._quorum(name)
                case _:
                    raise PolicyUnreadable(f"A line `{word}` has other parts than it should.")
        except (PolicyUnreadable, note.BadVerifierKey) as error:
            raise PolicyUnreadable(f"Line {line}: {error.detail}", line=line) from error

    def finished(self, text: str) -> Policy:
        """Return the policy.

        Raises:
            PolicyUnreadable: it has no quorum.
        """
        if self.quorum is None:
            raise PolicyUnreadable("A policy has one line `quorum`.", line=text.count("\n") + 1)
        return Policy(
            text, tuple(self.logs), tuple(self.witnesses.values()), self.groups, self.quorum
        )

    def _log(self, vkey: str, url: str | None = None) -> None:
        verifier = Verifier.parse(vkey)
        if any(known.verifier.key == verifier.key for known in self.logs):
            raise PolicyUnreadable("The same log key twice.")
        self.logs.append(Log(verifier, url))

    def _witness(self, name: str, vkey: str, url: str | None = None) -> None:
        self._check_new(name)
        cosigner = Cosigner.parse(vkey)
        if any(known.cosigner.key == cosigner.key for known in self.witnesses.values()):
            raise PolicyUnreadable("The same witness key twice.")
        self.witnesses[name] = Witness(name, cosigner, url)

    def _group(self, name: str, count: str, members: list[str]) -> None:
        self._check_new(name)
        if len(self.groups) == MOST_GROUPS:
            raise PolicyUnreadable(f"A policy has at most {MOST_GROUPS} groups.")
        for member in members:
            self._check_known(member)
            if member in self.members:
                raise PolicyUnreadable(f"{member} is a member already.")
            self.members.add(member)
        least = {"any": 1, "all": len(members)}.get(count)
        if least is None:
            least = int(count) if _COUNT.fullmatch(count) else 0
        if not 1 <= least <= len(members):
            raise PolicyUnreadable("A group asks for `all`, `any`, or a number of its members.")
        self.groups[name] = Group(name, least, tuple(members))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise PolicyUnreadable("A second quorum.")
        if name != NONE:
            self._check_known(name)
        self.quorum = name

    def _check_new(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise PolicyUnreadable(f"The name {name} is taken.")

    def _check_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise PolicyUnreadable(f"No line above names {name}.")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PolicyUnreadable("A policy is text in UTF-8.", line=line) from error
