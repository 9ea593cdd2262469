"""A YAML text that people write, as plain values which remember the line they stand on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

Path = tuple[str | int, ...]
"""Where a value lies: the keys, and the positions in lists, that lead to it."""

LIMIT_SIZE = 250_000
"""Longest file read, in characters; the longest contract that ships has some 10,000."""
LIMIT_VALUES = 20_000
"""Most values after aliases are followed: a few lines of nested aliases can stand for billions."""
LIMIT_DEPTH = 40
LIMIT_MERGES = 300
"""Most merges (`<<`): each one costs as much as all before it, and thousands would take minutes."""

_BLANK = re.compile(r"\s*|.*_{3,}.*", re.DOTALL)
NO_TEXT = re.compile(r"[^\t\n -~\x80-\ud7ff\ue000-\U0010ffff]|[\x80-\x9f]")
"""Control characters, and halves of characters: they pass for text here and break what shows or stores it later."""


class BadDocument(Exception):
    """The text is no YAML mapping; says on which line and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Document:
    """The mapping that a text holds. Keys are text, also where the file has a number."""

    data: dict[str, Any]
    blanks: list[Path]
    """Values left empty or still to be filled in (`____`)."""
    root: CommentedMap = field(repr=False)

    def line(self, path: Path) -> int:
        """The line, from 1, of the deepest value on this path that the text has."""
        node: Any = self.root
        line: int = node.lc.line + 1
        for part in path:
            key = _key_in(node, part)
            if key is None:
                break
            if key in (node.lc.data or {}):  # a merged key (`<<`) stands elsewhere
                line = node.lc.data[key][0] + 1
            node = node[key]
        return line

    def has(self, path: Path) -> bool:
        """Whether the text has a value there."""
        node: Any = self.root
        for part in path:
            key = _key_in(node, part)
            if key is None:
                return False
            node = node[key]
        return True


def parse(text: str) -> Document:
    """The mapping in this text. Raises BadDocument."""
    if len(text) > LIMIT_SIZE:
        raise BadDocument(1, f"is longer than {LIMIT_SIZE:,} characters")
    if text.count("<<") > LIMIT_MERGES:
        raise BadDocument(1, f"has more than {LIMIT_MERGES} merges (<<)")
    yaml = YAML(typ="rt")
    yaml.max_depth = LIMIT_DEPTH + 1  # ruamel takes the longer the deeper it goes, up to minutes
    try:
        root = yaml.load(text)
    except DuplicateKeyError as error:
        key = re.match(r'found duplicate key "(.*?)"', error.problem or "")
        raise BadDocument(_marked(error), f"the key {key[1] if key else ''!r} stands here twice") from None
    except MaxDepthExceededError as error:
        raise BadDocument(_marked(error), "is nested too deeply") from None
    except MarkedYAMLError as error:
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise BadDocument(_marked(error), f"is not valid YAML: {reason}") from None
    except YAMLError as error:
        raise BadDocument(1, f"is not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise BadDocument(1, "is nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - a date such as 2026-02-30, a merge with itself: each its own exception
        why = "has a key that is no text" if isinstance(error, TypeError) else f"is not valid YAML: {error}"
        raise BadDocument(1, why) from None
    if root is None:
        raise BadDocument(1, "is empty")
    if not isinstance(root, CommentedMap):
        raise BadDocument(1, "must be a mapping of `key: value` lines")
    reader = _Reader()
    return Document(reader.plain(root, ()), reader.blanks, root)


class _Reader:
    """Follows aliases into plain values, within bounds."""

    def __init__(self) -> None:
        self.blanks: list[Path] = []
        self._values = 0

    def plain(self, node: Any, path: Path, line: int = 1) -> Any:
        self._values += 1
        if self._values > LIMIT_VALUES or len(path) > LIMIT_DEPTH:
            raise BadDocument(line, "has too many values, or is nested too deeply")
        match node:
            case CommentedMap():
                return {self._key(key, node): self._child(node, key, path) for key in node}
            case CommentedSeq():
                return [self._child(node, index, path) for index in range(len(node))]
            case None | str():
                if node is None or _BLANK.fullmatch(node):
                    self.blanks.append(path)
                elif odd := NO_TEXT.search(node):
                    raise BadDocument(line, f"has a character that is no text: U+{ord(odd[0]):04X}")
                return None if node is None else str(node)
            case bool() | int() | float() | date():
                return node
        raise BadDocument(line, f"has a value of a kind that is not used here: {str(node)[:60]}")

    def _child(self, node: CommentedMap | CommentedSeq, key: Any, path: Path) -> Any:
        place = (node.lc.data or {}).get(key)
        part = key if isinstance(node, CommentedSeq) else str(key)
        return self.plain(node[key], (*path, part), place[0] + 1 if place else node.lc.line + 1)

    def _key(self, key: Any, node: CommentedMap) -> str:
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            raise BadDocument(node.lc.line + 1, f"has a key that is no text: {str(key)[:60]!r}")
        if isinstance(key, str) and (odd := NO_TEXT.search(key) or re.search(r"\n", key)):
            raise BadDocument(node.lc.line + 1, f"has a key with a character that is no text: U+{ord(odd[0]):04X}")
        return str(key)


def _key_in(node: Any, part: str | int) -> Any:
    """The node's own key for this part of a path; nothing if it has none."""
    if isinstance(node, Mapping):
        return next((key for key in node if str(key) == str(part)), None)
    if isinstance(node, Sequence) and not isinstance(node, str) and isinstance(part, int) and part < len(node):
        return part
    return None


def _marked(error: MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1
