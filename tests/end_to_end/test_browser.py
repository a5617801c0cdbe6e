"""HTML pages in a real browser: all is visible, nothing is cut off, nothing is downloaded."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import pytest

from forked import ran

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium"),
]
DATA = "synthetic:users=80,items=30,length=10"
MEASURE = """<pre id=found></pre><script>
addEventListener('load', () => {
  const width = p => p.naturalWidth === undefined ? p.getBoundingClientRect().width : p.naturalWidth
  document.getElementById('found').textContent = JSON.stringify({
    widths: [...document.querySelectorAll('img, svg')].map(width),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    loaded: performance.getEntriesByType('resource').map(entry => entry.name)
      .filter(name => !name.startsWith('data:')),
  })
})
</script>"""


def browse(page: Path, *words: str) -> str:
    """Open a page in a browser without a network; return what it prints."""
    assert BROWSER is not None
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND")
    profile = f"--user-data-dir={page.parent / 'profile'}"
    return subprocess.run(
        [BROWSER, *flags, profile, "--window-size=1200,1600", *words, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


def command(*words: str, cwd: Path) -> None:
    ended = ran("-m", "sasrec", *words, cwd=cwd)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", ["explanation", "search"])
def test_a_page_shows_in_a_browser(name: str, tmp_path: Path) -> None:
    if name == "explanation":
        command("train", "-d", DATA, "--epochs=1", "-o", "out", "-q", cwd=tmp_path)
        command("explain", "out", "--user", "u3", cwd=tmp_path)
    else:
        (tmp_path / "hyper.test").write_text("n_layers choice [1,2]\nhidden_size choice [8,16]\n")
        words = ("--params", "hyper.test", "--epochs=2", "--seeds", "0", "-o", "out")
        command("tune", "-d", DATA, *words, cwd=tmp_path)
    page = tmp_path / "out" / f"{name}.html"
    measured = page.with_name("measured.html")
    measured.write_text(page.read_text() + MEASURE)
    found = re.search(r'<pre id="found">(.*?)</pre>', browse(measured, "--dump-dom"), re.DOTALL)
    assert found is not None
    seen = json.loads(found[1])
    assert len(seen["widths"]) >= 3
    assert min(seen["widths"]) > 200
    assert seen["overflow"] <= 0
    assert seen["loaded"] == []
    browse(page, f"--screenshot={tmp_path / 'seen.png'}")
    picture = matplotlib.image.imread(tmp_path / "seen.png")[..., :3]
    assert picture.shape[:2] == (1600, 1200)
    assert 0.01 < (picture < 0.9).any(2).mean() < 0.6  # neither all white nor all black
