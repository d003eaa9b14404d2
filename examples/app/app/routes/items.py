"""Items: what the service keeps. Whoever repeats a POST with the same key gets the same item, counted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import metrics
from app.models import Item
from app.services import WithDatabase, WithServices

router = APIRouter(prefix="/items", tags=["items"])


class NewItem(BaseModel):
    id: UUID | None = None
    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")
    quantity: int = Field(default=1, ge=0, le=2**31 - 1)


class StoredItem(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    quantity: int
    arrivals: int = Field(description="how often the POST for this item arrived")
    created_at: datetime


@router.post("", status_code=status.HTTP_201_CREATED, responses={200: {"model": StoredItem}, 409: {}})
async def create_item(
    new: NewItem,
    request: Request,
    response: Response,
    services: WithServices,
    database: WithDatabase,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> StoredItem:
    """201 the first time, 200 for the same again, 409 for something else under the same key or id."""
    item_id = new.id or (uuid5(NAMESPACE_URL, idempotency_key) if idempotency_key else uuid4())
    store = insert(Item).values(id=item_id, name=new.name, quantity=new.quantity)
    store = store.on_conflict_do_update(index_elements=[Item.id], set_={"arrivals": Item.arrivals + 1}).returning(Item)
    async with database.transaction() as session:
        item = StoredItem.model_validate((await session.scalars(store)).one())
    if item.arrivals > 1:
        if services.cache:
            await services.cache.forget(f"item:{item_id}")
        if (item.name, item.quantity) != (new.name, new.quantity):
            raise HTTPException(status.HTTP_409_CONFLICT, "Another item has this id or key.")
        response.status_code = status.HTTP_200_OK
        return item
    metrics.ITEMS.inc()
    response.headers["Location"] = str(request.url_for("read_item", item_id=item_id))
    return item


@router.get("")
async def list_items(
    database: WithDatabase,
    prefix: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[StoredItem]:
    """In the order of their ids, so that `after` the last one goes on where a page ended."""
    query = select(Item).order_by(Item.id).limit(limit)
    if prefix:
        query = query.where(Item.name.startswith(prefix, autoescape=True))
    if after:
        query = query.where(Item.id > after)
    async with database.transaction() as session:
        return [StoredItem.model_validate(item) for item in await session.scalars(query)]


@router.get("/{item_id}", response_model=StoredItem)
async def read_item(item_id: UUID, response: Response, services: WithServices, database: WithDatabase) -> object:
    """From the cache where it is there; the header X-Cache says hit, miss or off."""
    cache = services.cache
    key = f"item:{item_id}"
    if cache and (cached := await cache.get(key)):
        _tell(response, "hit")
        return StoredItem.model_validate_json(cached)
    async with database.transaction() as session:
        item = await session.get(Item, item_id)
    if item is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such item.")
    stored = StoredItem.model_validate(item)
    if cache:
        await cache.put(key, stored.model_dump_json())
    _tell(response, "miss" if cache else "off")
    return stored


def _tell(response: Response, outcome: str) -> None:
    metrics.CACHE.labels(outcome).inc()
    response.headers["X-Cache"] = outcome
