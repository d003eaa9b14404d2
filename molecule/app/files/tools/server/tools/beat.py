"""Something that may run only once."""

from __future__ import annotations

import time

while True:
    time.sleep(60)
