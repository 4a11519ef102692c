"""Makes each alert fire on the lab and writes docs/dashboard.svg anew: `make alerts`."""

from __future__ import annotations

from tests.monitoring.picture import PICTURE, draw
from tests.monitoring.session import watched_session

with watched_session() as session:
    seen = session.run()
draw(seen)
print(f"{len(seen.firings)} alerts fired and cleared; {PICTURE.name} shows it.")
