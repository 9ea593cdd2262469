"""Attacks on reach: other contracts, other roles, other persons, more scopes than granted. Refused, and on record."""

from __future__ import annotations

from typing import Any

import pytest

from rules.access import Denied, Grant
from tests.support.front import CONTRACT, Api, problem, starting

OTHER = "complaint-handling"
SUPERVISOR: dict[str, Any] = {"roles": ("principal.supervisor",), "contracts": (CONTRACT,)}

ROUTES: list[tuple[str, str, str]] = [
    ("open", "POST", "/complaints"),
    ("act", "POST", f"/complaints/{CONTRACT}/H-0/commands/note"),
    ("read", "GET", f"/complaints/{CONTRACT}/H-0"),
    ("read", "GET", f"/complaints/{CONTRACT}/H-0/clocks"),
    ("read", "GET", f"/complaints/{CONTRACT}/H-0/notices"),
    ("read", "GET", f"/complaints/{CONTRACT}/H-0/ledger"),
    ("read", "GET", f"/complaints/{CONTRACT}/H-0/texts"),
    ("read", "GET", "/records"),
    ("read", "GET", "/records/counts"),
    ("read", "GET", "/records.csv"),
    ("read", "GET", "/records.ndjson"),
    ("supervise", "GET", f"/supervision/withdrawn?contract={CONTRACT}"),
    ("admin", "GET", "/access"),
    ("admin", "GET", "/tokens"),
    ("admin", "POST", "/tokens"),
    ("admin", "POST", "/tokens/aaaaaaaaaaaa/rotate"),
    ("admin", "POST", "/tokens/aaaaaaaaaaaa/revoke"),
]


async def send(api: Api, method: str, path: str, token: str, body: Any = None) -> Any:
    return await (api.get(path, token) if method == "GET" else api.post(path, token, body))


async def test_a_scope_opens_its_own_routes_alone(api: Api) -> None:
    """Every route refuses a token that has every scope but its own, and lets one in that has nothing else."""
    scopes = ("open", "act", "read", "supervise", "admin")
    without = {scope: await api.token(*(s for s in scopes if s != scope)) for scope in scopes}
    alone = {scope: await api.token(scope) for scope in scopes}
    for scope, method, path in ROUTES:
        assert f"lacks the scope {scope}" in problem(await send(api, method, path, without[scope]), 403, "forbidden")
        assert (await send(api, method, path, alone[scope])).status_code != 403, path
    assert len(await api.refusals()) == len(ROUTES)
    described = (await api.http.get("/v1/openapi.json")).json()["paths"]
    tried = {path.partition("?")[0].replace(f"/{CONTRACT}/H-0", "/{contract}/{reference}") for _, _, path in ROUTES}
    missing = {path for path in described if "/commands/" not in path} - {
        path.replace("aaaaaaaaaaaa", "{id}").replace("withdrawn", "{list}") for path in tried
    }
    assert not missing, "a route that no attack tries"


async def test_other_contracts_are_out_of_reach(api: Api) -> None:
    """A token of one contract reads, acts, opens, lists, counts and exports nothing of another."""
    every = await api.token("open")
    theirs = await api.open(every, contract=OTHER, category="product")
    ours = await api.open(every)
    token = await api.token("open", "act", "read", "supervise", contracts=(CONTRACT,))
    for part in ("", "/clocks", "/notices", "/ledger", "/texts"):
        assert f"not for the contract {OTHER}" in problem(await api.get(f"/complaints/{theirs}{part}", token), 403)
    problem(await api.post(f"/complaints/{theirs}/commands/note", token, {"text": "x"}), 403)
    problem(await api.post("/complaints", token, starting(contract=OTHER, category="product")), 403)
    for path in ("/records", "/records/counts", "/records.csv", "/records.ndjson"):
        problem(await api.get(path, token, contract=OTHER), 403)
        assert theirs.partition("/")[2] not in (await api.get(path, token)).text
    problem(await api.get("/supervision/withdrawn", token, contract=OTHER), 403)
    assert (await api.get("/records/counts", token)).json()["complaints"] == 1
    assert (await api.get(f"/complaints/{ours}", token)).status_code == 200
    refusals = await api.refusals()
    assert len(refusals) == 12
    assert {refusal["contract"] for refusal in refusals} == {OTHER}
    assert {refusal["token"] for refusal in refusals} == {token.split("_")[1]}


