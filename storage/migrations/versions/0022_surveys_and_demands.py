"""What customers answered to a survey, with its figures; the demands of the principal among what is supervised."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

FIGURES = """
CREATE VIEW survey_figures AS
SELECT
    a.contract,
    to_char(a.answered_at AT TIME ZONE (v.body #>> '{calendar,zone}'), 'YYYY-MM') AS month,
    a.about,
    a.question,
    count(*)::int AS n,
    round(avg(a.score), 2) AS mean,
    round(avg(CASE WHEN a.option IS NULL THEN NULL WHEN a.dissatisfied THEN 1 ELSE 0 END), 4) AS dissatisfied
FROM survey_answers a
JOIN complaints c ON c.id = a.complaint
JOIN contract_versions v ON v.version = c.version
GROUP BY 1, 2, 3, 4
"""

DEMANDS = """
SELECT
    'demanded' AS list,
    c.id AS complaint,
    l.seq,
    l.body #>> '{data,clock}' AS clock,
    l.occurred_at AS at,
    l.recorded_at,
    coalesce(l.body #>> '{by,person}', l.body #>> '{by,role}') AS by,
    jsonb_build_object(
        'wants', l.body #> '{data,wants}', 'answer', a.seq, 'answered_at', a.occurred_at,
        'answered_by', coalesce(a.body #>> '{by,person}', a.body #>> '{by,role}')
    ) AS detail,
    c.contract
FROM ledger l
JOIN complaints c ON l.stream = 'complaint/' || c.id AND NOT c.history
LEFT JOIN LATERAL (
    SELECT seq, occurred_at, body FROM ledger
    WHERE stream = l.stream AND type = 'demand_answered' AND body #>> '{data,demand}' = l.seq::text
    ORDER BY seq DESC LIMIT 1
) a ON true
WHERE l.type = 'demanded'
"""


def upgrade() -> None:
    op.create_table(
        "survey_answers",
        sa.Column("complaint", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column(
            "seq", sa.Integer(), nullable=False, comment="the ledger entry that answers; words lie in content under it"
        ),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False, comment="product, service or after_sales"),
        sa.Column("option", sa.Text(), nullable=True, comment="the one chosen; NULL where words were given"),
        sa.Column(
            "score",
            sa.Numeric(5, 2),
            nullable=True,
            comment="what the option counts, by the contract version of the complaint",
        ),
        sa.Column("dissatisfied", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("complaint", "seq", "question", name=op.f("survey_answers_pkey")),
        comment="one row a question that a customer answered",
    )
    op.create_index(
        op.f("survey_answers_contract_question_answered_at_idx"),
        "survey_answers",
        ["contract", "question", "answered_at"],
    )
    op.execute(FIGURES)
    op.execute(
        "COMMENT ON VIEW survey_figures IS 'per contract, month of its calendar and question: answers, mean score, "
        "share of the dissatisfied among those who chose'"
    )
    # The lists that are there stay as they are, whatever has joined them meanwhile.
    lists = op.get_bind().execute(sa.text("SELECT pg_get_viewdef('supervision'::regclass)")).scalar_one()
    op.execute(sa.text(f"CREATE OR REPLACE VIEW supervision AS {lists.rstrip().rstrip(';')} UNION ALL {DEMANDS}"))
