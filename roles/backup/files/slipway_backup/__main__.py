"""python3 -m slipway_backup CONFIGURATION COMMAND"""

from __future__ import annotations

from .main import main

main()
