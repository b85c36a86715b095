"""The queue of grading."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of tasks."""
    op.create_table(
        "grading_task",
        sa.Column("submission", sa.String(32), primary_key=True),
        sa.Column("course_id", sa.String(60), sa.ForeignKey("course_run.id"), nullable=False, index=True),
        sa.Column("lab_id", sa.String(60), nullable=False),
        sa.Column("learner", sa.String(60), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("lease_until", sa.DateTime()),
        sa.Column("cause", sa.String(200), nullable=False),
        sa.Column("settled_at", sa.DateTime()),
    )


def downgrade() -> None:
    """Take the table away."""
    op.drop_table("grading_task")
