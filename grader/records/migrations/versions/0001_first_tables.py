"""first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("course_id", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=True),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("key", name="uq_event_key"),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index("ix_event_course_kind", ["course_id", "kind"], unique=False)

    op.create_table(
        "institution",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("title_ko", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "person",
        sa.Column("login", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("outside_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("login"),
    )
    op.create_table(
        "programme",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("title_ko", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "course_run",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("programme_id", sa.String(length=60), nullable=False),
        sa.Column("institution_id", sa.String(length=60), nullable=False),
        sa.Column("title_ko", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("lang", sa.String(length=2), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_id"],
            ["institution.id"],
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"],
            ["programme.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "staff_role",
        sa.Column("login", sa.String(length=60), nullable=False),
        sa.Column("group", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["login"],
            ["person.login"],
        ),
        sa.PrimaryKeyConstraint("login", "group"),
    )
    op.create_table(
        "course_lab",
        sa.Column("course_id", sa.String(length=60), nullable=False),
        sa.Column("lab_id", sa.String(length=60), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("title_ko", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("pass_percent", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"],
            ["course_run.id"],
        ),
        sa.PrimaryKeyConstraint("course_id", "lab_id"),
    )
    op.create_table(
        "enrolment",
        sa.Column("course_id", sa.String(length=60), nullable=False),
        sa.Column("login", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"],
            ["course_run.id"],
        ),
        sa.ForeignKeyConstraint(
            ["login"],
            ["person.login"],
        ),
        sa.PrimaryKeyConstraint("course_id", "login"),
    )
    op.create_table(
        "training_day",
        sa.Column("course_id", sa.String(length=60), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("starts", sa.Time(), nullable=False),
        sa.Column("ends", sa.Time(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"],
            ["course_run.id"],
        ),
        sa.PrimaryKeyConstraint("course_id", "day"),
    )


def downgrade() -> None:
    op.drop_table("training_day")
    op.drop_table("enrolment")
    op.drop_table("course_lab")
    op.drop_table("staff_role")
    op.drop_table("course_run")
    op.drop_table("programme")
    op.drop_table("person")
    op.drop_table("institution")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index("ix_event_course_kind")

    op.drop_table("event")
