"""Nobody reads or does what is not theirs, by whatever path; every route there is, is tried."""

from __future__ import annotations

import io
import json
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.app import application
from api.keys import KeyFile, make_key, read_keys, write_keys
from api.people import PUBLIC, Person, Role, roles_for
from api.security import Security, check_safe
from api.state import State
from api.view import View
from deploy.keys import main as keys_command
from scoring.events import Action, Groups
from streams.settings import Settings, SettingsWrong
from tests.office import RULES, Office
from tests.test_api import Client, Fed

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600
PEOPLE = {
    "viewer": (("viewer",), ""),
    "operator": (("operator",), ""),
    "approver": (("approver",), ""),
    "collector": (("collector",), "17"),
    "field": (("field",), ""),
    "auditor": (("auditor",), ""),
}


class Asking(Client):
    """An API with keys, and one key for each role."""

    def __init__(self, directory: Path, **settings) -> None:
        self.office = office = Office()
        for account_id, collector in (("mine", "17"), ("theirs", "18")):
            office.open(account_id, groups=Groups(collector=collector))
            office.pay(account_id, "50")
            office.live(account_id, days=2)
        self.path = directory / "keys.json"
        now, kept = int(time.time()), []
        self.keys = {}
        for name, (roles, collector) in PEOPLE.items():
            key, one = make_key(name, tuple(map(Role, roles)), collector, now, HOUR)
            self.keys[name] = key
            kept.append(one)
        write_keys(self.path, KeyFile(keys=tuple(kept)))
        self.audit = directory / "audit.jsonl"
        told = Settings(keys_file=str(self.path), audit_file=str(self.audit))
        self.security = Security(replace(told, **settings))
        self.state = State(office.feed(View()), Fed(), RULES, security=self.security)
        super().__init__(application(self.state))

    def as_(self, who: str, method: str, path: str, **query):
        headers = {"authorization": f"Bearer {self.keys.get(who, who)}", **query.pop("headers", {})}
        return self.request(method, path, headers=headers, **query)

    def enrol(self, name: str, *roles: Role) -> None:
        """One more person with a key."""
        self.keys[name], kept = make_key(name, roles, "", int(time.time()), HOUR)
        write_keys(self.path, KeyFile(keys=(*read_keys(self.path).keys, kept)))
        self.security.keys.look_again()

    def routes(self) -> list[tuple[str, str]]:
        """Every method and path of the application, whatever added it."""
        app = self.app._rest._app
        return [
            (method, route.path)
            for route in app.router.routes
            for method in sorted(route.methods or {"GET"})
            if method != "HEAD"
        ]


@pytest.fixture(scope="module")
def asking(tmp_path_factory) -> Asking:
    return Asking(tmp_path_factory.mktemp("keys"))


def filled(path: str, account_id: str = "mine") -> str:
    from re import sub

    return sub(r"\{\w+\}", "x", path.replace("{account_id}", account_id))


