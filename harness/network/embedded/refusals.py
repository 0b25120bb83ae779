"""The refusals of the API, in Toxiproxy's words: clients compare them."""


class Refusal(Exception):
    """A request that is refused; `about` is the field or the error that the message ends with."""

    def __init__(self, status: int, message: str, about: str = "") -> None:
        self.status = status
        self.message = f"{message}: {about}" if about else message
        super().__init__(self.message)

    def document(self) -> dict[str, object]:
        """Return the JSON of the answer."""
        return {"error": self.message, "status": self.status}


def bad_body(about: str) -> Refusal:
    """Return the refusal of a body that cannot be read, or asks for what no server survives."""
    return Refusal(400, "bad request body", about)


def missing_field(about: str) -> Refusal:
    """Return the refusal of a proxy without a name or an upstream."""
    return Refusal(400, "missing required field", about)


def not_found(kind: str) -> Refusal:
    """Return the refusal of a name that is not known."""
    return Refusal(404, f"{kind} not found")


def exists(kind: str) -> Refusal:
    """Return the refusal of a name that is taken."""
    return Refusal(409, f"{kind} already exists")


def cannot_listen(about: str) -> Refusal:
    """Return the answer where an address cannot be listened on."""
    return Refusal(500, about)
