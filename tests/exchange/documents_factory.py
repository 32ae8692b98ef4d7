"""Documents of a chain of title for tests, over HTTP."""

import hashlib
from typing import Any
from uuid import UUID

import httpx

from contracts import ids
from exchange import clock

PDF = b"%PDF-1.7\n" + b"x" * 100


def said(content: bytes = PDF, **changes: Any) -> dict[str, Any]:
    """What is declared of a document with these bytes."""
    return {
        "kind": "contract",
        "filename": "发行合同.pdf",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "issued_on": "2026-06-01",
        "from_party": "示范影业有限公司",
        **changes,
    }


async def filed(
    client: httpx.AsyncClient, work_id: UUID | str, content: bytes = PDF, **changes: Any
) -> str:
    """The path of a document that is declared and filed."""
    path = f"/v1/works/{work_id}/documents/{ids.new(clock.now())}"
    assert (await client.put(path, json=said(content, **changes))).status_code == 201
    answer = await client.put(f"{path}/content", content=content)
    assert answer.status_code == 200, answer.text
    return path