def test_every_route_refuses_without_a_key_or_with_a_wrong_one(asking):
    tried = 0
    for method, path in asking.routes():
        if (method, path) in PUBLIC:
            continue
        tried += 1
        for headers in (
            {},
            {"authorization": "Bearer kw_00000000_" + "a" * 43},
            {"authorization": "Bearer nonsense"},
            {"authorization": "Basic bGk6bGk="},
            {"cookie": "kilowatch=made-up"},
        ):
            answer = asking.request(method, filled(path), headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.json()["type"] == "urn:kilowatch:not-known"
    assert tried > 10


def test_every_route_refuses_a_wrong_role(asking):
    refused = 0
    for method, path in asking.routes():
        if (method, path) in PUBLIC:
            continue
        for name, (roles, _collector) in PEOPLE.items():
            if not roles_for(method, path) & set(map(Role, roles)):
                answer = asking.as_(name, method, filled(path))
                assert answer.status_code == 403, (method, path, name)
                refused += 1
    assert refused > 10


def test_every_route_of_an_account_refuses_another_collectors_customer(asking):
    tried = 0
    for method, path in asking.routes():
        if "{account_id}" in path:
            for account_id in ("theirs", "nobody"):
                answer = asking.as_("collector", method, filled(path, account_id))
                assert answer.status_code == 403, (method, path)
                tried += 1
    assert tried >= 6
    assert asking.as_("collector", "GET", "/v1/accounts/mine").status_code == 200


def test_a_collectors_lists_show_their_own_customers_only(asking):
    listed = asking.as_("collector", "GET", "/v1/accounts").json()["accounts"]
    assert [line["accountId"] for line in listed] == ["mine"]
    assert asking.as_("collector", "GET", "/v1/accounts?collector=18").status_code == 403
    assert asking.as_("viewer", "GET", "/v1/accounts?collector=18").json()["accounts"]
    # another's customer and nobody's are not told apart
    theirs = asking.as_("collector", "GET", "/v1/accounts/theirs").json()
    assert theirs | {"detail": ""} == asking.as_(
        "collector", "GET", "/v1/accounts/nobody"
    ).json() | {"detail": ""}


def test_an_auditor_reads_the_audit_and_nothing_else_and_nobody_else_does(asking):
    for method, path in asking.routes():
        if (method, path) not in PUBLIC:
            mine = (method, path) in {("GET", "/audit"), ("GET", "/v1/audit")}
            frame = (method, path) in {("GET", "/"), ("POST", "/sign-out")}
            others = roles_for(method, path) - {Role.AUDITOR}
            assert (Role.AUDITOR in roles_for(method, path)) == (mine or frame), path
            assert bool(others) != mine, path
    answer = asking.as_("auditor", "GET", "/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/audit")
    for account_id in ("mine", "nobody"):
        path = f"/v1/accounts/{account_id}"
        assert asking.as_("auditor", "GET", path).status_code == 403
        note = {"action": "note", "reason": "x"}
        assert asking.as_("auditor", "POST", f"{path}/actions", json=note).status_code == 403


def test_a_route_nobody_thought_of_is_closed():
    assert Role.APPROVER in roles_for("POST", "/v1/new-thing")
    assert roles_for("POST", "/v1/new-thing") == {Role.APPROVER}
    assert Role.COLLECTOR not in roles_for("GET", "/v1/new-thing")
    assert roles_for("DELETE", "/v1/accounts/{account_id}") == {Role.APPROVER}


def test_only_an_approver_may_do_what_can_end_in_a_trip():
    may = {
        role: {action for action in Action if Person("x", frozenset({role})).may(action)}
        for role in Role
    }
    risky = {Action.APPROVE_TRIP, Action.RELEASE_SUPPLY, Action.RELEASE_QUARANTINE}
    assert risky <= may[Role.APPROVER]
    assert all(not may[role] & risky for role in set(Role) - {Role.APPROVER})
    assert may[Role.VIEWER] == may[Role.AUDITOR] == set()
    assert may[Role.COLLECTOR] == may[Role.FIELD] == {Action.NOTE}


def test_a_revoked_or_expired_key_is_refused_at_once_also_where_it_was_known(tmp_path):
    asking = Asking(tmp_path)
    assert asking.as_("viewer", "GET", "/v1/accounts/mine").status_code == 200
    kept = read_keys(asking.path)
    for each in kept.keys:
        if each.person == "viewer":
            each.revoked_at = 1
        if each.person == "operator":
            each.expires_at = int(time.time())
    write_keys(asking.path, kept)
    asking.security.keys._next_look = 0.0
    assert asking.as_("viewer", "GET", "/v1/accounts/mine").status_code == 401
    assert asking.as_("operator", "GET", "/v1/accounts/mine").status_code == 401
    assert asking.as_("approver", "GET", "/v1/accounts/mine").status_code == 200


def test_the_file_holds_no_key_and_is_its_owners(asking):
    text = asking.path.read_text()
    assert all(key not in text and key[12:] not in text for key in asking.keys.values())
    assert asking.path.stat().st_mode & 0o777 == 0o600


def test_nobody_asks_too_often(tmp_path):
    asking = Asking(tmp_path, requests_per_second=1)
    answers = [asking.as_("viewer", "GET", "/v1/accounts/mine").status_code for _ in range(5)]
    assert answers.count(200) >= 2
    assert answers[-1] == 429
    assert asking.as_("operator", "GET", "/v1/accounts/mine").status_code == 200


def test_refusals_and_deeds_are_written_down_without_secrets(asking):
    asking.request("GET", "/v1/accounts", headers={"authorization": "Bearer kw_secret"})
    asking.as_("collector", "GET", "/v1/accounts/theirs")
    text = asking.audit.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"outcome": "refused 401", "person": None}.items() <= lines[-2].items()
    assert lines[-1]["person"] == "collector"
    assert lines[-1]["proof"].startswith("key ")
    assert "kw_" not in text


