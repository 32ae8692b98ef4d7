"""How good the screens are, as measured by the study whose figures stand beside the code."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

# The Ticino road-paving cartel: every firm colluded, and the test of independence rejected for so
# many of its pairs at five in a hundred (cited in the literature on Bajari and Ye's test).
TICINO = {"pairs": 133, "rejected_bp": 1_100}


@cache
def measured() -> dict[str, Any]:
    """Return the rates of the study: what was planted and found, what was honest and called."""
    text = files("listings.screens").joinpath("data", "power.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
