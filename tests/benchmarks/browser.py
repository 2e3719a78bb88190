"""A headless Chromium, by the DevTools protocol over a pipe: the judge of the page."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")


def program() -> str | None:
    """The browser, where there is one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One tab. Messages of the protocol end in a null byte."""

    def __init__(self, read_from: int, write_to: int) -> None:
        self._read, self._write, self._number, self._rest = read_from, write_to, 0, b""
        self.events: list[dict[str, Any]] = []
        self._session = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        self.send("Performance.setTimeDomain", timeDomain="threadTicks")
        for domain in ("Page", "Runtime", "Network", "Log", "Performance"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command's result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(60)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _next(self, timeout_second: float) -> dict[str, Any]:
        until = time.monotonic() + timeout_second
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(until - time.monotonic(), 0))
            if not ready:
                raise TimeoutError("the browser does not answer")
            self._rest += os.read(self._read, 1 << 20)
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def open(self, address: str) -> float:
        """Open a page; seconds until its waveforms are painted."""
        started = time.monotonic()
        self.send("Page.navigate", url=address)
        while self.value("document.documentElement?.dataset.painted") != "yes":
            if time.monotonic() - started > 60:
                raise TimeoutError("the page paints nothing")
            time.sleep(0.01)
        return time.monotonic() - started

    def thread_second(self) -> float:
        """Processor time of the page's main thread, whatever else the machine does."""
        metrics = self.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "ThreadTime")

    def value(self, expression: str) -> Any:
        """Of JavaScript in the page, promises awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def screenshot(self, path: Path, **options: Any) -> None:
        """What is seen."""
        import base64

        shot = self.send("Page.captureScreenshot", format="png", **options)
        path.write_bytes(base64.b64decode(shot["data"]))

    def faults(self) -> list[str]:
        """Errors that the page has reported."""
        return [
            json.dumps(event["params"])[:500]
            for event in self.events
            if event.get("method") == "Runtime.exceptionThrown"
            or (
                event.get("method") == "Log.entryAdded"
                and event["params"]["entry"]["level"] == "error"
            )
        ]


@contextmanager
def browser(width: int = 1400, height: int = 1000) -> Iterator[Browser]:
    """A browser that ends with the block."""
    found = program()
    assert found is not None
    to_it, write_to = os.pipe()
    read_from, from_it = os.pipe()

    def wire() -> None:
        os.dup2(to_it, 1003)
        os.dup2(from_it, 1004)
        os.dup2(1003, 3)
        os.dup2(1004, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [found, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
            preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_it)
        os.close(from_it)
        try:
            yield Browser(read_from, write_to)
        finally:
            process.kill()
            process.wait()
            os.close(read_from)
            os.close(write_to)