def test_whatever_changes_anything_is_written_down_on_every_route(asking):
    tried = 0
    for method, path in asking.routes():
        if method in {"GET", "HEAD"} or (method, path) in PUBLIC:
            continue
        for who in ("approver", "viewer"):
            before = len(asking.audit.read_text().splitlines())
            status = asking.as_(who, method, filled(path), content=b"?").status_code
            lines = [json.loads(each) for each in asking.audit.read_text().splitlines()[before:]]
            mine = [each for each in lines if each["deed"] == f"{method} {path}"]
            assert [each["outcome"].split()[1] for each in mine] == [str(status)], (method, path)
            assert mine[0]["person"] == who
            tried += 1
    assert tried >= 8


# --- tokens of an identity provider --------------------------------------------------------------

KEY = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"iss": "https://id.example", "aud": "kilowatch", "sub": "wang.fang"}


def token(key=KEY, algorithm="ES256", number="k1", **claims) -> str:
    now = int(time.time())
    told = CLAIMS | {"iat": now, "exp": now + 60, "kilowatch_roles": ["viewer"]} | claims
    told = {name: value for name, value in told.items() if value is not None}
    return jwt.encode(told, key, algorithm, headers={"kid": number})


@pytest.fixture(scope="module")
def trusting(tmp_path_factory) -> Asking:
    directory = tmp_path_factory.mktemp("tokens")
    public = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "k2", "alg": "HS256"}
    keys = {"keys": [public | {"kid": "k1", "alg": "ES256"}, secret]}
    (directory / "jwks.json").write_bytes(msgspec.json.encode(keys))
    return Asking(directory, oidc_issuer=CLAIMS["iss"], oidc_keys=str(directory / "jwks.json"))


def test_a_token_of_the_issuer_is_taken(trusting):
    assert trusting.as_(token(), "GET", "/v1/accounts/theirs").status_code == 200
    collector = token(kilowatch_roles=["collector"], kilowatch_collector="17")
    assert trusting.as_(collector, "GET", "/v1/accounts/mine").status_code == 200
    assert trusting.as_(collector, "GET", "/v1/accounts/theirs").status_code == 403
    nameless = token(kilowatch_roles=["collector"])
    assert trusting.as_(nameless, "GET", "/v1/accounts").status_code == 403


NOW = int(time.time())
BAD_TOKENS = {
    "expired": token(exp=NOW - 300),
    "never expires": token(exp=None),
    "another audience": token(aud="billing"),
    "another issuer": token(iss="https://evil.example"),
    "nobody": token(sub=None),
    "no roles": token(kilowatch_roles=[]),
    "roles of others": token(kilowatch_roles=["admin"]),
    "roles as text": token(kilowatch_roles="viewer"),
    "another key": token(key=ec.generate_private_key(ec.SECP256R1())),
    "an unknown key": token(number="k9"),
    "another algorithm": token(
        key=rsa.generate_private_key(public_exponent=65537, key_size=2048), algorithm="RS256"
    ),
    "a shared secret": token(key="secret" * 8, algorithm="HS256", number="k2"),
    "no signature": token(key=None, algorithm="none"),
    "not yet": token(nbf=NOW + 3600),
}


