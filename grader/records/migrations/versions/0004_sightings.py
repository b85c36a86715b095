"""Who was seen at the door, so that guessing is limited across restarts and what is odd can be looked into."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "sighting",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False, index=True),
        sa.Column("course_id", sa.String(60), nullable=False),
        sa.Column("login", sa.String(60), nullable=False),
        sa.Column("what", sa.String(12), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("device", sa.String(16), nullable=False),
    )
    op.create_index("ix_sighting_course_at", "sighting", ["course_id", "at"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("sighting")
