"""Looks for what would keep the exchange from working on this machine."""

import hashlib
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import imageio_ffmpeg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.log import clocks, policy, witnesses
from contracts.log import queries as log
from contracts.log.policy import PolicyUnreadable
from contracts.parties.times import NotStamped
from contracts.refusal import Refusal
from exchange import clock, jobs, migrating, witnessing
from exchange.context import database_url
from exchange.db import Database
from exchange.settings import Settings
from exchange.timestamping import OutsideAuthorities
from listings.deliveries.gateway import KEY_FILE, EscrowKey
from listings.index import keeping
from listings.masters import mediainfo, objects

_SERVER = text(
    "SELECT name, setting FROM pg_settings "
    "WHERE name IN ('fsync', 'synchronous_commit', 'server_version')"
)
LEAST_FREE_BYTES = 5 * 1024**3  # a short 4K master and its scratch files


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it stands (ok, warning, fault) and what to do."""

    part: str
    state: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        """Return the finding as plain JSON."""
        return asdict(self)


async def examine(settings: Settings) -> list[Finding]:
    """Examine what the exchange stands on, from its database to its payments."""
    return [
        *await _database(settings),
        _disk(settings.home),
        _objects(settings),
        _media(),
        _sandbox(),
        _keys(settings.keys),
        _escrow(settings),
        await _time_stamps(settings),
        await _payments(settings),
    ]


async def _database(settings: Settings) -> list[Finding]:
    try:
        url = database_url(settings)
        at = migrating.current(url)
    except Exception as error:  # noqa: BLE001 - whatever keeps the database away is the finding.
        return [Finding("database", "fault", f"cannot be reached: {error}")]
    if at != migrating.head():
        return [
            Finding(
                "schema", "fault", f"at {at}, needed {migrating.head()}: run `exchange migrate`"
            )
        ]
    db = Database(url)
    try:
        async with db.transaction() as session:
            rows = await session.execute(_SERVER)
            seen = {row.name: row.setting for row in rows.all()}
            reactions = await _reactions(session)
            index = await _index(session, settings)
            witnessed = await _witnesses(session, settings)
            told = await _clock(session)
    except Refusal as refusal:
        return [Finding("database", "fault", refusal.detail)]
    finally:
        await db.close()
    durable = seen["fsync"] == "on" and seen["synchronous_commit"] != "off"
    return [
        Finding("database", "ok", f"PostgreSQL {seen['server_version']}, schema {at}"),
        Finding(
            "durability",
            "ok" if durable else "fault",
            "commits reach the disk"
            if durable
            else "fsync or synchronous_commit is off: acknowledged bids could be lost",
        ),
        reactions,
        index,
        witnessed,
        told,
    ]


async def _index(session: AsyncSession, settings: Settings) -> Finding:
    state = await keeping.state(session, folder=settings.index)
    said = f"{state.codes / 3600:,.1f} hours of {state.entries} masters"
    if state.damaged:
        said += f"; damaged, a worker writes them anew: {', '.join(state.damaged)}"
    if late := state.waiting > 2 * keeping.MOST_WAITING and settings.warehouse_url is None:
        said += f"; {state.waiting} codes wait for a file: is a worker running?"
    return Finding("index", "warning" if late or state.damaged else "ok", said)


async def _witnesses(session: AsyncSession, settings: Settings) -> Finding:
    """Tell whether the policy of the settings is in force, and what its quorum has seen."""
    try:
        wanted = witnessing.read_policy(settings)
    except PolicyUnreadable as refusal:
        return Finding("witnesses", "fault", refusal.detail)
    current = await witnesses.policy_in_force(session)
    if wanted is not None and (current is None or current.sha256 != wanted.sha256):
        said = f"{settings.log_policy} is not in force: a worker brings it in when it starts"
        return Finding("witnesses", "warning", said)
    if current is None or not current.demands:
        return Finding("witnesses", "ok", "none are asked for: deals take effect without them")
    sealed, seen = await log.size(session), await witnesses.witnessed_size(session)
    urls = sum(one.url is not None for one in policy.parse(current.text).witnesses)
    said = f"{urls} are asked; their quorum has seen {seen} of {sealed} facts"
    late = sealed > seen and "; the worker's log says who does not answer"
    return Finding("witnesses", "warning" if late else "ok", f"{said}{late or ''}")


async def _clock(session: AsyncSession) -> Finding:
    """Tell whether this machine's clock fits the database's and the log."""
    alarms = await clocks.alarms(session, now=clock.now())
    if not alarms:
        return Finding("clock", "ok", "fits the database's clock and every time in the log")
    state = "fault" if any(one.is_present for one in alarms) else "warning"
    return Finding("clock", state, "; ".join(one.detail for one in alarms))


async def _reactions(session: AsyncSession) -> Finding:
    stuck = await jobs.stuck_reactions(session)
    if not stuck:
        return Finding("reactions", "ok", "none keeps failing")
    listed = "; ".join(
        f"{each.reaction} to {each.kind} of {each.subject} ({each.attempts} attempts, "
        f"job {each.job_id})"
        for each in stuck
    )
    return Finding("reactions", "warning", f"keep failing, see the worker's log: {listed}")


def _disk(home: Path) -> Finding:
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    state = "ok" if free >= LEAST_FREE_BYTES else "warning"
    return Finding("disk", state, f"{free // 1024**3} GiB free under {home}")


def _objects(settings: Settings) -> Finding:
    """Write, read and remove a small object: whoever may do one may not do the others."""
    url, key, said = settings.objects_store, "doctor/try", b"exchange doctor"
    try:
        kept = objects.opened(settings.objects, url)
        kept.put(key, said)
        same = kept.read(key) == said
        kept.delete(key)
    except (Refusal, OSError) as error:
        return Finding("objects", "fault", f"{url or settings.objects} cannot be used: {error}")
    told = f"{url or settings.objects} takes, gives and removes"
    return Finding("objects", "ok" if same else "fault", told if same else f"{url} gives another")


def _media() -> Finding:
    try:
        decoder = f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}"
    except RuntimeError as error:
        return Finding("media tools", "fault", str(error))
    if mediainfo.is_here():
        return Finding("media tools", "ok", f"{decoder}, MediaInfo")
    lost = "MediaInfo's library is missing: masters are read by one reader fewer"
    return Finding("media tools", "warning", f"{decoder}; {lost}")


def _sandbox() -> Finding:
    if shutil.which("bwrap"):
        return Finding("sandbox", "ok", "bubblewrap: uploads are opened without network or home")
    return Finding(
        "sandbox", "warning", "no bubblewrap: uploads are opened in a limited child process only"
    )


def _keys(folder: Path) -> Finding:
    loose = [path.name for path in folder.glob("*.key") if path.stat().st_mode & 0o077]
    if loose:
        return Finding("keys", "fault", f"readable by others: {', '.join(loose)}; chmod 600 them")
    return Finding("keys", "ok", f"{len(list(folder.glob('*.key')))} private keys under {folder}")


async def _time_stamps(settings: Settings) -> Finding:
    """Ask every outside authority for a time-stamp, as a signature would; without any, look."""
    if not settings.time_authorities:
        own = (settings.keys / "tsa.pem").is_file()
        said = "by the exchange's own key" if own else "none: `exchange ca init` makes a time key"
        return Finding("time-stamps", "ok" if own else "warning", said)
    asked = OutsideAuthorities(settings.time_authorities, settings.time_roots_pem)
    digest, failed = hashlib.sha256(b"exchange doctor").digest(), []
    for url in asked.urls:
        try:
            await asked.ask(url, digest, at=clock.now())
        except NotStamped as why:
            failed.append(f"{url}: {why}")
    if len(failed) == len(asked.urls):
        said = f"no authority stamps, contracts are signed at level B-B: {'; '.join(failed)}"
        return Finding("time-stamps", "fault", said)
    said = f"{len(asked.urls) - len(failed)} of {len(asked.urls)} outside authorities stamp"
    return Finding("time-stamps", "warning" if failed else "ok", "; ".join([said, *failed]))


def _escrow(settings: Settings) -> Finding:
    """Tell whether licensors can seal content keys to the exchange, and to which key."""
    if settings.environment != "production" and not (settings.keys / KEY_FILE).exists():
        return Finding("escrow key", "ok", "made when the first delivery asks for it")
    try:
        name = EscrowKey.open(settings.keys).name
    except Refusal as refusal:
        return Finding("escrow key", "fault", f"{refusal.detail} {refusal.hint}")
    return Finding("escrow key", "ok", f"deliveries are sealed to {name[:16]}…")


async def _payments(settings: Settings) -> Finding:
    if not settings.stripe_is_standin:
        return Finding("payments", "ok", f"Stripe at {settings.stripe_api_base}")
    try:
        async with httpx.AsyncClient(timeout=2) as client:
            await client.get(f"{settings.stripe_api_base}/_standin")
    except httpx.HTTPError:
        return Finding(
            "payments",
            "warning",
            "the local stand-in does not answer: python -m exchange.standins.stripe",
        )
    return Finding(
        "payments", "warning", "a local stand-in takes the payments; no real money moves"
    )
