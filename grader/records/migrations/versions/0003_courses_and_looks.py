"""Regions, approved courses, closed days, looks at records, names of columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and what a course run says of itself."""
    op.create_table(
        "region",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column("title_ko", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("area_code", sa.String()),
    )
    op.create_table(
        "course",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column("institution_id", sa.String(60), sa.ForeignKey("institution.id"), nullable=False),
        sa.Column("title_ko", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("outside_id", sa.String()),
        sa.Column("ncs_code", sa.String()),
        sa.Column("occupation", sa.String(), nullable=False),
        sa.Column("tuition_krw", sa.Integer(), nullable=False),
    )
    op.create_table(
        "closed_day",
        sa.Column("course_id", sa.String(60), sa.ForeignKey("course_run.id"), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("made_up_on", sa.Date()),
    )
    op.create_table(
        "look",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False, index=True),
        sa.Column("who", sa.String(60), nullable=False),
        sa.Column("address", sa.String(60), nullable=False),
        sa.Column("what", sa.String(80), nullable=False),
        sa.Column("course_id", sa.String(60), nullable=False),
        sa.Column("subject", sa.String(60), nullable=False, index=True),
    )
    op.create_table(
        "column_name",
        sa.Column("institution_id", sa.String(60), sa.ForeignKey("institution.id"), primary_key=True),
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("heading", sa.String(120), primary_key=True),
        sa.Column("field", sa.String(40), nullable=False),
    )
    op.add_column("institution", sa.Column("outside_id", sa.String()))
    # No foreign key in the database: SQLite cannot take such a column away again.
    op.add_column("course_run", sa.Column("approved_id", sa.String(60)))
    op.add_column("course_run", sa.Column("round", sa.Integer()))
    op.add_column("course_run", sa.Column("place_class", sa.String(20), nullable=False, server_default="capital"))
    op.add_column("course_run", sa.Column("hours", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_event_course_subject", "event", ["course_id", "subject"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_event_course_subject", "event")
    for column in ("hours", "place_class", "round", "approved_id"):
        op.drop_column("course_run", column)
    op.drop_column("institution", "outside_id")
    for table in ("column_name", "look", "closed_day", "course", "region"):
        op.drop_table(table)
