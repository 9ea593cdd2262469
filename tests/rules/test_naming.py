"""A command that there is not: one short line with what was meant."""

import pytest

from rules.commands import COMMANDS
from rules.commands.naming import unknown


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("respnd", "did you mean respond?"),
        ("handOver", "did you mean hand_over?"),
        ("customer-writes", "did you mean customer_writes?"),
        ("answer_requests", "did you mean answer_request"),
        ("Close", "did you mean close?"),
    ],
)
def test_a_misspelt_command_is_recognised(name: str, meant: str) -> None:
    """Letters left out, other spellings of the same words, capitals."""
    assert meant in unknown(name)


@pytest.mark.parametrize("name", ["shout", "", "响应", "x" * 10_000, "\x00\x1b[31m\n"])
def test_what_is_like_no_command_is_said_in_one_short_line(name: str) -> None:
    """No list of all commands, no control characters, no name of any length; where all of them stand."""
    said = unknown(name)
    assert said.startswith("There is no command")
    assert said.endswith("docs/commands.md has them all.")
    assert said.isprintable()
    assert len(said) < 200
    assert sum(command in said for command in COMMANDS) == 0
