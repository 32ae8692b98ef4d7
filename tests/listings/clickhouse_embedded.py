"""ClickHouse in this process: answers the HTTP interface by executing the very text it is sent."""

import asyncio
from pathlib import Path

import chdb
import chdb.session
import httpx


class Embedded(httpx.AsyncBaseTransport):
    """A ClickHouse server without a network; it can be told to be away."""

    def __init__(self, folder: Path) -> None:
        self._session = chdb.session.Session(str(folder))
        self._turn = asyncio.Lock()
        self.away = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("no route", request=request)
        statement = (await request.aread()).decode()
        async with self._turn:
            try:
                answer = self._session.query(statement)
            except Exception as error:  # noqa: BLE001 - whatever went wrong, a server answers 500.
                return httpx.Response(500, text=str(error), request=request)
        return httpx.Response(200, content=answer.bytes(), request=request)

    def close(self) -> None:
        self._session.close()
