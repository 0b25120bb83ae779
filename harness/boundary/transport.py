"""An error of the network on its way into a client library's own exception."""


class TransportFault(Exception):
    """A transport error; `reason` as in `Disconnect`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
