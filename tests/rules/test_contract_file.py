"""A contract file: the good ones load, the bad ones are refused with the line that is wrong (invariant 20)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rules.contract import Contract
from rules.contract_file import BadContract, Problem, read, schema
from rules.terms import parse_term

CONTRACTS = Path(__file__).parents[2] / "contracts"
SHIPPED = sorted(CONTRACTS.glob("*.yaml"))
GOOD = (CONTRACTS / "maintenance-service.yaml").read_text()
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def broken(old: str, new: str) -> tuple[str, int]:
    """The maintenance contract with its first `old` replaced, and the line on which `new` then begins."""
    assert old in GOOD, f"the shipped contract no longer has {old!r}"
    at = GOOD.index(old)
    return GOOD.replace(old, new, 1), GOOD[:at].count("\n") + 1


def errors_of(text: str) -> list[Problem]:
    with pytest.raises(BadContract) as bad:
        read(text, "contract.yaml", NOW)
    return bad.value.errors


def warnings_of(text: str, now: datetime | None = NOW) -> list[str]:
    return [str(warning) for warning in read(text, "contract.yaml", now).warnings]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_contract_is_sound(file: Path) -> None:
    """What ships has no error, and no doubt but holidays nobody has published yet."""
    loaded = read(file.read_text(), file.name, NOW)

    assert loaded.contract.contract == file.stem
    assert all("no holidays are published" in warning.reason for warning in loaded.warnings)


def test_the_shipped_contracts_say_where_each_rule_stands() -> None:
    """Rules 4, 12, 18-25, 40-47, 56, 92, 112 and 121-127 are each cited at the line that carries them out."""
    cited: set[int] = set()
    for numbers in re.findall(r"\brules? (\d[\d, -]*)", "".join(file.read_text() for file in SHIPPED)):
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", numbers):
            cited |= set(range(int(first), int(last or first) + 1))

    asked = {4, 12, *range(18, 26), *range(40, 48), 56, 92, 112, *range(121, 128)}
    assert asked - cited == set()


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_contract_survives_its_snapshot(file: Path) -> None:
    """The JSON pinned by a complaint reads back as the very same contract (invariant 8)."""
    contract = read(file.read_text(), file.name).contract

    assert Contract.model_validate_json(contract.model_dump_json(by_alias=True)) == contract
    assert Contract.model_validate_json(contract.model_dump_json(by_alias=True, exclude_defaults=True)) == contract


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_published_schema_describes_the_shipped_contracts(file: Path) -> None:
    """An editor that knows the schema has nothing to say about a good file."""
    plain = json.loads(json.dumps(YAML(typ="safe").load(file.read_text()), default=str))

    jsonschema.validate(plain, schema())


def test_the_schema_in_the_docs_is_the_schema_of_the_code() -> None:
    """docs/schema/contract.schema.json is what `ombud contract schema` prints."""
    written = CONTRACTS.parent / "docs" / "schema" / "contract.schema.json"

    assert json.loads(written.read_text()) == schema(), "run: ombud contract schema > docs/schema/contract.schema.json"


BAD = {
    "a blank": ("clause: B 8.1.1", "clause: ____", "is blank"),
    "a blank amid words": ("due: 7 working days", "due: ____ working days", "is blank"),
    "an empty value": ("representative: Gao Jie", "representative:", "is blank"),
    "a term": ("due: 30 working minutes", "due: 30 werking minutes", "'30 werking minutes' is no term"),
    "half a two-part term": ("due: &reply\n      in hours:", "due: &reply\n      in hour:", "is no term"),
    "a key": ("met by: findings", "met bye: findings", "unknown key; did you mean `met by`?"),
    "a start": ("starts: level reached", "starts: level gained", "is one of: receipt, level reached"),
    "a kind": ("kinds: [complaint, suggestion", "kinds: [grievance, suggestion", "'grievance' is none of"),
    "a text that is a number": ("clause: B 8.1.2", "clause: 8.1", "8.1 is no text; write it in quotes"),
    "a section that is a text": ("confirmation:  ", "confirmation: yes\nbogus: ", "must be a section"),
    "a date": ("{from: 2026-01-01, to", "{from: tomorrow, to", "tomorrow is no date"),
    "a truth": ("on call: true", "on call: perhaps", "perhaps is neither true nor false"),
    "a name with a space": ("contract: maintenance-service", "contract: my service", "'my service' is no name"),
    "a share of the whole": ("{at: 80%,", "{at: 100%,", "'100%' is never reached"),
    "a share that is a number": ("{at: 80%,", "{at: 0.8,", "0.8 is no share of the time"),
    "an address": ("email: contracts@lanhai.example.com", "email: contracts", "'contracts' is no e-mail address"),
    "a title without words": ("title: {en: Standard answer, zh-CN: 标准答案}", "title: {}", "is empty"),
    "a language": ("language: en", "language: fr", "'fr' is none of 'en', 'zh-CN'"),
    "a number": ("reopenings: 2", "reopenings: twice", "twice is no whole number"),
    "acts without any or all": ("met by: resolve", "met by: [resolve, answer]", "say whether one of these is enough"),
    "a term reversed": ("term: {from: 2026-01-01, to: 2028", "term: {from: 2026-01-01, to: 2025", "is reversed"),
    "an unknown party": ("  principal:\n    name", "  client:\n    name", "unknown party; a contract has handler"),
    "a role without a party": ("  handler.owner:", "  owner:", "must begin with a party"),
    "a role told": ("tell: handler.manager}", "tell: handler.boss}", "unknown role 'handler.boss'"),
    "a role among several told": ("[handler.owner, handler.team_lead]", "[handler.owner, x.y]", "unknown role 'x.y'"),
    "a route": ("route: handler.team_lead", "route: handler.quality", "unknown role 'handler.quality'"),
    "an owner": ("owner: handler.owner", "owner: handler.none", "unknown role 'handler.none'"),
    "a role told of an act": ("withdraw: handler.manager", "withdraw: handler.who", "unknown role 'handler.who'"),
    "an act told of": ("withdraw: handler.manager", "withdrew: handler.manager", "no command has this name"),
    "a default level": ("default level: 2", "default level: 4", "unknown level '4'; the contract has 1, 2, 3"),
    "a level in applies to": (
        "applies to: {levels: [2]}",
        "applies to: {levels: [7]}",
        "'7' is none of the contract's",
    ),
    "a grade in applies to": ("applies to: {levels: [2]}", "applies to: {grades: [gold]}", "'gold' is none"),
    "a category in applies to": ("applies to: {levels: [2]}", "applies to: {categories: [x]}", "'x' is none"),
    "an act": ("met by: answer", "met by: reply", "'reply' is no act that meets a promise; use accept"),
    "a note": ("met by: resolve", "met by: note", "'note' is no act"),
    "an act of an unknown role": (
        "any of: [contact.reached:principal.responsible_person",
        "any of: [contact.reached:principal.nobody",
        "unknown role 'principal.nobody'",
    ),
    "a notice nobody gets": ("explain.plan, notice of explain]", "notice of resolve]", "nobody is told of resolve"),
    "an act asked for twice": ("[hand_over, update_customer]", "[hand_over, hand_over]", "stands here twice"),
    "any of and all of": ("{all of: [hand_over", "{any of: [answer], all of: [hand_over", "either under `any of`"),
    "nothing that meets it": ("met by: resolve", "met by: {all of: []}", "name what meets it"),
    "a miss of nothing": ("starts: {miss of: resolution}", "starts: {miss of: closing}", "unknown obligation"),
    "a delivery of nothing": ("starts: {miss of: resolution}", "starts: {delivery of: note}", "nobody is told of"),
    "a miss of itself": ("starts: {miss of: resolution}", "starts: {miss of: explanation}", "never starts"),
    "a pause for nobody": ("urgent: true", "pauses for: [regulator]", "unknown party 'regulator'"),
    "a rung twice": ("{at: due, tell: handler.manager}", "{at: 80%, tell: handler.manager}", "stands in this ladder"),
    "a rung too early": ("{at: 80%, tell: [handler.owner", "{at: 30%, tell: [handler.owner", "order the steps by time"),
    "a rung after a later one": ("{after: 1 hour,", "{after: 5 minutes,", "order the steps by time"),
    "a rung without a time": ("{at: 0%, tell", "{tell", "either `at` or `after`"),
    "a rung with two times": ("{at: 0%, tell", "{at: 0%, after: 1 hour, tell", "either `at` or `after`"),
    "a rung that tells nobody": ("tell: handler.owner}", "tell: []}", "tells nobody"),
    "a distance": ("{after: 30 minutes,", "{after: half an hour,", "'half an hour' is no term"),
    "a ladder an acknowledgement ends": (
        "{after: 1 working day, tell: handler.director, unless: done}",
        "{after: 1 working day, tell: handler.director, unless: acknowledged}",
        "the last step of a ladder is `unless: done`",
    ),
    "each message once an incident": (
        "{at: due, tell: handler.manager}",
        "{at: due, tell: handler.manager, per: incident}",
        "cannot be told once an incident",
    ),
    "a miss told for no case": (
        """      - {at: due, tell: [handler.manager, handler.director]}
      - {after: 10 minutes, tell: handler.director, unless: acknowledged, per: incident}    # one line a crowd
      - {after: 1 hour, tell: handler.director, unless: done}""",
        "      - {at: due, tell: [handler.manager, handler.director], per: incident}",
        "every step from `due` on is told once an incident",
    ),
    "a step per anything": ("per: incident}    #", "per: day}    #", "'day' is none of"),
    "a path without an end": ("[received, answered, closed]", "[received, answered]", "ends with closed"),
    "a path in disorder": ("[received, classified, inv", "[received, proposed, classified, inv", "in this order"),
    "a stage": ("[received, answered, closed]", "[received, replied, closed]", "'replied' is none of"),
    "a zone": ("zone: Asia/Shanghai", "zone: Asia/Beijing", "unknown time zone"),
    "overlapping hours": ('["09:00-18:00"]', '["09:00-12:00", "11:00-18:00"]', "overlapping hours"),
    "an empty calendar": ('{mon-fri: ["09:00-18:00"]}', "{mon-fri: []}", "empty calendar"),
    "a country": ("statutory: CN", "statutory: Atlantis", "no public holidays are known for 'Atlantis'"),
    "holidays by hand": ("statutory: CN", "published: {2027: []}", "is filled in when the contract is read"),
    "an empty forbidden phrase": ("forbidden: [无条件退款", 'forbidden: ["", 无条件退款', "is blank"),
    "a key twice": ("owner: handler.owner", "language: en", "'language' stands here twice"),
}


@pytest.mark.parametrize(("old", "new", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_contract_is_refused_with_its_line(old: str, new: str, reason: str) -> None:
    """Each thing that can be wrong is found where it stands, and said in words."""
    text, line = broken(old, new)
    errors = errors_of(text)

    found = [error for error in errors if reason in error.reason]
    assert found, [str(error) for error in errors]
    lines = range(line, line + new.count("\n") + 1)
    assert found[0].line in lines, f"{found[0]} but it stands on line {line}"


def test_a_kind_that_the_contract_does_not_take_is_no_restriction() -> None:
    """A promise for enquiries means nothing under a contract that takes complaints alone."""
    text = GOOD.replace("kinds: [complaint, suggestion, request, enquiry]", "kinds: [complaint, request]")
    text = text.replace("applies to: {levels: [1]}", "applies to: {kinds: [enquiry]}")

    (error,) = errors_of(text)

    assert error.reason == "'enquiry' is none of the contract's kinds: complaint, request"


def test_a_path_behind_one_that_takes_everything_is_refused() -> None:
    """The first path that covers a complaint is taken, so one below it never is."""
    text, line = broken("applies to: {kinds: [complaint]}\n    stages", "applies to: {kinds: []}\n    stages")

    (error,) = errors_of(text)

    assert error.reason == "is never taken: path 1 above covers every complaint"
    assert error.line == line + 2


def test_nothing_else_is_said_of_a_single_fault() -> None:
    """One mistake gives one error, in the form file:line: where: reason."""
    text, line = broken("due: 7 working days", "due: 7 wroking days")

    (error,) = errors_of(text)

    assert str(error).startswith(
        f"contract.yaml:{line}: obligations › investigation › due: '7 wroking days' is no term; write one like "
    )


def test_every_fault_is_told_at_once_in_the_order_of_the_file() -> None:
    """Whoever repairs a file sees all of it, not one error a run."""
    text = GOOD.replace("owner: handler.owner", "owner: handler.x").replace("met by: findings", "met by: finding")

    reasons = [error.reason[:22] for error in errors_of(text)]

    assert reasons == ["unknown role 'handler.", "'finding' is no act th"]


def test_a_fault_behind_an_alias_is_told_once() -> None:
    """A ladder shared by four obligations is wrong in one place."""
    text = GOOD.replace("{at: 50%, tell: handler.owner}", "{at: 50%, tell: handler.x}", 1)

    assert len(errors_of(text)) == 1


def test_a_party_that_is_told_by_mail_has_its_address() -> None:
    """Rule 122: only the addresses of the contract count as served, so a party without one cannot be told."""
    text, _ = broken("    email: contracts@lanhai.example.com\n", "")

    (error,) = errors_of(text)

    assert "has no `email`" in error.reason
    assert text.splitlines()[error.line - 1] == "  principal:"


def test_a_longer_ring_of_misses_is_refused() -> None:
    """Three clocks that each wait for a miss of the next never start."""
    ring = GOOD
    for name, missed in (("investigation", "proposal"), ("proposal", "resolution"), ("resolution", "investigation")):
        head, tail = ring.split(f"  {name}:\n", 1)
        ring = f"{head}  {name}:\n" + tail.replace("starts: receipt", f"starts: {{miss of: {missed}}}", 1)

    reasons = [error.reason for error in errors_of(ring)]

    assert len(reasons) == 3
    assert reasons[0].endswith("investigation → proposal → resolution → investigation")


WRONG_YAML = {
    "nothing": ("", 1, "is empty"),
    "only a remark": ("# soon\n", 1, "is empty"),
    "a list": ("- a\n- b\n", 1, "must be a mapping"),
    "a bracket left open": ("contract: [a\ntitle: b\n", 2, "is not valid YAML"),
    "a tab": ("contract: x\n\ttitle: y\n", 2, "is not valid YAML"),
    "an unknown alias": ("contract: x\ntitle: *none\n", 2, "undefined alias"),
    "two documents": ("contract: x\n---\ncontract: y\n", 2, "another document"),
    "an object of some language": ("contract: !!python/object:os.system x\n", 1, "of a kind that is not used here"),
    "a mapping merged with itself": ("x: &x\n  <<: *x\n", 1, "is not valid YAML"),
    "no end of brackets": ("a: " + "[" * 5000, 1, "nested too deeply"),
    "brackets deeper than any contract": (
        "\n" * 3 + "a: {b: " + "[" * 3_000 + "]" * 3_000 + "}",
        4,
        "nested too deeply",
    ),
    "thousands of merges": (
        "a: &a {x: 1}\n" + "".join(f"b{n}:\n  <<: *a\n" for n in range(5_000)),
        1,
        "more than 300 merges",
    ),
    "a key that is a section": ("contract: x\n? {a: b}\n: c\nx: {? {a: b} : c}\n", 1, "has a key that is no text"),
    "half a character": ('contract: x\ntitle: "\\ud83c"\n', 2, "no text: U+D83C"),
    "an escape sequence as a value": ('contract: x\ntitle: "\\e[31m"\n', 2, "no text: U+001B"),
    "a line end in a key": ('contract: x\n"a\\nb": 1\n', 1, "a key with a character that is no text: U+000A"),
    "a date there never was": ("contract: 2026-02-30\n", 1, "is not valid YAML"),
    "a key that is a list": ("contract: x\n? [a, b]\n: c\n", 1, "a key that is no text"),
    "a control character": ("contract: \x00\n", 1, "is not valid YAML"),
    "a huge file": ("# " + "x" * 300_000, 1, "is longer than"),
}


@pytest.mark.parametrize(("text", "line", "reason"), WRONG_YAML.values(), ids=WRONG_YAML.keys())
def test_what_is_no_contract_at_all_is_told_in_one_line(text: str, line: int, reason: str) -> None:
    """A file that is no YAML mapping gives one clear error, whatever is in it."""
    (error,) = errors_of(text)

    assert reason in error.reason
    assert error.line == line


def test_a_refusal_is_no_longer_than_somebody_reads() -> None:
    """What it quotes is cut: a value in a wrong place may be a whole section."""
    error = next(error for error in errors_of(f"contract: x\nlanguage: {'e' * 9_000}\n") if error.where == "language")
    assert len(error.reason) < 500


def test_a_few_lines_cannot_stand_for_billions_of_values() -> None:
    """Nested aliases are followed within bounds, so that a small file cannot exhaust the machine."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )

    (error,) = errors_of(bomb)

    assert "too many values" in error.reason


