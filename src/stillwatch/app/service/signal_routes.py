"""Every route of shared signals."""

from __future__ import annotations

from starlette.routing import BaseRoute

from stillwatch.app.service.signal_desk import SignalDesk
from stillwatch.app.service.signal_receiver_routes import receiver_routes
from stillwatch.app.service.signal_transmitter_routes import transmitter_routes


def signal_routes(desk: SignalDesk | None) -> list[BaseRoute]:
    """Return the routes of a desk; none where there is no signals file."""
    return [] if desk is None else [*transmitter_routes(desk), *receiver_routes(desk)]
