"""The service over TLS: every door speaks it, and none in the clear."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import BadStatusLine, HTTPConnection, HTTPSConnection, RemoteDisconnected
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from live_service import HOP, LiveService


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of its own for the loopback address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stillwatch test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOP))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return chain, private


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveService, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    chain, key = certificate(folder)
    service = LiveService(folder, "--tls-certificate", str(chain), "--tls-key", str(key))
    service.start()
    try:
        yield service, chain
    finally:
        service.stop()


@pytest.mark.parametrize("door", ["port", "gate_port"])
def test_a_door_speaks_tls_and_nothing_else(secured: tuple[LiveService, Path], door: str) -> None:
    service, chain = secured
    port = getattr(service, door)
    trusted = ssl.create_default_context(cafile=chain)
    connection = HTTPSConnection(HOP, port, context=trusted, timeout=20)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    with pytest.raises((BadStatusLine, RemoteDisconnected, ConnectionError)):
        _ask_in_the_clear(port)
    with pytest.raises(ssl.SSLCertVerificationError):
        HTTPSConnection(HOP, port, context=ssl.create_default_context(), timeout=20).request(
            "GET", "/healthz"
        )


def _ask_in_the_clear(port: int) -> None:
    connection = HTTPConnection(HOP, port, timeout=20)
    connection.request("GET", "/healthz")
    connection.getresponse()
