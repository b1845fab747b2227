"""A headless Chromium led over its DevTools pipe: pages, keys, what a script on the page says, pictures."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_KEYS = {
    "Enter": {"code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "Escape": {"code": "Escape", "windowsVirtualKeyCode": 27},
    "Tab": {"code": "Tab", "windowsVirtualKeyCode": 9},
    "ArrowDown": {"code": "ArrowDown", "windowsVirtualKeyCode": 40},
}


class HeadlessBrowser:
    """One window; use as a context.

    Args:
        size: of the window, pixels.
        dark: what the page is told of the user's preference.
    """

    def __init__(self, size: tuple[int, int] = (1380, 820), dark: bool = False) -> None:
        self._size, self._dark = size, dark
        self._count = 0
        self._session = ""
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> HeadlessBrowser:
        self._folder = tempfile.mkdtemp(prefix="neurotriage-browser-")
        read_by_it, self._to = os.pipe()
        self._from, written_by_it = os.pipe()
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        arguments += ["--no-first-run", "--disable-background-networking", "--disable-extensions"]
        arguments += [f"--user-data-dir={self._folder}", "--remote-debugging-pipe"]
        # The pipe is file descriptors 3 and 4 of the browser, whatever they are called here.
        shell = f'exec "$0" "$@" 3<&{read_by_it} 4>&{written_by_it}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", shell, str(CHROMIUM), *arguments],
            pass_fds=(read_by_it, written_by_it),
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_it)
        os.close(written_by_it)
        page = self._ask("Target.createTarget", url="about:blank")
        attached = self._ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")
        width, height = self._size
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self._dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._to)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)
        shutil.rmtree(self._folder, ignore_errors=True)

    def open(self, url: str) -> None:
        """Go to an address and wait until its document is there."""
        self._ask("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def say(self, script: str) -> Any:
        """The value of a script on the page; scripts of the test itself are not held by the page's policy."""
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str, seconds: float = 30.0) -> None:
        """Wait until a script says true."""
        end = time.monotonic() + seconds
        while not self.say(script):
            assert time.monotonic() < end, f"waited too long for {script}"
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other."""
        for key in keys:
            known = _KEYS.get(key, {"text": key})
            self._ask("Input.dispatchKeyEvent", type="keyDown", key=key, **known)
            self._ask(
                "Input.dispatchKeyEvent", type="keyUp", key=key, **{k: v for k, v in known.items() if k != "text"}
            )

    def picture(self, path: Path) -> None:
        """The window as PNG."""
        content = self._ask("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(content))

    def complaints(self) -> list[str]:
        """What the page's console holds: errors, and what its policy has blocked."""
        self.say("0")
        logged = [e["params"]["entry"] for e in self.events if e.get("method") == "Log.entryAdded"]
        thrown = [e["params"]["exceptionDetails"] for e in self.events if e.get("method") == "Runtime.exceptionThrown"]
        return [entry["text"] for entry in logged if entry["level"] == "error"] + [str(item) for item in thrown]

    def asked_for(self) -> list[str]:
        """Every address that the page has asked for."""
        self.say("0")
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [e["params"]["request"]["url"] for e in sent]

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._from, 1 << 16)
            assert piece, "the browser has ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)
