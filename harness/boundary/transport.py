"""An error of the network instead of an answer."""


class TransportFault(Exception):
    """On its way into a client library's own exception; `reason` as in `Disconnect`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
