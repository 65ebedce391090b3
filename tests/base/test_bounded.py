"""What answers in place of AWS without end ends by a limit of size, and all of it is not kept in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.utils import ContainerMetadataFetcher, MetadataRetrievalError
from hypothesis import given
from hypothesis import strategies as st
from moto.core.botocore_stubber import MockRawResponse
from urllib3.exceptions import ProtocolError

from runbook_lib.base import bounded
from runbook_lib.base.aws import Aws
from runbook_lib.base.aws_errors import aws_errors
from runbook_lib.base.errors import AwsError
from tests.served import served

SMALL = 100_000


class Endless(ThreadingHTTPServer):
    """Sends without end, as quickly as it is read; `sent` are the bytes that somebody took."""

    daemon_threads = True

    def __init__(self) -> None:
        self.sent = 0
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked went away."""


class _Handler(BaseHTTPRequestHandler):
    server: Endless

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.end_headers()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            self.wfile.write(b"x" * 10_000)
            self.server.sent += 10_000

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endless]:
    monkeypatch.setattr(bounded, "MOST_B", SMALL)
    monkeypatch.setattr("runbook_lib.base.patience.AGAIN_S", ())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with served(Endless()) as made:
        yield made


ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "sts": ("get_caller_identity", {}),
    "appconfig": (
        "get_hosted_configuration_version",
        {"ApplicationId": "abcd123", "ConfigurationProfileId": "abcd123", "VersionNumber": 1},
    ),
    "s3": ("get_object", {"Bucket": "our-records", "Key": "x"}),
    "dynamodb": ("list_tables", {}),
}


@pytest.mark.parametrize("status", [200, 302, 400, 503])
@pytest.mark.parametrize("service", ASKED)
def test_a_body_without_end_is_given_up_by_its_size(endless: Endless, service: str, status: int) -> None:
    endless.status, begun = status, time.monotonic()
    client = Aws("us-east-1", endless.url, tries=1, answer_s=10).client(service)
    question, given = ASKED[service]
    with pytest.raises(AwsError, match="gives no whole answer"), aws_errors("asking"):
        getattr(client, question)(**given)
    assert time.monotonic() - begun < 5, "not by the limit of time"
    assert endless.sent < 20_000_000, "what the system holds for a connection, and no more"


@pytest.mark.parametrize("headers", [{}, {"content-length": "3"}])
def test_what_a_test_answers_in_place_of_aws_is_read_too(headers: dict[str, str]) -> None:
    """Where moto was loaded after the first client, each of its answers was a TypeError."""
    assert bounded.Answer("http://127.0.0.1:9/", 200, headers, MockRawResponse(b"abc")).content == b"abc"


def test_a_service_with_credentials_is_held_to_it_too(endless: Endless) -> None:
    Aws("us-east-1", endless.url)
    begun = time.monotonic()
    with pytest.raises(MetadataRetrievalError):
        ContainerMetadataFetcher(sleep=lambda _: None).retrieve_full_uri(f"{endless.url}/x")
    assert time.monotonic() - begun < 5


@given(st.lists(st.binary(max_size=5), max_size=9), st.integers(0, 40))
def test_all_of_a_body_or_an_error(parts: list[bytes], most: int) -> None:
    whole = b"".join(parts)
    if len(whole) <= most:
        assert bounded.joined(parts, most) == whole
    else:
        with pytest.raises(ProtocolError):
            bounded.joined(parts, most)
