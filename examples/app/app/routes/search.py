"""Search by likeness: pgvector measures how far items are from a point."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import text

from app.models import Item
from app.routes.items import StoredItem
from app.services import WithDatabase

router = APIRouter(tags=["search"])

# An item's place is its quantity and the length of its name: enough to see that the extension answers.
NEAREST = """
SELECT id FROM items
ORDER BY ARRAY[quantity, length(name)]::real[]::vector <-> ARRAY[:quantity, :length]::real[]::vector, id
LIMIT :limit
"""


@router.get("/search")
async def search(
    database: WithDatabase,
    quantity: Annotated[int, Query(ge=0, le=2**31 - 1)],
    length: Annotated[int, Query(ge=1, le=200)],
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> list[StoredItem]:
    """The nearest first; needs the extension vector in the database."""
    point = {"quantity": float(quantity), "length": float(length), "limit": limit}
    async with database.transaction() as session:
        nearest = [row.id for row in await session.execute(text(NEAREST), point)]
        return [StoredItem.model_validate(await session.get(Item, item_id)) for item_id in nearest]
