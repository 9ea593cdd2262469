"""Pages of reference derived from the code: what a complaint takes, as a table for people and as JSON Schema.

`python -m starter.reference` writes them; a test fails when they are stale.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from rules.commands import COMMANDS, Command, OpenComplaint
from rules.contract import Contract
from rules.stage import PROOF
from workflows.updates import Taken

ROOT = Path(__file__).parent.parent
COMMANDS_PAGE = ROOT / "docs" / "commands.md"
WIRE_SCHEMA = ROOT / "docs" / "schema" / "wire.schema.json"
CONTRACT = ROOT / "contracts" / "maintenance-service.yaml"


def wire_schema() -> dict[str, Any]:
    """JSON Schema of every input: a property is the name of the workflow or of an update and signal, its value the
    schema of the one argument. `answer` is what every update returns.
    """
    named: dict[str, Any] = {"Complaint": OpenComplaint, **COMMANDS}
    validated = [(model, "validation") for model in named.values()]
    references, schema = models_json_schema([*validated, (Taken, "serialization")])  # type: ignore[list-item]
    properties = {name: references[model, "validation"] for name, model in named.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What a complaint takes",
        "type": "object",
        "properties": properties | {"answer": references[Taken, "serialization"]},
        **schema,
    }


def commands_page(contract: Contract) -> str:
    """docs/commands.md. The clocks are those of the contract that ships."""
    lines = [_HEAD]
    for command in COMMANDS.values():
        cells = (
            f"`{command.name}`",
            inspect.cleandoc(command.__doc__ or "").replace("\n", " "),
            ", ".join(_fields(command)) or "–",
            ", ".join(command.who),
            _stage(command),
            ", ".join(_meets(contract, command)) or "–",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _TAIL])


def _fields(command: type[Command]) -> Iterator[str]:
    """A command's own fields, those that may be left out with a question mark."""
    for name, info in command.model_fields.items():
        if name not in Command.model_fields:
            yield f"`{name}`" + ("" if info.is_required() else "?")


def _stage(command: type[Command]) -> str:
    if command.after_closure and not command.needs:
        return "any, also when closed"
    if not command.needs:
        return "any but closed"
    return "after " + " or ".join(f"`{PROOF[stage][0]}`" for stage in command.needs) + ", where the path has it"


def _meets(contract: Contract, command: type[Command]) -> Iterator[str]:
    for name, promise in contract.obligations.items():
        acts = [part for part in promise.met_by.parts if part.replace(":", ".").split(".")[0] == command.name]
        notice = f"notice of {command.name}" in promise.met_by.parts
        if not acts and not notice:
            continue
        parts = ["in part"] if set(acts) < set(promise.met_by.all_of) and len(promise.met_by.all_of) > 1 else []
        parts += ["by its notice"] if notice and not acts else ["with its notice"] if notice else []
        yield name + (f" ({', '.join(parts)})" if parts else "")


_HEAD = """\
# Commands

<!-- written by `python -m starter.reference`; change rules/commands/ instead -->

What people do to a complaint is reported to it by a command. Each is an update of the workflow, with an answer, and a
signal of the same name, without one ([wire.md](wire.md)); on the command line `ombud tell CONTRACT/REF COMMAND`.
A command that cannot be taken is refused with the reason and what is possible instead; nothing is written then.

*Clocks it meets* are those of `contracts/maintenance-service.yaml`; every contract lists its own under `met by`.
A field with `?` may be left out.

| command | what it reports | fields | who may | when | clocks it meets |
|---|---|---|---|---|---|"""

_TAIL = """\
## Fields of every command

All of them may be left out.

| field | meaning |
|---|---|
| `key` | idempotency key: sent again with the same content, it gets the same answer, once done |
| `by` | who did it: `{"role": "handler.owner", "person": "li"}` |
| `reported_by`, `on_behalf_of` | who tells us, when not the doer; for whom it was done |
| `via` | the way it came: `ui`, `cli`, `http`, `client`, `signal`, `import`, `page` |
| `authenticated_as` | whose identity was proved; the front door fills it in and takes it from nobody |
| `occurred_at` | when it happened; the moment it arrives stands in |
| `evidence` | where proofs lie: `id`, `sha256`, `media_type`, `source`; their bytes stay there |
| `internal` | not for the principal's eyes |

`by.role` is a role of the contract or a party (`handler`, `principal`, `third_party`, `complainant`); the first party
under *who may* stands in where nobody is named. A time is RFC 3339 with an offset, at most 2 minutes ahead, and not
before the receipt. Free text (`text`, `cause`, `reason`, `plan`) goes encrypted to its own table, never to the ledger.
"""


def _write() -> None:
    from datetime import UTC, datetime

    from rules.contract_file import read

    contract = read(CONTRACT.read_text("utf-8"), CONTRACT.name, datetime.now(UTC)).contract
    COMMANDS_PAGE.write_text(commands_page(contract), "utf-8")
    WIRE_SCHEMA.parent.mkdir(parents=True, exist_ok=True)
    WIRE_SCHEMA.write_text(json.dumps(wire_schema(), indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    _write()