async def test_the_principals_supervisor_reads_and_nothing_else(api: Api) -> None:
    """Its own contract, without opening, acting, tokens or accesses (rules 15, 111)."""
    complaint = await api.open(await api.token())
    token = await api.token("read", "supervise", **SUPERVISOR)
    for scope, method, path in ROUTES:
        answer = await send(api, method, path.replace(f"{CONTRACT}/H-0", complaint), token)
        assert answer.status_code == (200 if scope in ("read", "supervise") else 403), (path, answer.text)


async def test_nobody_acts_as_somebody_else(api: Api) -> None:
    """A token of the principal cannot act as the handler, a person's not as another, nor in a role it has not."""
    complaint = await api.open(await api.token())
    principal = await api.token("act", "read", **SUPERVISOR)
    person = await api.token("act", roles=("handler.owner",), person="chen.lin")
    system = await api.token("act")
    handler, other = {"role": "handler.owner", "person": "chen.lin"}, {"role": "handler.owner", "person": "wu.fang"}
    claims: list[tuple[str, str, dict[str, Any]]] = [
        (principal, "respond", {"text": "x"}),
        (principal, "respond", {"text": "x", "by": handler}),
        (principal, "note", {"text": "x", "by": handler}),
        (principal, "note", {"text": "x", "reported_by": handler}),
        (principal, "note", {"text": "x", "on_behalf_of": handler}),
        (principal, "note", {"text": "x", "by": {"role": "principal.responsible_person"}}),
        (principal, "note", {"text": "x", "by": {"role": "principal"}}),
        (person, "respond", {"text": "x", "by": other}),
        (person, "respond", {"text": "x", "by": {"role": "handler.manager", "person": "chen.lin"}}),
        (person, "respond", {"text": "x", "by": {"role": "handler.owner.deputy"}}),
        (person, "respond", {"text": "x", "reported_by": other}),
        (person, "accept", {}),
        (system, "accept", {}),
        (system, "note", {"text": "x", "by": {"role": "principal.responsible_person"}}),
        (system, "waive", {"clock": "resolution#1", "text": "x", "evidence": [{"id": "l", "sha256": "0" * 64}]}),
        (system, "note", {"text": "x", "by": {"role": "handlers"}}),
        (system, "note", {"text": "x", "by": {"role": "ombud"}}),
    ]
    for token, command, body in claims:
        problem(await api.post(f"/complaints/{complaint}/commands/{command}", token, body), 403, "forbidden")
    problem(await api.post("/complaints", await api.token("open", **SUPERVISOR), starting(by=handler)), 403)
    assert len(await api.refusals()) == len(claims) + 1
    ledger = (await api.get(f"/complaints/{complaint}/ledger", principal)).json()["entries"]
    assert {entry["type"] for entry in ledger} == {"opened", "clock_started"}
    seq = await api.tell(person, complaint, "respond", text="We look.")
    ledger = (await api.get(f"/complaints/{complaint}/ledger", principal)).json()["entries"]
    assert next(entry["by"] for entry in ledger if entry["seq"] == seq) == handler


async def test_the_proved_identity_is_taken_from_nobody(api: Api) -> None:
    """A body that says `authenticated_as` or `via` is refused, whatever it says, and on record."""
    token = await api.token()
    complaint = await api.open(token)
    for claim in ({"authenticated_as": "token:admin"}, {"authenticated_as": None}, {"via": "ui"}, {"via": "http"}):
        answer = await api.post(f"/complaints/{complaint}/commands/note", token, {"text": "x"} | claim)
        assert "taken from nobody" in problem(answer, 403, "forbidden")
        problem(await api.post("/complaints", token, starting() | claim), 403, "forbidden")
    assert len(await api.refusals()) == 8


