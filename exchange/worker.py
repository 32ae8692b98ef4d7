"""Background work: seal facts, run reactions, close what is due, send and apply payments.

Any number of workers may run, on any number of machines, against one database and one objects
folder: every loop takes its work under a row lock or skips what another holds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from procrastinate import App
from sqlalchemy.exc import DBAPIError

from contracts.agreements import lasting as agreed
from contracts.deals import lasting, timers
from contracts.log import clocks, publishing
from contracts.log.gateway import LogSigner
from contracts.log.site import LogSite
from contracts.refusal import Refusal
from contracts.titles import holds
from exchange import (
    authority_verbs,
    clock,
    collecting,
    embedded,
    idempotency,
    index_verbs,
    jobs,
    master_verbs,
    pieces,
    screener_verbs,
    sealing,
    template_verbs,
)
from exchange.authority import open_authority
from exchange.context import Context
from exchange.keys import log_signer
from exchange.witnessing import Asker, read_policy, watch
from listings.admissions import applying
from listings.auctions import ending
from listings.deliveries import service as deliveries
from listings.offers import service as offers
from listings.requests import service as requests
from listings.sealed import service as sealed
from settlement.deposits import carding, letters
from settlement.lateness import service as lateness
from settlement.ledger import holds as money_holds
from settlement.stripe import balancing, watching
from settlement.stripe import service as stripe
from settlement.stripe.gateway import Gateway, open_gateway

_log = logging.getLogger("exchange.worker")

SEAL_LIMIT = 256
# 100 ms between empty looks: a bid is in the feed within a tenth of a second, and an idle worker
# costs ten small queries a second.
REST_S = 0.1
RESCUE_EVERY_S = 3.0
SWEEP_EVERY_S = 300.0
# Whoever asks for rights frees what ran out before them; this is for those who only look.
HOLDS_EVERY_S = 2.0
# What has run out cannot be accepted any more; this is for those who wait to be told.
OFFERS_EVERY_S = 2.0
INDEX_EVERY_S = 10.0
OPENED_EVERY_S = 1.0  # what two shares open is opened as they come; this is for the rest
ACCEPTED_EVERY_S = 30.0  # the time to object to a delivery ends at a midnight
LATE_EVERY_S = 30.0  # days of lateness and the end of a demand begin at a midnight
TIMERS_EVERY_S = 5.0  # periods of deals are days; a period to cure ends at midnight
ENDED_EVERY_S = 30.0  # a link that ran out opens nothing; this only clears its film away
# What was sealed meanwhile is published at once: its files and one checkpoint.
PUBLISH_EVERY_S = 0.25
LISTS_EVERY_S = 30.0  # how long a revoked key is on no list, at most
RENEW_EVERY_S = 3600.0  # what was just signed is archived by its reaction; this renews yearly
CLOCK_EVERY_S = 60.0
TEXTS_EVERY_S = 600.0  # what a release brings is published at once; this finds what was away
CONCURRENCY = 4
Step = Callable[[], Awaitable[int]]


async def work(context: Context) -> None:
    """Run every loop until cancelled."""
    settings = context.settings
    signer = log_signer(settings)
    gateway = open_gateway(
        api_key=settings.stripe_api_key.get_secret_value(), api_base=settings.stripe_api_base
    )
    read_policy(settings)  # one that cannot be read ends the worker here, where it is seen
    asker = Asker()
    await template_verbs.check_texts(context)
    collecting.seldom()
    async with asyncio.TaskGroup() as tasks:
        if settings.database_url is None:
            tasks.create_task(embedded.keep_running(settings.home))
        tasks.create_task(_again(lambda: seal(context, signer), "seal"))
        tasks.create_task(_again(lambda: publish(context), "publish", rest_s=PUBLISH_EVERY_S))
        tasks.create_task(_again(lambda: watch(context, signer, asker), "witnesses"))
        tasks.create_task(_again(lambda: watch_clock(context), "clock", rest_s=CLOCK_EVERY_S))
        tasks.create_task(_again(lambda: publish_texts(context), "texts", rest_s=TEXTS_EVERY_S))
        tasks.create_task(_again(lambda: close_due(context), "close"))
        tasks.create_task(_again(lambda: keep_lists(context), "lists", rest_s=LISTS_EVERY_S))
        tasks.create_task(_again(lambda: renew_archives(context), "archive", rest_s=RENEW_EVERY_S))
        tasks.create_task(_again(lambda: open_due(context), "open", rest_s=OPENED_EVERY_S))
        tasks.create_task(_again(lambda: pay_due(context, gateway), "pay"))
        tasks.create_task(_again(lambda: drop_expired(context), "drop", rest_s=SWEEP_EVERY_S))
        tasks.create_task(_again(lambda: expire_holds(context), "expire", rest_s=HOLDS_EVERY_S))
        tasks.create_task(_again(lambda: end_screeners(context), "screeners", rest_s=ENDED_EVERY_S))
        tasks.create_task(_again(lambda: end_offers(context), "offers", rest_s=OFFERS_EVERY_S))
        tasks.create_task(_again(lambda: fire_timers(context), "timers", rest_s=TIMERS_EVERY_S))
        tasks.create_task(_again(lambda: watch_late(context), "late", rest_s=LATE_EVERY_S))
        tasks.create_task(
            _again(lambda: accept_deliveries(context), "deliveries", rest_s=ACCEPTED_EVERY_S)
        )
        tasks.create_task(_again(lambda: keep_index(context), "index", rest_s=INDEX_EVERY_S))
        tasks.create_task(_queue(context))


async def seal(context: Context, signer: LogSigner) -> int:
    """Number the facts that wait, batch after batch, and queue what they wake."""
    return await sealing.seal_waiting(context.db, signer, limit=SEAL_LIMIT)


async def publish(context: Context) -> int:
    """Write what was sealed into the folder of the published log."""
    async with context.db.transaction() as session:
        return await publishing.publish(session, LogSite(context.settings.log_site))


async def watch_clock(context: Context) -> int:
    """Warn, as long as it is so, that a clock contradicts the log; `exchange doctor` tells too."""
    async with context.db.transaction() as session:
        found = await clocks.alarms(session, now=clock.now())
    for alarm in found:
        if alarm.is_present:
            _log.warning("clock: %s", alarm.detail)
    return 0


async def renew_archives(context: Context) -> int:
    """Time-stamp a contract, and an agreement, whose last archive is a year old, or missing."""
    now = clock.now()
    authority = open_authority(context.settings, now=now)
    async with context.db.transaction() as session:
        renewed = await lasting.archive_due(session, authority=authority, now=now)
    async with context.db.transaction() as session:
        return renewed + await agreed.archive_due(session, authority=authority, now=now)


async def keep_lists(context: Context) -> int:
    """Publish the list of revoked certificates anew when it has to be; revoke what others did."""
    return await authority_verbs.keep_lists(context, clock.now())


async def publish_texts(context: Context) -> int:
    """Publish the templates of contracts that are new in this release, each once."""
    return await template_verbs.publish_texts(context)


async def close_due(context: Context) -> int:
    """Close the auctions whose time has come."""
    async with context.db.transaction() as session:
        return await ending.close_due(session, now=clock.now())


async def open_due(context: Context) -> int:
    """Open sealed bids whose shares did not come in time with what their bidders said."""
    async with context.db.transaction() as session:
        return await sealed.open_due(session, now=clock.now())


async def expire_holds(context: Context) -> int:
    """Give back rights that were held until now for a contract nobody signed; and held money.

    And end cards and letters that stand for deposits no longer; bids have them end by themselves.
    """
    now = clock.now()
    async with context.db.transaction() as session:
        freed = await holds.expire_due(session, now=now)
    async with context.db.transaction() as session:
        freed += await money_holds.expire_due(session, now=now)
    return freed + await watch_pledges(context)


async def end_offers(context: Context) -> int:
    """End offers that ran out, open answers whose deadline passed."""
    now = clock.now()
    async with context.db.transaction() as session:
        ended = await offers.expire_due(session, now=now)
    async with context.db.transaction() as session:
        opened = await requests.open_due(session, now=now)
    return ended + opened


async def watch_late(context: Context) -> int:
    """Write down the days on which invoices are late, and note what was not paid in time."""
    now = clock.now()
    async with context.db.transaction() as session:
        count = await lateness.accrue_due(session, now=now)
    async with context.db.transaction() as session:
        return count + await lateness.default_due(session, now=now)


async def fire_timers(context: Context) -> int:
    """Fire the timer of a deal that has been due longest."""
    async with context.db.transaction() as session:
        return await timers.fire_due(session, now=clock.now())


async def accept_deliveries(context: Context) -> int:
    """Take for accepted what nobody objected to in time."""
    async with context.db.transaction() as session:
        return await deliveries.accept_due(session, now=clock.now())


async def pay_due(context: Context, gateway: Gateway) -> int:
    """Send payment instructions, apply events, look for what did not come, compare balances."""
    sent = await stripe.send_due(context.db, gateway, now=clock.now())
    applied = await stripe.apply_due(context.db, gateway, now=clock.now())
    found = await watching.watch_due(context.db, gateway, now=clock.now())
    compared = await balancing.compare_due(context.db, gateway, now=clock.now())
    return sent + applied + found + compared


async def watch_pledges(context: Context) -> int:
    """End cards and letters that stand for deposits no longer; admit whom a card made complete."""
    now = clock.now()
    async with context.db.transaction() as session:
        done = await carding.watch_due(session, now=now)
    async with context.db.transaction() as session:
        done += await letters.expire_due(session, now=now)
    async with context.db.transaction() as session:
        return done + await applying.admit_due(session, now=now)


async def drop_expired(context: Context) -> int:
    """Remove uploads left unfinished too long, and idempotency keys that nobody sends again."""
    now = clock.now()
    async with context.db.transaction() as session:
        forgotten = await idempotency.forget_old(session, now=now)
    return forgotten + await master_verbs.drop_expired(context, now)


async def end_screeners(context: Context) -> int:
    """Remove the films of screeners that ran out or were taken back."""
    return await screener_verbs.end_screeners(context, clock.now())


async def keep_index(context: Context) -> int:
    """Write what was listed lately into the files of the index of pictures."""
    return await index_verbs.keep_index(context, clock.now())


async def _again(step: Step, name: str, *, rest_s: float = REST_S) -> None:
    """Repeat a step; rest when it found nothing or failed. The worker's one catch-all."""
    while True:
        try:
            done = await step()
        except (Refusal, DBAPIError) as error:
            _log.warning("%s: %s; trying again", name, error)
            done = 0
            await asyncio.sleep(RESCUE_EVERY_S / 10)
        except Exception:  # noqa: BLE001 - the top of the loop: one bad item must not stop the worker.
            _log.exception("%s failed; trying again", name)
            done = 0
            await asyncio.sleep(RESCUE_EVERY_S)
        if not done:
            await asyncio.sleep(rest_s)


