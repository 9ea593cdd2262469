"""The judge of erasures finds words that outlive their erasure, wherever they are left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from faults.erasures import Words

OPENED = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ERASED, ENDED, FORGOTTEN = OPENED + 10 * SECOND, OPENED + 40 * SECOND, OPENED + 50 * SECOND

GONE = Words(
    complaint="storm-a/S1-1",
    erased=[ERASED],
    forgotten=[FORGOTTEN],
    texts=[OPENED, OPENED + 5 * SECOND],
    key=False,
    opened=OPENED,
    ended=ENDED,
    runs=0,
)


def test_an_erasure_that_left_nothing_is_no_finding() -> None:
    """Neither in the midst of a complaint, nor after its end, nor where Temporal was told to forget it twice."""
    assert list(GONE.findings()) == []
    assert GONE.midst
    late = GONE._replace(erased=[ENDED + SECOND], forgotten=[FORGOTTEN, FORGOTTEN + SECOND])
    assert list(late.findings()) == []
    assert not late.midst


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        (GONE._replace(key=True), "there is a key to its words"),
        (GONE._replace(erased=[]), "its erasure is on record 0 times"),
        (GONE._replace(erased=[ERASED, FORGOTTEN]), "its erasure is on record 2 times"),
        (GONE._replace(texts=[OPENED, ERASED + SECOND, ENDED]), "2 texts were kept after that"),
        (GONE._replace(forgotten=[]), "Temporal was told to forget all of it"),
        (GONE._replace(forgotten=[ERASED + SECOND]), "Temporal was told to forget all of it"),
        (GONE._replace(runs=2), "Temporal holds 2 of its histories"),
    ],
)
def test_words_that_are_left_are_found(damaged: Words, says: str) -> None:
    """A key, a text told later, a history, and an erasure that is not on record once."""
    assert [finding.complaint for finding in damaged.findings()] == [GONE.complaint]
    assert [finding.what for finding in damaged.findings() if says in finding.what]
