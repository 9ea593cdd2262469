"""`ombud token` and `ombud access`: tokens made, renewed and ended on the machine that has the database."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from tests.starter.conftest import Cli
from tests.support.front import Api, problem, serving
from tests.support.system import System

CREATE = ("token", "create", "desk", "--scope", "read", "--scope", "act", "--role", "handler")


async def status(api: Api, token: str) -> int:
    """What a read answers to this token."""
    return (await api.get("/records", token)).status_code


async def test_a_token_lives(system: System, cli: Cli, tmp_path: Path) -> None:
    """Created, used, rotated, revoked; each step and the accesses are listed, without any secret."""
    async with serving(system) as api:
        made = await cli(*CREATE, "--contract", "maintenance-service", "--person", "chen.lin", "--days", "30")
        assert made.code == 0, made.err
        token = made.out.strip()
        id_ = token.split("_")[1]
        assert "shown this once" in made.err
        assert await status(api, token) == 200

        rotated = await cli("token", "rotate", id_, "--grace", "0", "--out", str(tmp_path / "new"))
        assert rotated.code == 0, rotated.err
        new = (tmp_path / "new").read_text().strip()
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
        assert new not in rotated.out + rotated.err
        assert (await status(api, token), await status(api, new)) == (401, 200)

        listed = json.loads((await cli("token", "list", "--json")).out)
        assert [(t["token"], t["standing"], t["person"], t["name"]) for t in listed] == [
            (id_, "good", "chen.lin", "desk")
        ]
        assert id_ in (await cli("token", "list")).out
        assert "is revoked" in (await cli("token", "revoke", id_)).out
        assert "revoked before" in (await cli("token", "revoke", id_)).out
        assert problem(await api.get("/records", new), 401)

    seen = json.loads((await cli("access", "--json")).out)
    assert [(s["via"], s["action"], s["allowed"]) for s in reversed(seen)] == [
        ("cli", "token:create", True),
        ("http", "list", True),
        ("cli", "token:rotate", True),
        ("http", "list", False),
        ("http", "list", True),
        ("cli", "token:revoke", True),
        ("http", "list", False),
    ]
    refused = await cli("access", "--refused", "--token", id_)
    assert ("replaced" in refused.out, "revoked" in refused.out, "2 on record" in refused.out) == (True, True, True)
    everything = json.dumps(seen) + json.dumps(listed) + refused.out
    assert all(secret.split("_")[2] not in everything for secret in (token, new))


async def test_slips_are_named(cli: Cli) -> None:
    """A wrong scope, role, contract or person, or a token that is not there, is named, and nothing is made."""
    wrong = [
        ((*CREATE[:3], "--scope", "root", "--role", "handler"), "scopes.0: must be 'open'"),
        ((*CREATE[:3], "--scope", "read", "--role", "nobody"), "must all belong to one party"),
        ((*CREATE[:3], "--scope", "read", "--role", "principal"), "needs its contracts named"),
        ((*CREATE, "--contract", "nowhere"), "Unknown contract nowhere; published are canary, complaint-handling"),
        ((*CREATE, "--person", "ghost"), "ghost is not in the directory"),
        (("token", "revoke", "aaaaaaaaaaaa"), "There is no token aaaaaaaaaaaa"),
        (("token", "rotate", "aaaaaaaaaaaa"), "There is no token aaaaaaaaaaaa"),
        (("access", "--since", "yesterday"), "--since is not valid"),
    ]
    for arguments, said in wrong:
        ended = await cli(*arguments)
        assert (ended.code, said in ended.err) == (1, True), (arguments, ended.err)
    assert json.loads((await cli("token", "list", "--json")).out) == []
    unwritten = await cli(*CREATE, "--out", "/no/such/folder/token")
    assert (unwritten.code, "ombud token rotate" in unwritten.err) == (1, True)
