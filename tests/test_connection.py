"""Every Kafka client speaks as the settings say; secrets stay in their files."""

from __future__ import annotations

import ast
import asyncio
import datetime as dt
import ipaddress
import re
import ssl
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from streams.batches import _faust_credentials
from streams.connection import connection_terms
from streams.settings import Settings, SettingsWrong, settings_from

SECRET = "correct-horse-battery"  # noqa: S105 - of this test alone


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    paths = directory / f"{name}.pem", directory / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.fixture
def secured(tmp_path: Path) -> dict[str, str]:
    certificate(tmp_path, "broker")
    (tmp_path / "password").write_text(SECRET + "\n")
    return {
        "KILOWATCH_KAFKA_SECURITY": "sasl-tls",
        "KILOWATCH_KAFKA_CA_FILE": str(tmp_path / "broker.pem"),
        "KILOWATCH_KAFKA_USER": "kilowatch",
        "KILOWATCH_KAFKA_PASSWORD_FILE": str(tmp_path / "password"),
    }


def test_plain_text_is_the_default_and_says_so():
    assert connection_terms(Settings()) == {"security_protocol": "PLAINTEXT"}
    assert _faust_credentials(Settings()) is None


ROOT = Path(__file__).parent.parent
CLIENT = re.compile(r"^(AIO)?Kafka(Consumer|Producer|AdminClient)$")


def test_no_client_in_the_tree_forgets_the_terms():
    found = []
    for folder in ("streams", "api", "simulator", "deploy"):
        for path in (ROOT / folder).rglob("*.py"):
            calls = [each for each in ast.walk(ast.parse(path.read_text())) if is_client(each)]
            if calls:
                found.append(path.name)
            for call in calls:
                given = {ast.unparse(each.value) for each in call.keywords if not each.arg}
                said = {each.partition("(")[0] for each in given}
                assert said & {"connection_terms", "terms"}, f"{path}:{call.lineno}"
    assert {"history_keeper.py", "tail.py", "customers_app.py", "kafka_log.py"} <= set(found)


def is_client(node):
    called = isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2]
    return bool(called) and CLIENT.match(called) is not None


def test_all_clients_take_the_same_terms(secured):
    terms = connection_terms(settings_from(secured))
    assert terms["sasl_plain_password"] == SECRET
    assert terms["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert terms["ssl_context"].check_hostname
    for client in (KafkaProducer, KafkaConsumer, KafkaAdminClient):
        assert set(terms) <= set(client.DEFAULT_CONFIG)
    faust = _faust_credentials(settings_from(secured))
    assert (faust.protocol.value, faust.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")


def test_no_secret_is_in_what_is_printed(secured):
    settings = settings_from(secured)
    assert SECRET not in repr(settings) + str(_faust_credentials(settings))


async def first_words(certificate_of: Path, settings: Settings) -> bytes:
    """What a broker with this certificate is told first; empty if the client hangs up."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_of, certificate_of.with_suffix(".key"))
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def broker(reader, writer) -> None:
        if not heard.done():
            heard.set_result(await reader.read(1_000))
        writer.close()

    server = await asyncio.start_server(broker, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    client = AIOKafkaAdminClient(
        bootstrap_servers=f"127.0.0.1:{port}", **connection_terms(settings)
    )
    with pytest.raises(KafkaError):
        await client.start()
    await client.close()
    server.close()
    return heard.result() if heard.done() else b""


def test_a_broker_is_spoken_to_over_tls_and_only_if_it_is_the_right_one(secured, tmp_path):
    other, _key = certificate(tmp_path, "other")
    settings = settings_from(secured)
    assert b"aiokafka" in asyncio.run(first_words(tmp_path / "broker.pem", settings))
    assert asyncio.run(first_words(other, settings)) == b""


WRONG = [
    ({"KILOWATCH_KAFKA_USER": ""}, "needs KILOWATCH_KAFKA_USER"),
    ({"KILOWATCH_KAFKA_PASSWORD_FILE": "/nowhere"}, "cannot be read"),
    ({"KILOWATCH_KAFKA_CA_FILE": "/nowhere"}, "KILOWATCH_KAFKA_CA_FILE"),
]


@pytest.mark.parametrize(("change", "advice"), WRONG)
def test_what_cannot_be_used_is_named(secured, change, advice):
    with pytest.raises(SettingsWrong, match=advice):
        connection_terms(settings_from(secured | change))
