"""What each process of the application does before anything else."""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

from app.logs import configure_logging
from app.misbehaviour import Misbehaviour, Saboteur
from app.settings import ConfigurationError, Settings, load_settings

# gunicorn gives up on a worker that ends so at boot, and starts those over and over that end otherwise.
GIVE_UP = 3

logger = logging.getLogger("app")


def boot() -> tuple[Settings, Saboteur]:
    configure_logging()
    try:
        settings = load_settings()
        settings.refuse_unsafe_secrets()
    except ConfigurationError as error:
        refuse(error)
    configure_logging(settings.log_level)
    saboteur = Saboteur(Misbehaviour())
    saboteur.at_import()
    return settings, saboteur


def refuse(error: ConfigurationError) -> NoReturn:
    """Leaves one clear line instead of a traceback, since this is for the person who set the environment."""
    logger.critical("refusing to start: %s", error)
    sys.exit(GIVE_UP)
