"""Attacks on tokens: forged, swapped, expired, revoked, replaced; each is refused, and on record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from storage import tokens
from storage.database import transaction
from tests.support.front import CONTRACT, Api, bearer, problem, serving, starting
from tests.support.system import System

READ = f"/complaints/{CONTRACT}/H-0"


def forged(good: str, change: str) -> str:
    """A token made up from a good one."""
    _, id_, secret = good.split("_")
    return {
        "another secret": f"ombud_{id_}_{'0' * 64}",
        "another id": f"ombud_{'a' * 12}_{secret}",
        "cut short": good[:-1],
        "longer": good + "0",
        "capitals": good.upper(),
        "its hash": f"ombud_{id_}_{tokens._digest(secret)}",
        "the empty secret": f"ombud_{id_}_",
        "SQL": f"ombud_{id_}_' OR 1=1 --",
        "a NUL": f"ombud_{id_}\x00_{secret}",
        "a JWT": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
        "other digits": good.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
    }[change]


CHANGES = [
    *("another secret", "another id", "cut short", "longer", "capitals", "its hash", "the empty secret", "SQL"),
    *("a NUL", "a JWT", "other digits"),
]


async def test_a_forged_token_opens_nothing(api: Api) -> None:
    """Whatever is changed about a token, it is 401 without a hint at what was wrong, and on record without secrets."""
    good = await api.token()
    details = set()
    for change in CHANGES:
        sent = [(b"authorization", b"Bearer " + forged(good, change).encode())]
        answer = await api.http.get(f"/v1{READ}", headers=sent)
        details.add(problem(answer, 401, "unauthenticated"))
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert len(details) == 1
    refusals = await api.refusals()
    assert len(refusals) == len(CHANGES)
    assert good.split("_")[2] not in str(refusals)
    assert problem(await api.get(READ, good), 404)


async def test_parts_of_two_tokens_make_none(api: Api) -> None:
    """The id of one token with the secret of another is refused; the record names the token that was meant."""
    one, other = await api.token(), await api.token("admin")
    swapped = f"ombud_{other.split('_')[1]}_{one.split('_')[2]}"
    problem(await api.get("/tokens", swapped), 401)
    (refusal,) = await api.refusals()
    assert (refusal["token"], refusal["reason"]) == (other.split("_")[1], "wrong secret")


WAYS: list[tuple[str, Callable[[str], dict[str, object]]]] = [
    ("no header", lambda _: {}),
    ("basic", lambda t: {"headers": {"Authorization": f"Basic {t}"}}),
    ("no scheme", lambda t: {"headers": {"Authorization": t}}),
    ("two headers", lambda t: {"headers": [("Authorization", f"Bearer {t}"), ("Authorization", f"Bearer {t}")]}),
    ("in the query", lambda t: {"params": {"access_token": t}}),
    ("a cookie", lambda t: {"headers": {"Cookie": f"token={t}"}}),
    ("another header", lambda t: {"headers": {"X-Api-Key": t}}),
]


async def test_a_token_counts_in_its_place_alone(api: Api) -> None:
    """A good token anywhere but in one Authorization header as Bearer is none."""
    good = await api.token()
    for _, way in WAYS:
        problem(await api.http.get(f"/v1{READ}", **way(good)), 401)  # type: ignore[arg-type]
    assert len(await api.refusals()) == len(WAYS)


async def test_an_expired_token_is_refused(api: Api) -> None:
    """Past its time it opens nothing, and only its true holder is told so."""
    old = await api.token(live=-timedelta(seconds=1))
    assert "expired" in problem(await api.get(READ, old), 401)
    assert "expired" not in problem(await api.get(READ, forged(old, "another secret")), 401)
    assert [refusal["reason"] for refusal in await api.refusals()] == ["expired", "wrong secret"]


async def test_a_revoked_token_is_refused_at_once(api: Api) -> None:
    """Once it is looked up again, however often it was good before; and rotating does not bring it back."""
    token = await api.token()
    assert (await api.get("/records", token)).status_code == 200
    async with transaction(api.system.engine) as connection:
        now = datetime.now(UTC)
        assert await tokens.revoke(connection, token.split("_")[1], now=now)
        assert await tokens.rotate(connection, token.split("_")[1], until=now + timedelta(hours=1), now=now) is None
    assert "revoked" in problem(await api.get("/records", token), 401)
    assert "revoked" in problem(await api.post("/complaints", token, starting()), 401)


async def test_a_replaced_secret_dies_with_its_grace(api: Api) -> None:
    """After a rotation both secrets are good until the grace is over, then the new one alone."""
    old = await api.token()
    id_ = old.split("_")[1]
    now = datetime.now(UTC)
    async with transaction(api.system.engine) as connection:
        secret = await tokens.rotate(connection, id_, until=now + timedelta(hours=1), now=now)
    assert secret
    new = tokens.written(id_, secret)
    for token in (old, new):
        assert (await api.get("/records", token)).status_code == 200
    await api.system.rows("UPDATE tokens SET previous_until = now() RETURNING 1")
    assert "replaced" in problem(await api.get("/records", old), 401)
    assert (await api.get("/records", new)).status_code == 200


async def test_guessing_is_slowed_down(system: System) -> None:
    """After so many attempts without a valid token an address waits with more of them; good tokens are let in."""
    async with serving(system, rate_failures="5/minute") as api:
        good = await api.token()
        for _ in range(5):
            problem(await api.get(READ, forged(good, "another secret")), 401)
        answer = await api.get(READ, forged(good, "another secret"))
        assert "Too many" in problem(answer, 429, "too-many-requests")
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert len(await api.refusals()) == 6
        assert (await api.get("/records", good)).status_code == 200
        elsewhere = httpx.ASGITransport(app=api.app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=elsewhere, base_url="https://ombud.example.com") as other:
            problem(await other.get(f"/v1{READ}", headers=bearer(forged(good, "another secret"))), 401)


async def test_secrets_stand_in_no_log_and_no_table(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what a process logs nor any row of the database holds the secret of a token."""
    with caplog.at_level(logging.DEBUG):
        token = await api.token("open", "read", "admin")
        secret = token.split("_")[2]
        await api.open(token)
        made = (await api.post("/tokens", token, {"name": "x", "scopes": ["read"], "roles": ["handler"]})).json()
        problem(await api.get(READ, token + "0"), 401)
    other = made["token"].split("_")[2]
    for table in ("tokens", "access_log", "ledger", "registry"):
        rows = str(await api.system.rows(f"SELECT * FROM {table}"))
        assert secret not in rows
        assert other not in rows
    said = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert not [line for line in said if secret in line or other in line]
