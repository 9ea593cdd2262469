"""The words of the pages on which people act: both languages say the same, and every refusal has its own."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest

from rules.contract import Kind, Stage
from starter.pages.principal import LISTS
from templates.rendering import FOLDER, _environment
from tests.support.system import ROOT

CONTEXT: dict[str, Any] = dict.fromkeys(("when", "span", "zero"), str)


def words(language: str, name: str) -> dict[str, Any]:
    """What a file of words sets, by name."""
    template = _environment(FOLDER, escape=True).get_template(f"{language}/{name}.j2")
    return {key: value for key, value in vars(template.make_module(CONTEXT)).items() if not key.startswith("_")}


def shape(value: Any) -> Any:
    """The keys of words, however deep."""
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, Mapping) else type(value).__name__


@pytest.mark.parametrize("name", ["words", "customer", "principal"])
def test_both_languages_have_the_same_words(name: str) -> None:
    """No page finds a word missing in one language."""
    en, zh = (shape(words(language, name)) for language in ("en", "zh-CN"))
    en.pop("warnings", None)  # plural forms are a matter of English
    assert en == zh


def reasons() -> Iterator[str]:
    """The stable names of refusals in the core."""
    for file in (ROOT / "rules").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                yield from (str(arg.value) for arg in node.args[1:2] if isinstance(arg, ast.Constant))


def test_every_named_refusal_has_words() -> None:
    """A refusal with a name is said in the visitor's own language, and no words are left over."""
    named = set(reasons())
    assert len(named) > 10
    for language in ("en", "zh-CN"):
        assert set(words(language, "words")["refusals"]) == named


def test_every_list_and_stage_has_words() -> None:
    """Whatever a list, a stage or a kind is called in the code has a name for people."""
    for language in ("en", "zh-CN"):
        principal, customer = words(language, "principal"), words(language, "customer")
        assert set(LISTS) <= set(principal["lists"])
        assert set(get_args(Stage)) == set(principal["stages"])
        assert set(get_args(Stage)) - {"closed"} == set(customer["stages"])
        assert set(get_args(Kind)) == set(words(language, "words")["kinds"])
