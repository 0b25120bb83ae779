"""A headless Chromium that opens a page, over its DevTools protocol: what a person sees, types and loads."""

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_SWITCHES = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars")
_KEYS = {"Tab": 9, "Enter": 13}
_PATIENCE_S = 300


class Tab:
    """A tab of the browser.

    Attributes:
        requests: the URL of each thing that it asked for, the page itself first.
        errors: what went wrong in the page, in the words of the browser.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._connection, self._number, self._events = connection, 0, list[str]()
        self._session: dict[str, str] = {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, page: Path, *, width: int = 1100, height: int = 900, dark: bool = False) -> None:
        """Load a page from its file and wait until that has happened."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self.requests.clear()
        self._call("Page.navigate", url=page.absolute().as_uri())
        while "Page.loadEventFired" not in self._events:
            self._receive()

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page; a promise is awaited."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        for kind in ("rawKeyDown", "char", "keyUp") if key == "Enter" else ("rawKeyDown", "keyUp"):
            more = {"text": "\r"} if kind == "char" else {}
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_KEYS[key], **more)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self._call("Input.insertText", text=text)

    def picture(self, file: Path, selector: str = "", *, whole: bool = False) -> None:
        """Keep a picture of what is seen, of the `whole` page, or of one element."""
        more: dict[str, Any] = {"captureBeyondViewport": whole or bool(selector)}
        if whole or selector:
            find = f"document.querySelector({json.dumps(selector or 'html')}).getBoundingClientRect()"
            box = self.run(f"(b => [b.x + scrollX, b.y + scrollY, b.width, b.height])({find})")
            more["clip"] = {**dict(zip(("x", "y", "width", "height"), box, strict=True)), "scale": 1}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png", **more)["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters, **self._session}))
        while (message := self._receive()).get("id") != number:
            pass
        assert "error" not in message, (method, message["error"])
        result = message["result"]
        assert isinstance(result, dict)
        return result

    def _receive(self) -> dict[str, Any]:
        message = json.loads(self._connection.recv(timeout=_PATIENCE_S))
        if "method" in message:
            self._events.append(message["method"])
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            case "Runtime.exceptionThrown" | "Log.entryAdded":
                self.errors.append(json.dumps(message["params"]))
        assert isinstance(message, dict)
        return message


@contextmanager
def browser() -> Iterator[Tab]:
    """Start a browser with a new profile, and end it; it has one tab."""
    assert PROGRAM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [PROGRAM, *_SWITCHES, "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            assert process.stderr is not None
            try:
                urls = (line.partition("listening on ")[2].strip() for line in process.stderr)
                address = next(url for url in urls if url)
                with connect(address, max_size=None, proxy=None) as connection:
                    yield Tab(connection)
            finally:
                process.kill()
                process.stderr.close()