async def test_who_is_complained_about_stays_out(api: Api) -> None:
    """The person complained about neither reads the case, nor acts on it, nor finds it in any list (rule 37)."""
    complaint = await api.open(await api.token(), against="chen.lin")
    token = await api.token("read", "act", "supervise", roles=("handler.owner",), person="chen.lin")
    for part in ("", "/clocks", "/notices", "/ledger", "/texts"):
        assert "rule 37" in problem(await api.get(f"/complaints/{complaint}{part}", token), 403, "forbidden")
    assert "rule 37" in problem(await api.post(f"/complaints/{complaint}/commands/note", token, {"text": "x"}), 403)
    for path in ("/records", "/records.csv", "/records.ndjson"):
        assert complaint.partition("/")[2] not in (await api.get(path, token)).text
    assert (await api.get("/records/counts", token)).json()["complaints"] == 0
    assert len(await api.refusals()) == 6
    assert await api.accesses(complaint) == []
    colleague = await api.token("read", roles=("handler.owner",), person="wu.fang")
    assert (await api.get(f"/complaints/{complaint}", colleague)).status_code == 200


async def test_who_was_recused_stays_out_as_well(api: Api) -> None:
    """One of several who may not touch a case neither reads it, nor acts on it, nor finds it in any list (rule 37)."""
    system = await api.token()
    complaint = await api.open(system, against="gao.jie")
    await api.tell(system, complaint, "recuse", person="chen.lin", text="His brother.")
    for role, person in (("handler.owner", "chen.lin"), ("handler.manager", "gao.jie")):
        token = await api.token("read", "act", roles=(role,), person=person)
        assert "rule 37" in problem(await api.get(f"/complaints/{complaint}", token), 403, "forbidden")
        problem(await api.post(f"/complaints/{complaint}/commands/note", token, {"text": "x"}), 403, "forbidden")
        assert (await api.get("/records", token)).json()["records"] == []
    colleague = await api.token("read", roles=("handler.owner",), person="wu.fang")
    assert (await api.get(f"/complaints/{complaint}", colleague)).status_code == 200
    assert len((await api.get("/records", colleague)).json()["records"]) == 1


async def test_a_complainant_sees_their_own_alone(api: Api) -> None:
    """Other customers' complaints of the same contract are refused and in no list."""
    system = await api.token()
    own = await api.open(system, complainant={"id": "c-1"})
    other = await api.open(system, complainant={"id": "c-2"})
    token = await api.token("open", "read", roles=("complainant",), contracts=(CONTRACT,), person="c-1")
    assert (await api.get(f"/complaints/{own}", token)).status_code == 200
    assert "own complainant" in problem(await api.get(f"/complaints/{other}", token), 403)
    assert [r["reference"] for r in (await api.get("/records", token)).json()["records"]] == [own.partition("/")[2]]
    problem(await api.post("/complaints", token, starting(complainant={"id": "c-2"})), 403)
    assert (await api.post("/complaints", token, starting())).status_code == 201


async def test_a_third_party_sees_its_case_alone(api: Api) -> None:
    """A mediator's token is for the complaints named in it (rule 52)."""
    system = await api.token()
    case, other = await api.open(system), await api.open(system)
    token = await api.token("read", roles=("third_party",), contracts=(CONTRACT,), complaints=(case,))
    assert (await api.get(f"/complaints/{case}", token)).status_code == 200
    problem(await api.get(f"/complaints/{other}", token), 403)
    assert [r["reference"] for r in (await api.get("/records", token)).json()["records"]] == [case.partition("/")[2]]


