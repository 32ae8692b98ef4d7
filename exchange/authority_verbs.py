"""What the certificate authority does by itself: lists are renewed, others' lists are followed."""

from datetime import datetime

from contracts.parties import certificates, queries, revocations, service
from contracts.parties.gateway import LocalAuthority
from exchange.authority import open_authority
from exchange.context import Context


async def keep_lists(context: Context, now: datetime) -> int:
    """Publish the list of revoked certificates when it has to be, and follow those of others.

    Returns:
        how many lists were published and keys revoked.
    """
    authority = open_authority(context.settings, now=now)
    renew_root_list(authority, now=now)
    async with context.db.transaction() as session:
        taken_back = 0
        for key in await queries.brought_keys(session):
            if authority.trusted.revoked(key.certificate_pem.encode()):
                await service.revoke_key(session, key.party_id, key.id, now=now)
                taken_back += 1
    async with context.db.transaction() as session:
        return taken_back + await revocations.renew(session, lister=authority, now=now)


def renew_root_list(authority: LocalAuthority, *, now: datetime) -> None:
    """Sign the root's list anew when half of its life is over, where the root's key is here."""
    held = authority.root_list()
    if held is None or not authority.has_root_key:
        return
    if certificates.half_over(held, now=now):
        authority.sign_root_list(now=now)