SNIPPETS = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "  ",
        ":",
        "-",
        "[",
        "}",
        "*reply",
        "&x",
        "<<: *case",
        "null",
        "{}",
        "[]",
        "~",
        "!x",
        "1e999",
        "0x_",
        "'",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_file_whatever_brings_anything_but_errors_in_words(data: st.DataObject) -> None:
    """A contract cut and pasted at random either loads or is refused; it never ends in an exception of some library."""
    text = (CONTRACTS / "demo.yaml").read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 40)))
        text = text[:start] + data.draw(SNIPPETS | st.text(max_size=5)) + text[end:]
    errors = []
    try:
        read(text, "contract.yaml", NOW)
    except BadContract as bad:
        errors = bad.errors or [Problem("contract.yaml", 0, "", "refused without a reason")]
    assert all(1 <= error.line <= text.count("\n") + 2 for error in errors)


DOUBTS = {
    "round the clock": ("    on call: true                  # reached", "    # reached", "runs round the clock, but"),
    "no ladder": ("ladder: *case\n\nnotices", "\nnotices", "nobody is told when this runs low"),
    "a level nobody promised anything": (
        "  3: {title",
        "  4: {title: {en: Worst}}\n  3: {title",
        "no obligation is for",
    ),
    "a role never used": (
        "owner: handler.owner\n",
        "  handler.x: {title: {en: X}}\n\nowner: handler.owner\n",
        "is never",
    ),
}


