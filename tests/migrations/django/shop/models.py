"""What the migrations end with."""

from __future__ import annotations

from django.db import models


class Item(models.Model):
    """Something to sell."""

    name = models.TextField(db_index=True)
    note = models.TextField(null=True)