async def test_internal_words_are_found_by_no_search_of_the_principal(api: Api) -> None:
    """Lists of supervision leave out what is internal, and no search brings an internal text to light."""
    system = await api.token()
    complaint = await api.open(system)
    proof = [{"id": "m-1", "sha256": "0" * 64}]
    token = await api.token("act", "read", reports_for=("complainant",))
    note = await api.tell(token, complaint, "note", text="He lied to us.", internal=True)
    by = {"role": "handler.owner", "person": "chen.lin"}
    await api.tell(token, complaint, "correct", entry=note, void=True, text="Hearsay.", by=by)
    await api.tell(token, complaint, "withdraw", text="Never mind.", evidence=proof)
    supervisor = await api.token("read", "supervise", **SUPERVISOR)
    handler = await api.token("supervise")
    for name, theirs in (("corrected", 0), ("withdrawn", 1)):
        found = (await api.get(f"/supervision/{name}", supervisor, contract=CONTRACT)).json()["items"]
        whole = (await api.get(f"/supervision/{name}", handler, contract=CONTRACT)).json()["items"]
        assert (len(found), len(whole)) == (theirs, 1)
    search = await api.get("/records", supervisor, contract=CONTRACT, content="lied", texts=True)
    assert search.json()["records"] == []


async def test_an_administrator_bestows_no_more_than_its_own(api: Api) -> None:
    """An admin of one contract makes, lists, renews and ends tokens of that contract alone."""
    admin = await api.token("admin", contracts=(CONTRACT,))
    others = await api.token("read")
    wanted = {"name": "x", "scopes": ["read"], "roles": ["handler"]}
    for contracts in (None, [OTHER], [CONTRACT, OTHER]):
        problem(await api.post("/tokens", admin, wanted | {"contracts": contracts}), 403, "forbidden")
    id_ = others.split("_")[1]
    problem(await api.post(f"/tokens/{id_}/revoke", admin), 403)
    problem(await api.post(f"/tokens/{id_}/rotate", admin), 403)
    problem(await api.get("/access", admin), 403)
    problem(await api.get("/access", admin, contract=OTHER), 403)
    assert (await api.get("/access", admin, contract=CONTRACT)).status_code == 200
    assert [t["id"] for t in (await api.get("/tokens", admin)).json()["tokens"]] == [admin.split("_")[1]]
    assert len(await api.refusals()) == 7
    made = await api.post("/tokens", admin, wanted | {"contracts": [CONTRACT]})
    assert made.status_code == 201
    assert (await api.get("/records", made.json()["token"])).status_code == 200
    assert (await api.get("/records", others)).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"roles": ("principal",)},
        {"roles": ("principal.supervisor",), "contracts": (CONTRACT,), "scopes": ("admin",)},
        {"roles": ("principal.supervisor",), "contracts": (CONTRACT,), "reports_for": ("handler",)},
        {"roles": ("handler.owner", "principal.supervisor")},
        {"roles": ("ombud",)},
        {"roles": ("third_party",), "contracts": (CONTRACT,)},
        {"roles": ("complainant",), "contracts": (CONTRACT,)},
        {"scopes": ()},
        {"scopes": ("root",)},
    ],
)
def test_no_such_token_can_be_made(fields: dict[str, Any]) -> None:
    """A token that would see too much is refused when it is made."""
    with pytest.raises(ValueError, match="validation error"):
        Grant.model_validate({"token": "t", "scopes": ("read",), "roles": ("handler",)} | fields)


def test_a_bound_administrator_cannot_widen_itself() -> None:
    """Neither by leaving the contracts out nor by naming one more."""
    bound = Grant(token="t", scopes=("admin",), roles=("handler",), contracts=("a",))
    for contracts in (None, ("b",), ("a", "b")):
        with pytest.raises(Denied):
            bound.bestow(Grant(token="u", scopes=("read",), roles=("handler",), contracts=contracts))
