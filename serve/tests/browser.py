"""Headless Chromium, driven by Selenium: what it shows, logs and asks other servers for."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

WORDS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
LONGEST = 30.0
"""Seconds until a condition that does not become true fails its test."""


class Browser:
    """A running browser with one page."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str, *, width: int = 1280, scheme: str = "light") -> None:
        """Open a page at some width, as a new visitor without anything stored."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.execute_cdp_cmd(
            "Storage.clearDataForOrigin", {"origin": url, "storageTypes": "all"}
        )
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(url)

    def run(self, program: str, *values: Any) -> Any:
        """Return what a program returns that runs in the page."""
        return self.driver.execute_script(program, *values)

    def all(self, selector: str) -> list[Any]:
        """Return the visible elements of a selector."""
        found = self.driver.find_elements("css selector", selector)
        return [each for each in found if each.is_displayed()]

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements of a selector, read at one moment."""
        program = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)"
        texts: list[str] = self.run(program, selector)
        return texts

    def text(self, selector: str) -> str:
        """Return the text of the first element of a selector."""
        return self.texts(selector)[0]

    def click(self, selector: str) -> None:
        """Click the first visible element of a selector, once there is one."""
        self.until(lambda: self._clicked(selector))

    def _clicked(self, selector: str) -> bool:
        from selenium.common.exceptions import (
            ElementClickInterceptedException,
            StaleElementReferenceException,
        )

        try:
            for element in self.all(selector)[:1]:
                element.click()
                return True
        except (ElementClickInterceptedException, StaleElementReferenceException):
            pass  # the page was just drawn again, or a row still glides over it
        return False

    def be_still(self) -> None:
        """Wait until nothing on the page moves."""
        still = "return document.getAnimations().every((each) => each.playState !== 'running')"
        self.until(lambda: bool(self.run(still)))

    def fill(self, name: str, value: str) -> None:
        """Give a field of some id a value, as a visitor would."""
        program = """
        const field = document.getElementById(arguments[0]);
        field.value = arguments[1];
        field.dispatchEvent(new Event("input"));
        field.dispatchEvent(new Event("change"));
        """
        self.run(program, name, value)

    def type(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> str:
        """Return the name of the focused element, as screen readers tell it."""
        from selenium.common.exceptions import StaleElementReferenceException

        while True:
            try:
                name: str = self.driver.switch_to.active_element.accessible_name
            except StaleElementReferenceException:  # the page was just drawn again
                continue
            return name

    def until(self, condition: Callable[[], bool], seconds: float = LONGEST) -> None:
        """Wait until a condition holds; fail if it does not in time."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.02)

    def errors(self) -> list[str]:
        """Return what the console told since the page was opened."""
        return [each["message"] for each in self.driver.get_log("browser")]

    def asked_origins(self) -> set[str]:
        """Return the servers that were asked since the page was opened."""
        events = [
            json.loads(each["message"])["message"] for each in self.driver.get_log("performance")
        ]
        urls = [
            urlsplit(event["params"]["request"]["url"])
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return {
            f"{url.scheme}://{url.netloc}" for url in urls if url.scheme not in {"data", "about"}
        }


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start a browser with a fresh profile, and end it; skip the test where there is none."""
    selenium = pytest.importorskip("selenium.webdriver", reason="needs Selenium")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Chromium and chromedriver, such as Debian's packages of these names")
    options = selenium.ChromeOptions()
    options.binary_location = program
    for word in (*WORDS, f"--user-data-dir={profile}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = selenium.Chrome(options, selenium.ChromeService(driver, log_output=os.devnull))
    try:
        yield Browser(running)
    finally:
        running.quit()
