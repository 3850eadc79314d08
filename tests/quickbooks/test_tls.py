"""The certificate at the other end is checked: whoever cannot show Intuit's gets no token."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from socket import create_server, socket
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from qbo_sync_dagster.quickbooks.errors import NoAnswerError
from qbo_sync_dagster.quickbooks.transport import new_http_client


class Impostor:
    """A server whose certificate nobody signed but itself; keeps what it could read."""

    def __init__(self, listening: socket, context: ssl.SSLContext) -> None:
        self.heard: list[bytes] = []
        self.visits = 0
        self.port = listening.getsockname()[1]
        self._listening = listening
        self._context = context
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                visitor, _ = self._listening.accept()
                self.visits += 1
                with suppress(OSError), self._context.wrap_socket(visitor, server_side=True) as tls:
                    self.heard.append(tls.recv(4096))

    def close(self) -> None:
        self._listening.close()


def _certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "quickbooks.api.intuit.com")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "impostor.pem"
    file.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Impostor]:
    server = Impostor(create_server(("127.0.0.1", 0)), _certificate(tmp_path))
    yield server
    server.close()


@pytest.mark.parametrize("asked", ["api", "sign-in"])
def test_a_server_with_a_certificate_of_its_own_making_gets_no_token(
    company: Any, impostor: Impostor, asked: str
) -> None:
    there = f"https://127.0.0.1:{impostor.port}"
    company.settings = replace(
        company.settings, api_base_url=f"{there}/v3/company", token_url=f"{there}/token"
    )
    if asked == "sign-in":
        company.store.tokens = replace(company.store.tokens, access_token=None)
    with new_http_client(company.settings) as http:
        company.http = lambda: http
        with pytest.raises(NoAnswerError) as refused:
            company.client(wait_budget=lambda _: False).read("Invoice", "1")

    assert not refused.value.sent
    assert impostor.visits
    assert impostor.heard == []
