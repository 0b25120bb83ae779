"""The things of a service that an OpenAPI document describes, kept by path."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..values.errors import ChaosError, shown
from ..values.world import Row
from .openapi_checks import Rejected
from .openapi_paths import Paths, Template, thing_of
from .openapi_values import MISSING, Maker, Unknown, type_of
from .store import generated_id

_MOST_TRIES = 200


def filled(path: str, parameters: Mapping[str, str]) -> str:
    """Return the path of a template with its parameters in their places, without the slash before it."""
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", value.replace("/", "%2F"))
    return path.strip("/")


class Things:
    """Collections of things by their paths, such as ``users/u1/orders``, and single things by theirs.

    Args:
        paths: of the document.
        resources: path of a collection → key → thing; or of a single one → the thing. A collection is here while
            something is in it.
        created: path of a collection → how many were ever made there. It never goes back, so no id is used twice.
    """

    def __init__(self, paths: Paths, resources: dict[str, Any], created: dict[str, int]) -> None:
        self.paths, self.resources, self.created = paths, resources, created

    def rows(self, name: str) -> Mapping[str, Row]:
        """Return the things of a collection by their keys."""
        found = self.resources.get(name, {})
        if isinstance(found, list):  # a handler of the user's own keeps them so
            del self.resources[name]
            for row in found:
                self.seed(name, row)
        rows: Mapping[str, Row] = self.resources.get(name, {})
        return rows

    def keep(self, name: str, key: str, row: Row) -> None:
        """Put a thing into a collection, in the place of the one with its key."""
        self.rows(name)
        self.created.setdefault(name, 0)
        self.resources.setdefault(name, {})[key] = row

    def seed(self, name: str, row: Row, key: str = "") -> None:
        """Put a thing of the beginning into a collection, with the other properties that the service shows.

        Without a key it has that in its id, or an id of its own is made.
        """
        path = self.collection(name)
        field = self.field(path) if path else "id"
        key, id = (key, self.typed(path or "", key)) if key else self.new_key(name, path or "", row)
        known = {field: id, **row} if field else row
        schema = self.paths.schema_of(path) if path else {}
        maker = Maker(self.paths.document, f"{name}/{key}", sent=frozenset(self.paths.document.properties(schema)))
        try:
            made = maker.value(schema, known)
        except Unknown:
            made = known
        self.keep(name, key, {**(made if isinstance(made, dict) else {}), **known})

    def remove(self, name: str, key: str) -> None:
        """Remove a thing, and all that is below it."""
        self.resources[name] = {other: row for other, row in self.rows(name).items() if other != key}
        below = f"{name}/{key}/"
        kept = {one: rows for one, rows in self.resources.items() if not one.startswith(below) and one != name}
        left = {name: self.resources[name]} if self.resources[name] else {}
        self.resources.clear()
        self.resources.update({**kept, **left})

    def collection(self, name: str) -> str | None:
        """Return the template of the collection that is kept by a path; None where the document has none."""
        below, itself = self.paths.find(f"/{name}/x"), self.paths.find(f"/{name}")
        if below is not None and below[0].of_thing:
            return below[0].path.rpartition("/")[0]
        return itself[0].path if itself is not None else None

    def is_single(self, name: str) -> bool:
        """Return whether a path is that of one thing, with no others beside it."""
        template = self.paths.find(f"/{name}")
        return template is not None and self.paths.is_single(template[0])

    def field(self, path: str) -> str:
        """Return the property that the things of a collection have their keys in; "" for none."""
        return self.paths.key_field(path)

    def new_key(self, name: str, path: str, sent: Row) -> tuple[str, Any]:
        """Return the key of a new thing, and its id: the client's, where it may choose one."""
        field = self.field(path) if path else "id"
        properties = self.paths.properties(path) if path else {}
        schema = properties.get(field, {})
        flat = self.paths.document.flat(schema)
        if field and sent.get(field) is not None:
            return str(sent[field]), sent[field]
        made, rows = self.created.get(name, 0), self.rows(name)
        for n in range(made + 1, made + _MOST_TRIES):
            id = self._id(schema, flat, f"{name}/{field}", n)
            if str(id) not in rows:
                self.created[name] = n
                return str(id), id
        text = f"{path} of {self.paths.document.name}: no further {field} fits its schema than {shown(id)}"
        raise ChaosError("bad-openapi", text, 'let the client choose it, or answer yourself: .route("POST", …)')

    def numbered(self, name: str, path: str, field: str) -> Any:
        """Return a further id of the thing that is made next."""
        schema = self.paths.properties(path).get(field, {})
        n = self.created.get(name, 0) or len(self.rows(name)) + 1
        return self._id(schema, self.paths.document.flat(schema), f"{name}/{field}", n)

    def _id(self, schema: Any, flat: Mapping[str, Any], name: str, n: int) -> Any:
        """Return the n-th id of a collection, as its schema has them."""
        document, collection = self.paths.document, name.rpartition("/")[0]
        if type_of(flat) in ("integer", "number"):
            return max(int(flat.get("minimum", 1)), 1) + n - 1
        text = generated_id(collection, collection, n)
        if flat.get("format") != "uuid" and document.fits(schema, text):
            return text
        numbered = {"email": f"user{n}@example.com", "ipv4": f"192.0.2.{n}", "uri": f"https://example.com/{n}"}
        if flat.get("format") in numbered:
            return numbered[flat["format"]]
        own = {key: value for key, value in flat.items() if key not in ("example", "examples", "default", "nullable")}
        try:
            return Maker(document, f"{name}/{n}").value(own, MISSING, name.rpartition("/")[2])
        except Unknown:
            return text

    def typed(self, path: str, key: str) -> Any:
        """Return a key as the property that it stands for has it: a number, where it is one."""
        schema = self.paths.document.flat(self.paths.properties(path).get(self.field(path), {}))
        is_number = type_of(schema) in ("integer", "number") and key.lstrip("-").isdigit()
        return int(key) if is_number else key

    def require_above(self, template: Template, parameters: Mapping[str, str]) -> None:
        """Raise Rejected for a path through a thing that is not there, and could have been."""
        for above in self._above(template):
            collection, _, key = filled(above.path, parameters).rpartition("/")
            whole = self.paths.above(above)
            can_be = "put" in above.operations or (whole is not None and "post" in whole.operations)
            if (can_be or collection in self.created) and key not in self.rows(collection):
                raise Rejected(f"There is no {thing_of(above.path)} {key!r}.", 404)

    def _above(self, template: Template) -> Iterator[Template]:
        parts = template.path.split("/")
        for n in range(2, len(parts)):
            found = self.paths.by_path.get("/".join(parts[:n]))
            if found is not None and found.of_thing:
                yield found
