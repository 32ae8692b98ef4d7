"""Checks of a bundle against a policy on witnesses: who else has seen this log (见证人)."""

from contracts.evidence.opened import CHECKPOINT, EVENTS, LOG_POLICY, Bundle, Failed
from contracts.log import policy
from contracts.log.policy import Judged, Policy


def witnesses(bundle: Bundle) -> str:
    """Where the deal waited for witnesses, the quorum of the bundle's policy has seen every fact.

    The policy is the exchange's word; a policy of one's own is checked by `by_policy`.
    """
    for executed in bundle.all_of("deal.executed"):
        awaited = executed.record.get("policy_sha256")
        witnessed = bundle.all_of("deal.witnessed")
        if awaited is not None and not witnessed:
            raise Failed(EVENTS, "the deal waited for witnesses, and nothing tells that they came")
        for event in witnessed:
            size = event.record["size"]
            if size is not None and not executed.index < size <= event.index:
                raise Failed(EVENTS, f"the witnessed log of {size} does not hold the execution")
    if LOG_POLICY not in bundle.files:
        return "no policy asks for witnesses"
    return _met(bundle, policy.parse(bundle.files[LOG_POLICY]), LOG_POLICY)


def by_policy(trusted: Policy, bundle: Bundle) -> str:
    """The checkpoint over every fact meets a policy that the reader brought along."""
    return _met(bundle, trusted, "the given policy")


def _met(bundle: Bundle, trusted: Policy, whose: str) -> str:
    signed = bundle.files[CHECKPOINT].decode()
    judged = policy.judge(signed, trusted, origin=bundle.checkpoint.origin)
    if judged.missing:
        raise Failed(
            CHECKPOINT,
            f"{_told(judged)}, and {whose} asks for {judged.missing} more; if these facts are of "
            "the last minutes, fetch the bundle again",
        )
    return f"{_told(judged)}: {whose} is met"


def _told(judged: Judged) -> str:
    if not judged.cosigned:
        return "no witness has cosigned it"
    return f"{len(judged.cosigned)} cosigned ({', '.join(sorted(judged.cosigned))})"