@pytest.mark.parametrize(("old", "new", "reason"), DOUBTS.values(), ids=DOUBTS.keys())
def test_what_is_doubtful_is_warned_about(old: str, new: str, reason: str) -> None:
    """A contract may be in force with a doubt, and its owner hears of it."""
    text, _ = broken(old, new)

    assert reason not in " ".join(warnings_of(GOOD))
    assert reason in " ".join(warnings_of(text))


def test_a_principal_that_hears_nothing_is_warned_about() -> None:
    """The parties exist to tell each other: a contract that tells the principal nothing is probably unfinished."""
    demo = (CONTRACTS / "demo.yaml").read_text()
    silent = demo.replace(", notice of explain]", "]").replace("  explain: principal.responsible_person\n", "")
    silent = silent.replace("  propose: principal.responsible_person\n", "  propose: handler.owner\n")
    silent = silent.replace("[handler.manager, principal.responsible_person]", "handler.manager")

    assert any("no ladder and no notice tells it anything" in warning for warning in warnings_of(silent))


def test_unpublished_years_inside_the_term_are_named() -> None:
    """Invariant 9: a year whose holidays nobody has published is said, not guessed."""
    assert any("no holidays are published for 2027, 2028 yet" in warning for warning in warnings_of(GOOD))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (datetime(2028, 11, 1, 15, 59, tzinfo=UTC), ""),  # 23:59 in Shanghai, 60 days before the last one
        (datetime(2028, 11, 1, 16, 0, tzinfo=UTC), "the term ends in 59 days"),
        (datetime(2028, 12, 31, 15, 59, tzinfo=UTC), "the term ends in 0 days"),
        (datetime(2028, 12, 31, 16, 0, tzinfo=UTC), "the term ended on 2028-12-31"),
    ],
)
def test_the_end_of_the_term_is_warned_about(now: datetime, said: str) -> None:
    """Rule 127: within 60 days of its end, counted in the contract's zone, and after it."""
    about_the_term = [warning for warning in warnings_of(GOOD, now) if "the term" in warning]

    assert [said in warning for warning in about_the_term] == ([True] if said else [])


def test_a_file_read_twice_gives_the_same_version() -> None:
    """The years of holidays depend on the file alone, so publishing again finds the version that is there."""
    first, again = (read(GOOD, "a.yaml", now).contract for now in (NOW, datetime(2040, 1, 1, tzinfo=UTC)))

    assert first == again


def test_the_example_in_the_docs_is_sound() -> None:
    """What docs/contract-file.md shows can be copied into a file and published."""
    text = (CONTRACTS.parent / "docs" / "contract-file.md").read_text()
    example = text.split("```yaml\n")[1].split("```")[0]

    loaded = read(example, "docs/contract-file.md", NOW)

    assert [warning.reason for warning in loaded.warnings if "published" not in warning.reason] == []


def test_the_terms_in_the_docs_are_terms() -> None:
    """Every term that docs/contract-file.md lists is one the grammar takes."""
    text = (CONTRACTS.parent / "docs" / "contract-file.md").read_text()
    table = text.split("## Terms")[1].split("\n\n")[1]
    terms = [term for row in table.splitlines()[2:] for term in re.findall(r"`(.*?)`", row.split("|")[1])]

    assert len(terms) == 15
    assert [str(parse_term(term)) for term in terms] == terms
