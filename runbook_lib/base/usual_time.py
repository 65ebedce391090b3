"""The variable for the time of a build. Light."""

from __future__ import annotations

import os
import re


def usual_time() -> None:
    """Takes a SOURCE_DATE_EPOCH away that is no time: numpy and IPython end at it when they are loaded, and a kernel
    does not answer.
    """
    if not re.fullmatch("[0-9]{1,11}", os.environ.get("SOURCE_DATE_EPOCH", "")):
        os.environ.pop("SOURCE_DATE_EPOCH", None)
