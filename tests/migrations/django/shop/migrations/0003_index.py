"""an index on the names, while items are written"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar[list[tuple[str, str]]] = [("shop", "0002_note")]
    operations: ClassVar[list[Operation]] = [
        AddIndexConcurrently("Item", models.Index(fields=["name"], name="shop_item_name"))
    ]
