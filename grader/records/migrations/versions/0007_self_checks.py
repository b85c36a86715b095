"""What learners' own notebooks say of their self-checks, as a hint to instructors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "self_check",
        sa.Column("course_id", sa.String(60), primary_key=True),
        sa.Column("login", sa.String(60), primary_key=True),
        sa.Column("lab_id", sa.String(60), primary_key=True),
        sa.Column("criterion", sa.String(60), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False, index=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failed_in_a_row", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("self_check")
