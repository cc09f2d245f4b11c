"""HTTPS on loopback: a certificate that nobody else trusts, with its key. To trust it, ``SSL_CERT_FILE`` names it."""

import ssl
from pathlib import Path

CERTIFICATE = Path(__file__).with_suffix(".pem")


def loopback_tls() -> ssl.SSLContext:
    """Return what a server needs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context
