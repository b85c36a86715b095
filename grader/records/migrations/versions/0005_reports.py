"""A course's newest events by an index; what the programme's sums are made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index and the table of summaries, which can be dropped and made again."""
    op.create_index("ix_event_course_seq", "event", ["course_id", "seq"])
    op.create_table(
        "run_summary",
        sa.Column("course_id", sa.String(60), sa.ForeignKey("course_run.id"), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("run_summary")
    op.drop_index("ix_event_course_seq", "event")
