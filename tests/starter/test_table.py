"""A table is read row by row, its mistakes kept to their rows and named by line."""

from __future__ import annotations

import csv
import gzip
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from starter.errors import Invalid
from starter.table import Line, Rejects, Table, opened


def table(folder: Path, data: bytes, name: str = "t.csv") -> AbstractContextManager[Table]:
    file = folder / name
    file.write_bytes(data)
    return opened(file)


def test_rows_keep_their_line_numbers(tmp_path: Path) -> None:
    """A text that runs over several lines counts as one row, which has the number of its first line."""
    with table(tmp_path, b'id,text\n1,"a\nb\nc"\n\n2,d\n') as read:
        lines = list(read)
    assert [(line.number, line.row) for line in lines] == [
        (2, {"id": "1", "text": "a\nb\nc"}),
        (6, {"id": "2", "text": "d"}),
    ]


def test_a_byte_order_mark_and_gzip_make_no_difference(tmp_path: Path) -> None:
    """What Excel writes, and what gzip packs, reads like the plain file."""
    data = b"\xef\xbb\xbfid,text\n1,\xe6\x8a\x95\xe8\xaf\x89\n"
    for name, content in (("plain.csv", data), ("packed.csv", gzip.compress(data))):
        with table(tmp_path, content, name) as read:
            assert [line.row for line in read] == [{"id": "1", "text": "投诉"}]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"1", "1 fields where the header has 2"),
        (b"1,a,b", "3 fields where the header has 2"),
        (b'1,"a"b', "no CSV"),
        (b"1,\xff", "encoding"),
    ],
)
def test_a_bad_row_spoils_no_other(tmp_path: Path, row: bytes, reason: str) -> None:
    """A row with too few or too many fields, a stray quote or broken bytes is named; its neighbours are read."""
    with table(tmp_path, b"id,text\n0,x\n" + row + b"\n2,y\n") as read:
        lines = list(read)
    assert [line.row is None for line in lines] == [False, True, False]
    assert lines[1].number == 3
    assert reason in lines[1].reason


def test_a_quote_that_never_ends_is_one_bad_row(tmp_path: Path) -> None:
    """An unclosed quote swallows the rest of the file, and the row says where it began."""
    with table(tmp_path, b'id,text\n1,"a\n2,b\n3,c\n') as read:
        (line,) = read
    assert (line.number, line.row) == (2, None)
    assert "no CSV" in line.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\n1,2\n", "is empty"),
        (b"id,id\n1,2\n", "column id more than once"),
        (b'"id"x\n', ":1: the line that must name the columns is no CSV"),
        (b'"id', "is no CSV"),
    ],
)
def test_a_file_without_a_header_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    """Without a usable header no row means anything."""
    with pytest.raises(Invalid, match=reason), table(tmp_path, data):
        pass


def test_a_file_that_breaks_off_says_where(tmp_path: Path) -> None:
    """A gzip cut short gives its whole rows, then says after which line it ends."""
    data = gzip.compress(b"id,text\n" + b"".join(b"%d,%032x\n" % (n, n * 7**40) for n in range(9999)), mtime=0)
    with table(tmp_path, data[: len(data) // 2]) as read:
        lines = iter(read)
        assert [next(lines).number for _ in range(100)] == list(range(2, 102))
        with pytest.raises(Invalid, match="breaks off after line"):
            list(lines)


def test_rejects_keep_the_row_as_it_was(tmp_path: Path) -> None:
    """The rejects file appears with the first reject and has line, reason and every field, broken bytes too."""
    file = tmp_path / "rejects.csv"
    file.write_text("of the run before")
    rejects = Rejects(file, ["id", "text"])
    assert not file.exists()
    rejects.add(Line(7, ["1", "a\udcffb\nc"], None), "bad, very")
    rejects.close()
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as written:
        rows = list(csv.reader(written))
    assert rows == [["line", "reason", "id", "text"], ["7", "bad, very", "1", "a\udcffb\nc"]]
