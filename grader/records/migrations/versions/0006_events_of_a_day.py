"""What the door wrote today is found by an index: the one by course and kind goes on with the time."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the longer index in the place of the shorter."""
    op.create_index("ix_event_course_kind_at", "event", ["course_id", "kind", "at"])
    op.drop_index("ix_event_course_kind", "event")


def downgrade() -> None:
    """Put the shorter one back."""
    op.create_index("ix_event_course_kind", "event", ["course_id", "kind"])
    op.drop_index("ix_event_course_kind_at", "event")
