"""contract: nobody has read the legacy code since v2"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("shop", "0003_index")]
    operations: ClassVar[list[Operation]] = [migrations.RemoveField("Item", "legacy_code")]
