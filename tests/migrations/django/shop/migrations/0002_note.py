"""a note on each item"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("shop", "0001_initial")]
    operations: ClassVar[list[Operation]] = [migrations.AddField("Item", "note", models.TextField(null=True))]
