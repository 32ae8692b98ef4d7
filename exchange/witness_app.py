"""A witness over HTTP: `add-checkpoint`, and what it has cosigned last. No database, no accounts.

Source: C2SP tlog-witness. `GET /` is our own: people and monitors compare there what each witness
was shown.
"""

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from contracts.log import witness
from contracts.log.witness import BadWitnessRequest, OtherOldSize
from contracts.log.witness_folder import WitnessFolder
from contracts.refusal import Kind, Refusal
from exchange import clock

# As the source says; the table of the exchange's own API brings the whole exchange with it.
STATUS = {
    Kind.MALFORMED: 400,
    Kind.FORBIDDEN: 403,
    Kind.UNKNOWN: 404,
    Kind.CONFLICT: 409,
    Kind.INVALID: 422,
    Kind.UNAVAILABLE: 503,
}
MOST_BYTES = 256 * 1024  # 63 hashes, and a note with as many signatures as are read


def create_app(folder: WitnessFolder) -> Starlette:
    """Return the application of one witness."""

    async def add_checkpoint(request: Request) -> Response:
        try:
            asked = witness.parse(await _body(request))
            time_s = int(clock.now().timestamp())
            line = await anyio.to_thread.run_sync(lambda: folder.cosign(asked, time_s=time_s))
        except OtherOldSize as other:
            # Exactly this type, without a charset: clients compare the whole header.
            told = {"Content-Type": witness.SIZE_TYPE}
            return Response(f"{other.data['size']}\n", 409, headers=told)
        except Refusal as refusal:
            said = f"{refusal.code}: {refusal.detail} {refusal.hint}\n"
            return PlainTextResponse(said, STATUS[refusal.kind])
        return PlainTextResponse(line)

    async def show(_request: Request) -> Response:
        return PlainTextResponse(await anyio.to_thread.run_sync(lambda: shown(folder)))

    return Starlette(
        routes=[
            Route(witness.PATH, add_checkpoint, methods=["POST"]),
            Route("/", show, methods=["GET"]),
        ]
    )


def shown(folder: WitnessFolder) -> str:
    """Return the witness's keys, then the last checkpoint it cosigned of each log."""
    notes = (one.signed for _, one in sorted(folder.remembered().items()))
    return "\n".join(["".join(f"{vkey}\n" for vkey in folder.vkeys), *notes])


async def _body(request: Request) -> bytes:
    """Return the body.

    Raises:
        BadWitnessRequest: it is too long, or was cut off.
    """
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                raise BadWitnessRequest("The request is too long.", most_bytes=MOST_BYTES)
    except ClientDisconnect as error:
        raise BadWitnessRequest("The request was cut off.") from error
    return body
