"""Outside time-stamping authorities, asked over HTTP one after the other, each for a short time.

Source: RFC 3161 §3.4 (time-stamps over HTTP).
Whoever does not answer in time, or not as it should, costs nothing but its turn; the next is asked.
Whoever failed last is asked last, so that a dead authority does not hold up every signature.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from datetime import datetime

import httpx
from asn1crypto import cms

from contracts.deals import asking
from contracts.parties.times import NotStamped

_log = logging.getLogger("exchange.timestamping")

ANSWER_S = 3.0  # from the connection to the last byte; authorities take some 100 ms
MOST_BYTES = 64 * 1024
TYPES = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


@dataclass
class OutsideAuthorities:
    """Several authorities; the first that answers as it should is taken.

    Attributes:
        urls: in the order in which they are preferred.
        roots_pem: the certificates that theirs have to lead to.
        failed: those that failed when they were asked last.
    """

    urls: tuple[str, ...]
    roots_pem: bytes
    failed: set[str] = field(default_factory=set)

    async def token(self, digest: bytes, *, at: datetime) -> cms.ContentInfo:
        """Return a checked time-stamp token over a SHA-256 digest.

        Raises:
            NotStamped: none of the authorities answered as it should; says why of each.
        """
        why = []
        for url in sorted(self.urls, key=lambda one: one in self.failed):
            try:
                token = await self.ask(url, digest, at=at)
            except NotStamped as said:
                _log.warning("no time-stamp from %s: %s", url, said)
                self.failed.add(url)
                why.append(f"{url}: {said}")
            else:
                self.failed.discard(url)
                return token
        raise NotStamped("; ".join(why))

    async def ask(self, url: str, digest: bytes, *, at: datetime) -> cms.ContentInfo:
        """Return a checked token of one authority.

        Raises:
            NotStamped: it did not answer in time, or not as it should.
        """
        nonce = int.from_bytes(secrets.token_bytes(8)) | 1 << 63
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await _posted(url, asking.request(digest, nonce=nonce))
        except TimeoutError as late:
            raise NotStamped(f"no answer within {ANSWER_S:.0f} seconds") from late
        except (httpx.HTTPError, httpx.InvalidURL) as away:
            raise NotStamped(f"{away or type(away).__name__}") from away
        return await asking.checked(
            answer, digest=digest, nonce=nonce, roots_pem=self.roots_pem, at=at
        )


async def _posted(url: str, request: bytes) -> bytes:
    async with (
        httpx.AsyncClient(timeout=ANSWER_S, follow_redirects=False) as client,
        client.stream("POST", url, content=request, headers=TYPES) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise NotStamped(f"it answers {answer.status_code}")
        read = bytearray()
        async for chunk in answer.aiter_bytes():
            read += chunk
            if len(read) > MOST_BYTES:
                raise NotStamped("the answer is longer than any token")
        return bytes(read)
