"""Presigned URLs as whoever is given one uses them: plain HTTP, no S3 library, the URL sent as it stands."""

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def request(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def get(url: str, headers: dict[str, str] | None = None) -> Answer:
    return request("GET", url, headers=headers)


def put(url: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    return request("PUT", url, body, headers)