async def _queue(context: Context) -> None:
    """Run queued jobs; open the queue anew when its database connection is lost."""
    at_once = {jobs.QUEUE: CONCURRENCY, pieces.QUEUE: context.settings.pieces_at_once}
    while True:
        queue = jobs.open_queue(context, connections=sum(at_once.values()) + 4)
        with suppress(TimeoutError):
            try:
                async with queue.open_async(), asyncio.TaskGroup() as tasks:
                    tasks.create_task(_rescue(queue))
                    for name, concurrency in at_once.items():
                        tasks.create_task(_run(queue, name, concurrency))
            except* Exception as group:  # noqa: BLE001 - whatever ended the queue, it opens again.
                _log.warning("the job queue lost its connection (%s); opening it again", group)
        await asyncio.sleep(REST_S)


async def _run(queue: App, name: str, concurrency: int) -> None:
    """Run the jobs of one queue until its connection is lost."""
    await queue.run_worker_async(
        queues=[name],
        name=name,
        concurrency=concurrency,
        fetch_job_polling_interval=0.5,
        update_heartbeat_interval=jobs.HEARTBEAT_S,
        stalled_worker_timeout=jobs.STALLED_AFTER_S,
        install_signal_handlers=False,
        delete_jobs="successful",  # what took effect is in `reaction_done`, or in the pieces
    )
    raise ConnectionError(f"the worker of the queue {name} has ended")


async def _rescue(queue: App) -> None:
    while True:
        await asyncio.sleep(RESCUE_EVERY_S)
        rescued = await jobs.rescue_stalled(queue)
        if rescued:
            _log.warning("took over %s jobs of a worker that died", rescued)
