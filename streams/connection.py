"""How does every client reach the brokers: in plain text, over TLS, with a name and a password?

The same terms go to the worker's, the API's and the tools' clients, so that none is forgotten.
The password is read from its file when a client is made, and is in no setting, log line or error.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.settings import SettingsWrong, settings_from, variable

if TYPE_CHECKING:
    from streams.settings import Settings

PROTOCOLS = {
    "plaintext": "PLAINTEXT",
    "tls": "SSL",
    "sasl": "SASL_PLAINTEXT",
    "sasl-tls": "SASL_SSL",
}
"""Our names, which say what is meant, and Kafka's."""


def connection_terms(settings: Settings | None = None) -> dict[str, Any]:
    """What aiokafka's and kafka-python's clients alike are given beside `bootstrap_servers`.

    `settings` None: this process's environment.  Raises SettingsWrong when a file cannot be used.
    """
    settings = settings or settings_from()
    terms: dict[str, Any] = {"security_protocol": PROTOCOLS[settings.kafka_security]}
    if settings.kafka_security in {"tls", "sasl-tls"}:
        terms["ssl_context"] = _tls(settings)
    if settings.kafka_security in {"sasl", "sasl-tls"}:
        if not settings.kafka_user or not settings.kafka_password_file:
            raise SettingsWrong(
                f"{variable('kafka_security')}={settings.kafka_security} needs "
                f"{variable('kafka_user')} and {variable('kafka_password_file')}"
            )
        terms["sasl_mechanism"] = settings.kafka_sasl
        terms["sasl_plain_username"] = settings.kafka_user
        terms["sasl_plain_password"] = read_secret(
            settings.kafka_password_file, "kafka_password_file"
        )
    return terms


ASK_SECONDS = 5.0
"""For a broker's greeting: a network's round trips, not a broker's work."""


def why_no_kafka(settings: Settings) -> str:
    """Which setting to look at when no broker lets us in: by the first step that fails.

    Clients say only that none could be reached, so the steps are gone through once more.
    """
    address = settings.bootstrap.split(",")[0].strip()
    host, _colon, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ASK_SECONDS) as line:
            if settings.kafka_security in {"tls", "sasl-tls"}:
                _tls(settings).wrap_socket(line, server_hostname=host.strip("[]")).close()
    except ssl.SSLCertVerificationError as error:
        return (
            f"the broker at {address} is not one that {variable('kafka_ca_file')} vouches for: "
            f"{error.verify_message}"
        )
    except ssl.SSLError as error:
        return (
            f"the broker at {address} does not speak TLS as {variable('kafka_security')} says: "
            f"{error.reason}"
        )
    except (OSError, ValueError) as error:
        return f"no Kafka answers at {address} ({error}); set {variable('bootstrap')}=host:port"
    if settings.kafka_security in {"sasl", "sasl-tls"}:
        return (
            f"the broker at {address} does not let in who we say we are: look at "
            f"{variable('kafka_user')}, {variable('kafka_password_file')} and "
            f"{variable('kafka_sasl')}"
        )
    return (
        f"something answers at {address}, but not as {variable('kafka_security')}="
        f"{settings.kafka_security} says"
    )


def read_secret(path: str, setting: str) -> str:
    """The one line of a file that holds a secret.  Raises SettingsWrong, without the content."""
    try:
        secret = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise SettingsWrong(f"{variable(setting)}={path!r} cannot be read: {error}") from None
    if not secret:
        raise SettingsWrong(f"{variable(setting)}={path!r} is empty")
    return secret


def _tls(settings: Settings) -> ssl.SSLContext:
    """Brokers are verified, names too; there is no switch to leave that out."""
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca_file or None)
        if settings.kafka_certificate_file:
            context.load_cert_chain(
                settings.kafka_certificate_file, settings.kafka_key_file or None
            )
    except OSError as error:  # an unreadable PEM is an OSError too
        names = ", ".join(
            variable(each) for each in ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file")
        )
        raise SettingsWrong(f"{names}: {error}") from None
    return context