@pytest.mark.parametrize("bad", BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_any_other_token_is_not(trusting, bad):
    assert trusting.as_(bad, "GET", "/v1/accounts/mine").status_code == 401


# --- before anything listens ---------------------------------------------------------------------

UNSAFE = [
    ({"security": "off", "bind": "0.0.0.0"}, "leave it on"),  # noqa: S104 - refused
    ({"security": "off", "bind": "kilowatch.example"}, "leave it on"),
    ({"bind": "0.0.0.0"}, "kilowatch keys create"),  # noqa: S104 - refused
    ({}, "kilowatch keys create"),
]


@pytest.mark.parametrize(("settings", "advice"), UNSAFE)
def test_an_unsafe_api_does_not_start_and_says_what_to_do(settings, advice):
    told = Settings(**settings)
    with pytest.raises(SettingsWrong, match=advice):
        check_safe(told, Security(told).keys)


def test_a_safe_one_starts(tmp_path):
    asking = Asking(tmp_path)
    check_safe(Settings(bind="0.0.0.0"), asking.security.keys)  # noqa: S104 - that is the point
    check_safe(Settings(security="off"), Security(Settings()).keys)
    check_safe(Settings(oidc_issuer="https://id.example"), Security(Settings()).keys)
    with pytest.raises(SettingsWrong, match="KILOWATCH_OIDC_KEYS"):
        Security(Settings(oidc_issuer="https://id.example"))
    with pytest.raises(SettingsWrong, match="https"):
        Security(Settings(oidc_issuer="https://x", oidc_keys="http://id.example/keys"))


def test_keys_are_made_listed_and_revoked_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("KILOWATCH_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("KILOWATCH_AUDIT_FILE", str(tmp_path / "audit.jsonl"))

    def said(*words: str) -> tuple[str, str]:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            assert keys_command(words) == 0
        return out.getvalue().strip(), err.getvalue()

    key, told = said("create", "li.lei", "--role", "operator", "--role", "viewer")
    assert key not in told
    security = Security(Settings(keys_file=str(tmp_path / "keys.json")))
    grant = security.grant_of(key)
    assert grant is not None
    assert (grant.person.name, grant.person.roles) == ("li.lei", {Role.OPERATOR, Role.VIEWER})
    listed, _ = said("list")
    assert "li.lei" in listed
    assert key[12:] not in listed
    said("revoke", grant.key_number)
    assert "revoked" in said("list")[0]
    security.keys.look_again()
    assert security.grant_of(key) is None
    noted = [json.loads(each) for each in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(each["deed"], each["of"]) for each in noted] == [
        ("create key", "li.lei"),
        ("revoke key", "li.lei"),
    ]
    assert key[12:] not in (tmp_path / "audit.jsonl").read_text()
    with pytest.raises(SettingsWrong, match="go together"):
        keys_command(["create", "x", "--role", "collector"])


# --- pages of other sites ------------------------------------------------------------------------


def test_without_security_another_sites_page_cannot_ask():
    open_to_all = Client(application(State(Office().feed(View()), Fed(), RULES)))
    act = {"json": {"action": "note", "reason": "x"}}
    forged = open_to_all.request(
        "POST", "/v1/accounts/x/actions", headers={"origin": "https://evil.example"}, **act
    )
    assert forged.status_code == 403
    rebound = open_to_all.request("GET", "/v1/accounts", headers={"host": "evil.example"})
    assert rebound.status_code == 403
    hot = open_to_all.request("GET", "/v1/accounts/x", headers={"host": "evil.example"})
    assert hot.status_code == 403
    assert open_to_all.get("/v1/accounts").status_code == 200
