"""Makes docs/serving-page.png, the picture of the page: serve/picture.py EXPORT.

The export is that of the demo; see ``make demo-serve``. It needs Chromium and chromedriver.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE / "tests"))

from browser import Browser, chromium  # noqa: E402 - from the folder of the tests
from running_server import running  # noqa: E402

HISTORY = ("50", "172", "181", "174", "210")
"""Star Wars, The Empire Strikes Back, Return of the Jedi, and two films of Indiana Jones."""
RULES = """
sets:
  from the nineties: {only_where: "release_year >= '1990'"}
  no horror: {exclude_where: "array_contains(class, 'Horror')"}
  more variety: {diversity: 0.3}
"""
SHOWN = "document.querySelectorAll('.adds').length && document.querySelectorAll('.near').length"


def main() -> None:
    """Serve the export, open the page, and save what it shows."""
    parser = argparse.ArgumentParser(description="Make the picture of the page.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "serving-page.png")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules.yaml").write_text(RULES)
        words = ("--rules", str(folder / "rules.yaml"), "--store", str(folder / "events.sqlite"))
        with (
            running(given.export, *words, log=folder / "log") as server,
            chromium(folder / "profile") as browser,
        ):
            events = "&".join(f"i={item}" for item in HISTORY)
            browser.open(f"http://127.0.0.1:{server.port}/#{events}")
            open_first(browser)
            browser.driver.save_screenshot(str(given.out))


def open_first(browser: Browser) -> None:
    """Open the explanation of the first item, and wait until all is drawn.

    Args:
        browser: Shows the page.
    """
    browser.until(lambda: browser.text("#list-title") == "Recommendations")
    browser.run("document.querySelector('#list .why').click()")
    browser.until(lambda: bool(browser.run(f"return {SHOWN}")))
    browser.run("document.activeElement.blur(); document.body.style.overflow = 'hidden'")
    browser.be_still()


if __name__ == "__main__":
    main()
