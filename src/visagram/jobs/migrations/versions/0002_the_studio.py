"""the studio"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "making",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owner.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("making", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_making_owner_id"), ["owner_id"], unique=False)
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("making_id", sa.String(length=32), nullable=True))
        batch_op.create_foreign_key("fk_job_making_id", "making", ["making_id"], ["id"])
        batch_op.create_index(batch_op.f("ix_job_making_id"), ["making_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_job_making_id"))
        batch_op.drop_constraint("fk_job_making_id", type_="foreignkey")
        batch_op.drop_column("making_id")
    with op.batch_alter_table("making", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_making_owner_id"))
    op.drop_table("making")
