"""The tables, as this version of the code needs them; `migrations` is what makes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {"pk": "%(table_name)s_pkey", "ix": "%(table_name)s_%(column_0_name)s_idx"}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), dict[str, Any]: JSONB}


class Item(Base):
    __tablename__ = "items"
    __table_args__ = (Index("items_name_idx", "name", postgresql_ops={"name": "text_pattern_ops"}),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    quantity: Mapped[int] = mapped_column(server_default="1")
    arrivals: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Job(Base):
    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    queue: Mapped[str]
    seconds: Mapped[float]
    state: Mapped[str] = mapped_column(server_default="queued")
    runs: Mapped[int] = mapped_column(server_default="0")
    worker: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Tick(Base):
    __tablename__ = "ticks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    beat_host: Mapped[str]
    beat_pid: Mapped[int]
    worker: Mapped[str]
    sent_at: Mapped[datetime] = mapped_column(index=True)
    stored_at: Mapped[datetime] = mapped_column(server_default=func.now())
