"""Every table in Postgres, and who may write it.

Three kinds stand side by side:

- **Sources**: `ledger`, `registry`, `contract_versions`, `content`. The database itself refuses to change or remove a
  row of them. `content_keys` is the one exception: destroying a key is erasure (invariant 19).
- **Projections**: `complaints`, `clocks`, `notices`, `messages`, `survey_answers`, `links`, `crowd_answers`, `webhooks`
  and `holds`. Derived from the ledger by `storage.projector` and by nothing else; `storage.rebuild` derives them again
  and compares. Columns marked `WORKING` are the exception: they say how a delivery is going, stand in no ledger and are
  not compared.
- **Working tables**: `people`, `holders` and `directory_version` (the directory, live), `rejects` (starts that cannot
  become a complaint), `mail_slots` and `mail_turns` (how many mails a provider was sent, and who waits for it),
  `ledger_feed` (all complaints' entries in one row), `webhook_cursors` (how far each webhook is), `circulars` and
  `letters` (commands to many complaints, and each one's answer), `used_links` (what acted once and acts no more),
  `tokens` (who may come in); `access_log`, which takes no change either.

A complaint's id is `contract/reference`. Streams of the ledger: `complaint/<contract>/<reference>`,
`message/<message id>`, `webhook/<webhook id>`, and `privacy/<contract>/<reference>` for holds and erasure, which go on
after the workflow has ended; content lies under the stream and sequence of the entry that refers to it.
"""

from storage.tables.columns import EARLIEST, MERGE, OBJECT, SUM, metadata
from storage.tables.projections import (
    PROJECTIONS,
    clocks,
    complaints,
    crowd_answers,
    holds,
    links,
    messages,
    notices,
    survey_answers,
    webhooks,
)
from storage.tables.sources import content, content_keys, contract_versions, ledger, registry
from storage.tables.working import (
    access_log,
    circulars,
    directory_version,
    gatherings,
    holders,
    ledger_feed,
    letters,
    mail_slots,
    mail_turns,
    people,
    rejects,
    tokens,
    used_links,
    webhook_cursors,
)

__all__ = [
    "EARLIEST",
    "MERGE",
    "OBJECT",
    "PROJECTIONS",
    "SUM",
    "access_log",
    "circulars",
    "clocks",
    "complaints",
    "content",
    "content_keys",
    "contract_versions",
    "crowd_answers",
    "directory_version",
    "gatherings",
    "holders",
    "holds",
    "ledger",
    "ledger_feed",
    "letters",
    "links",
    "mail_slots",
    "mail_turns",
    "messages",
    "metadata",
    "notices",
    "people",
    "registry",
    "rejects",
    "survey_answers",
    "tokens",
    "used_links",
    "webhook_cursors",
    "webhooks",
]
