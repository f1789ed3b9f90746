"""Certificates of an authority made for the tests, and collectors that want them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme


@dataclass(frozen=True)
class Certificates:
    """PEM files: whom to trust, a server's for localhost and a client's."""

    directory: Path
    authority: trustme.CA

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def cert(self) -> Path:
        return self.directory / "cert.pem"

    @property
    def key(self) -> Path:
        return self.directory / "key.pem"

    @property
    def client(self) -> Path:
        """Certificate and key in one file."""
        return self.directory / "client.pem"

    def issue(self) -> None:
        """A new certificate of the server's, in place of the one before."""
        made = self.authority.issue_cert("localhost", "127.0.0.1")
        self.cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        self.key.write_bytes(made.private_key_pem.bytes())

    def arguments(self) -> tuple[str, ...]:
        return ("--tls-cert", str(self.cert), "--tls-key", str(self.key))

    def context(self, *, has_client: bool = False) -> ssl.SSLContext:
        """A client's."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if has_client:
            context.load_cert_chain(self.client)
        return context


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    authority = trustme.CA()
    made = Certificates(tmp_path / "tls", authority)
    made.directory.mkdir()
    authority.cert_pem.write_to_path(made.ca)
    made.issue()
    authority.issue_cert("client@example.org").private_key_and_cert_chain_pem.write_to_path(
        made.client
    )
    return made
