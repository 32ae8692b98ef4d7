"""A small object store that speaks S3's protocol over HTTP, for tests: one bucket in memory.

Source: Amazon S3 API reference: PutObject, GetObject (Range), HeadObject, DeleteObject,
DeleteObjects, CreateMultipartUpload, UploadPart, CompleteMultipartUpload.
"""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Bucket:
    """What the store holds, what it was asked, and how it may misbehave."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.asked: list[str] = []
        self.down = False


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""

    def _path(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return unquote(parts.path).lstrip("/"), parse_qs(parts.query, keep_blank_values=True)

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _content(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _is_down(self) -> bool:
        self.bucket.asked.append(f"{self.command} {self.path}")
        if self.bucket.down:
            self._content()
            self._answer(403)
        return self.bucket.down

    def do_PUT(self) -> None:
        if self._is_down():
            return
        key, query = self._path()
        content = self._content()
        if "uploadId" in query:
            self.bucket.parts[query["uploadId"][0]][int(query["partNumber"][0])] = content
        else:
            self.bucket.objects[key] = content
        self._answer(200, ETag=tag(content))

    def do_POST(self) -> None:
        if self._is_down():
            return
        key, query = self._path()
        content = self._content().decode()
        if "delete" in query:
            names = re.findall(r"<Key>(.*?)</Key>", content)
            for name in names:
                self.bucket.objects.pop(f"{key.rstrip('/')}/{name}", None)
            gone = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
            self._answer(200, _xml("DeleteResult", gone))
        elif "uploads" in query:
            upload_id = str(len(self.bucket.parts))
            self.bucket.parts[upload_id] = {}
            said = f"<UploadId>{upload_id}</UploadId>"
            self._answer(200, _xml("InitiateMultipartUploadResult", said))
        else:
            parts = self.bucket.parts.pop(query["uploadId"][0])
            whole = b"".join(parts[number] for number in sorted(parts))
            self.bucket.objects[key] = whole
            said = f"<Key>{key}</Key><ETag>{tag(whole)}</ETag>"
            self._answer(200, _xml("CompleteMultipartUploadResult", said))

    def do_HEAD(self) -> None:
        if self._is_down():
            return
        content = self.bucket.objects.get(self._path()[0])
        if content is None:
            self._answer(404)
            return
        self._answer(
            200, ETag=tag(content), Last_Modified=formatdate(0, usegmt=True),
            Content_Length=str(len(content)),
        )  # fmt: skip

    def do_GET(self) -> None:
        if self._is_down():
            return
        content = self.bucket.objects.get(self._path()[0])
        if content is None:
            self._answer(404, _xml("Error", "<Code>NoSuchKey</Code>"))
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2])) if asked else (0, len(content) - 1)
        last = min(last, len(content) - 1)
        headers = {"ETag": tag(content), "Last_Modified": formatdate(0, usegmt=True)}
        if asked:
            headers["Content_Range"] = f"bytes {first}-{last}/{len(content)}"
        self._answer(206 if asked else 200, content[first : last + 1], **headers)

    def do_DELETE(self) -> None:
        if self._is_down():
            return
        self.bucket.objects.pop(self._path()[0], None)
        self._answer(204)


@contextmanager
def s3() -> Iterator[tuple[Bucket, dict[str, str]]]:
    """Serve a bucket named `bucket`; yield it and the environment that leads to it."""
    bucket = Bucket()
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    try:
        yield (
            bucket,
            {
                "AWS_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_SKIP_SIGNATURE": "true",
                "AWS_REGION": "us-east-1",
            },
        )
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def tag(content: bytes) -> str:
    """The entity tag of an object."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _xml(name: str, inside: str) -> bytes:
    return f'<?xml version="1.0"?><{name}>{inside}</{name}>'.encode()
