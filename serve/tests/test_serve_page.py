"""The page to try a model, in a real browser."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from browser import Browser, chromium
from exported_forms import recommender_of
from running_server import Server, running

import sasrec
from sasrec_serve.server.keys import new_key

HOSTILE = "<img src=x onerror=\"document.title='hacked'\"><script>alert(1)</script> &amp; \u202e"
LONG = "A title without any space " + 120 * "x"
TITLES = {
    "i1": "Ä <b>title</b>",
    "i2": "The Second Item",
    "i3": "Three",
    "i4": HOSTILE,
    "i5": LONG,
    "i6": "Second to None",
}
RULES = """
sets:
  without seven: {exclude: [i7]}
  three: {candidates: [i2, i3, i6, i7]}
default: without seven
"""
LISTED = "#list .why .name"
EVENTS = "#events .name"
FOUND = "#found [role=option]"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    recommender = recommender_of("types")
    recommender.titles.update(TITLES)
    sasrec.export(recommender, folder / "out")
    (folder / "rules.yaml").write_text(RULES)
    return folder / "out"


@pytest.fixture(scope="module")
def server(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    words = ("--store", str(folder / "e.sqlite"), "--rules", str(export.parent / "rules.yaml"))
    with running(export, *words, log=folder / "log") as started:
        event = {"user": "u 1", "item": "i2", "time": 5.0, "type": "view"}
        started.post("/events", {"events": [event, event | {"item": "i3", "time": 6.0}]})
        yield started


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


def address(server: Server, **fields: Any) -> str:
    fragment = urlencode(fields, doseq=True)
    return f"http://127.0.0.1:{server.port}/" + (f"#{fragment}" if fragment else "")


def listed(server: Server, body: dict[str, Any]) -> list[str]:
    """Return the names of the items that the server recommends."""
    [found] = server.post("/recommend", body)["lists"]
    return [each["title"] or each["item"] for each in found["items"]]


def with_types(*items: str) -> list[dict[str, str]]:
    return [{"item": item, "type": "view"} for item in items]


def shows(browser: Browser, names: list[str]) -> None:
    browser.until(lambda: browser.texts(LISTED) == names)


def test_typing_and_clicking_changes_the_list_at_once(browser: Browser, server: Server) -> None:
    browser.open(address(server))
    shows(browser, listed(server, {"history": []}))
    assert browser.text("#list-title") == "Popular items"

    browser.click("#search")
    browser.type("second")
    browser.until(lambda: len(browser.texts(FOUND)) == 2)
    browser.click(f"{FOUND}:nth-of-type(1)")
    browser.until(lambda: browser.texts(EVENTS) == ["The Second Item"])
    shows(browser, listed(server, {"history": with_types("i2")}))
    assert browser.text("#list-title") == "Recommendations"

    browser.click("#list .add")
    shows(browser, listed(server, {"history": with_types("i2", _item_of(browser, EVENTS))}))
    browser.click("#events .event:nth-of-type(1) .tool[aria-label^='Remove']")
    shows(browser, listed(server, {"history": with_types("i2")}))
    browser.click("#list .why")
    browser.until(lambda: len(browser.texts(".near")) == 6)
    browser.click("label:has(#seen)")
    shows(browser, listed(server, {"history": with_types("i2"), "exclude_seen": False}))
    browser.click("#clear")
    browser.until(lambda: browser.text("#list-title") == "Popular items")
    assert browser.errors() == []
    assert browser.asked_origins() == {f"http://127.0.0.1:{server.port}"}


def _item_of(browser: Browser, selector: str) -> str:
    browser.until(lambda: len(browser.texts(selector)) == 2)
    item: str = browser.run("return document.querySelector('#events .event').dataset.item")
    return item


def test_everything_can_be_done_with_the_keyboard_alone(browser: Browser, server: Server) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(address(server))
    shows(browser, listed(server, {"history": []}))
    _tab_to(browser, "Add an item")
    browser.type("second")
    browser.until(lambda: len(browser.texts(FOUND)) == 2)
    browser.type(Keys.ARROW_DOWN, Keys.ENTER)
    browser.until(lambda: browser.texts(EVENTS) == ["Second to None"])
    browser.type("three")
    browser.until(lambda: browser.texts(FOUND) == ["Three\ni3"])
    browser.type(Keys.ENTER)
    shows(browser, listed(server, {"history": with_types("i6", "i3")}))

    _tab_to(browser, "Move Three down, to be earlier")
    browser.type(Keys.ENTER)
    browser.until(lambda: browser.texts(EVENTS) == ["Second to None", "Three"])
    assert browser.focused() == "Move Three down, to be earlier"
    names = listed(server, {"history": with_types("i3", "i6")})
    shows(browser, names)
    _tab_to(browser, names[0])
    browser.type(Keys.ENTER)
    browser.until(lambda: len(browser.texts(".adds")) == 2)
    assert browser.focused() == names[0]
    _tab_to(browser, f"Add {names[1]} to the history")
    browser.type(Keys.ENTER)
    browser.until(lambda: len(browser.texts(EVENTS)) == 3)
    browser.until(lambda: browser.focused().startswith("Add "))
    browser.until(lambda: "is added to the history. 10 recomm" in browser.text("#status"))


def _tab_to(browser: Browser, name: str) -> None:
    """Press Tab until an element has the focus; each on the way has a name and a visible focus."""
    from selenium.webdriver.common.keys import Keys

    for _ in range(60):
        browser.type(Keys.TAB)
        focused = browser.focused()
        style = "return getComputedStyle(document.activeElement).outlineStyle"
        assert focused
        assert browser.run(style) == "solid", focused
        if focused == name:
            return
    pytest.fail(f"Tab does not reach {name!r}")


def test_titles_are_never_read_as_html(browser: Browser, server: Server) -> None:
    browser.open(address(server, i=["i4", "i1"], t="view", seen=1, k=40, why="i4"))
    browser.until(lambda: len(browser.texts(".adds")) == 2)
    browser.until(lambda: browser.texts(EVENTS) == [TITLES["i1"], HOSTILE])
    assert HOSTILE in browser.texts(LISTED)
    browser.click("#search")
    browser.type("onerror")
    browser.until(lambda: browser.texts(FOUND) == [f"{HOSTILE}\ni4"])
    assert browser.all("img") == []
    assert browser.run("return document.scripts.length") == 1
    assert browser.run("return document.title").startswith("What comes next?")
    assert browser.errors() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_in_both_schemes(
    browser: Browser, server: Server, scheme: str
) -> None:
    fields = {"i": ["i4", "i5", "i2", "unknown"], "seen": 1, "k": 40, "why": "i5"}
    browser.open(address(server, **fields), width=360, scheme=scheme)
    browser.until(lambda: len(browser.texts(".near")) == 6)
    assert browser.run("return document.documentElement.scrollWidth") <= 360
    browser.click("#search")
    browser.type("title")
    browser.until(lambda: len(browser.texts(FOUND)) == 3)
    assert browser.run("return document.documentElement.scrollWidth") <= 360
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(18, 20, 22)") == (scheme == "dark")
    browser.run("window.scrollTo(0, 0)")
    browser.click("#theme")
    other = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (other == "rgb(18, 20, 22)") == (scheme == "light")


@pytest.mark.slow
def test_a_link_shows_the_same_to_everybody(browser: Browser, server: Server) -> None:
    browser.open(address(server))
    browser.click("#list .add")
    browser.until(lambda: len(browser.texts(EVENTS)) == 1)
    browser.click("label:has([data-rules=three])")
    browser.fill("k", "2")
    browser.click("#list .why")
    browser.fill("predict", "buy")
    first = browser.run("return document.querySelector('#events .event').dataset.item")
    names = listed(
        server,
        {
            "history": with_types(first),
            "k": 2,
            "rules": ["without seven", "three"],
            "next_type": "buy",
        },
    )
    shows(browser, names)
    link, titles = browser.driver.current_url, browser.texts(EVENTS)
    browser.open(link)
    shows(browser, names)
    browser.until(lambda: browser.texts(EVENTS) == titles)
    assert browser.run("return document.getElementById('predict').value") == "buy"
    assert browser.driver.current_url == link


@pytest.mark.slow
def test_sets_of_rules_are_switches(browser: Browser, server: Server) -> None:
    body = {"history": ["i2"], "k": 40}
    browser.open(address(server, i="i2", k=40))
    shows(browser, listed(server, body))
    assert "i7" not in browser.texts(LISTED)
    browser.click("label:has([data-rules=three])")
    shows(browser, listed(server, body | {"rules": ["without seven", "three"]}))
    assert len(browser.texts(LISTED)) == 2
    browser.click("label:has([data-rules='without seven'])")
    shows(browser, listed(server, body | {"rules": ["three"]}))
    browser.click("label:has([data-rules=three])")
    shows(browser, listed(server, body | {"rules": []}))
    assert len(browser.texts(LISTED)) > 30
    assert browser.driver.current_url.endswith("rules=")


@pytest.mark.slow
def test_the_history_of_a_user_is_taken_from_the_store(browser: Browser, server: Server) -> None:
    browser.open(address(server))
    browser.click("#user")
    browser.type("u 1")
    browser.click("#take")
    browser.until(lambda: browser.texts(EVENTS) == ["Three", "The Second Item"])
    shows(browser, listed(server, {"user": "u 1"}))
    browser.click("#user")
    browser.type("23")
    browser.click("#take")
    browser.until(lambda: browser.text("#user-note") == "The store has no event of u 123.")
    assert browser.texts(EVENTS) == ["Three", "The Second Item"]


@pytest.mark.slow
def test_events_are_dragged_to_another_place(browser: Browser, server: Server) -> None:
    browser.open(address(server, i=["i1", "i2", "i3", "i6"]))
    browser.until(lambda: browser.texts(EVENTS)[-1:] == [TITLES["i1"]])
    drag(browser, 0, 2)
    names = ["Three", "The Second Item", "Second to None", TITLES["i1"]]
    browser.until(lambda: browser.texts(EVENTS) == names)
    shows(browser, listed(server, {"history": ["i1", "i6", "i2", "i3"]}))
    drag(browser, 3, 0)
    browser.until(lambda: browser.texts(EVENTS) == [TITLES["i1"], *names[:3]])
    shows(browser, listed(server, {"history": ["i6", "i2", "i3", "i1"]}))


def drag(browser: Browser, first: int, last: int) -> None:
    """Drag an event just past the middle of another, in small steps."""
    from selenium.webdriver import ActionChains

    browser.be_still()
    grips = browser.all("#events .grip")
    way = grips[last].location["y"] - grips[first].location["y"]
    step = 10 if way > 0 else -10
    pointer = ActionChains(browser.driver, duration=10).click_and_hold(grips[first])
    for _ in range(abs(way) // 10 + 1):
        pointer.move_by_offset(0, step)
    pointer.release().perform()


@pytest.mark.slow
def test_errors_of_the_server_are_shown_as_it_words_them(browser: Browser, server: Server) -> None:
    browser.open(address(server, i="i2", rules="missing"))
    status, answer = server.ask("POST", "/recommend", {"history": ["i2"], "rules": "missing"})
    assert status == 409
    browser.until(lambda: answer["error"].lower() in browser.text("#problem").lower())
    browser.click("label:has([data-rules=three])")
    browser.until(lambda: len(browser.texts(LISTED)) == 3)
    assert browser.all("#problem") == []
    browser.open(address(server, i="i2", k=1000, next="missing"))
    browser.until(lambda: "allows at most 100" in browser.text("#problem"))
    browser.click("#problem button")
    shows(browser, listed(server, {"history": ["i2"]}))


LATE = """
const whole = window.fetch;
window.fetch = async (path, rest) => {
  const isLate = path === "recommend" && rest.body.includes('"k":3');
  const answer = await whole(path, isLate ? { ...rest, signal: undefined } : rest);
  if (isLate) { await new Promise((done) => setTimeout(done, 700)); window.isOver = true; }
  return answer;
};
const k = document.getElementById("k");
const set = (value) => { k.value = value; k.dispatchEvent(new Event("input")); };
set(3);
setTimeout(() => set(5), 150);
"""


@pytest.mark.slow
def test_a_late_answer_does_not_replace_a_newer_one(browser: Browser, server: Server) -> None:
    browser.open(address(server))
    browser.until(lambda: len(browser.texts(LISTED)) == 10)
    browser.run(LATE)
    browser.until(lambda: len(browser.texts(LISTED)) == 5)
    browser.until(lambda: browser.run("return window.isOver === true"))
    browser.run("return new Promise((done) => setTimeout(done, 300))")
    assert len(browser.texts(LISTED)) == 5


@pytest.mark.slow
def test_nothing_is_lost_while_the_server_is_away(
    browser: Browser, export: Path, tmp_path: Path
) -> None:
    with running(export, log=tmp_path / "log") as first:
        port = first.port
        browser.open(address(first, i="i2"))
        browser.until(lambda: len(browser.texts(LISTED)) == 10)
    browser.click("#list .add")
    browser.until(lambda: bool(browser.all("#away")))
    assert "does not answer" in browser.text("#away")
    assert len(browser.texts(EVENTS)) == 2
    with running(export, "--port", str(port), log=tmp_path / "log") as second:
        browser.until(lambda: not browser.all("#away"))
        added = browser.run("return document.querySelector('#events .event').dataset.item")
        history = [{"item": "i2"}, {"item": added, "type": "view"}]
        shows(browser, listed(second, {"history": history}))
    assert not {each for each in browser.errors() if "ERR_CONNECTION" not in each}


@pytest.mark.slow
def test_a_server_that_hangs_counts_as_away(browser: Browser, export: Path, tmp_path: Path) -> None:
    with running(export, log=tmp_path / "log") as server:
        browser.open(address(server, i="i2"))
        browser.until(lambda: len(browser.texts(LISTED)) == 10)
        server.process.send_signal(signal.SIGSTOP)
        try:
            browser.fill("k", "5")
            browser.until(lambda: bool(browser.all("#away")))
        finally:
            server.process.send_signal(signal.SIGCONT)
        browser.click("#search")
        browser.type("three")  # any answer shows that the server is back
        browser.until(lambda: not browser.all("#away"))
        browser.until(lambda: len(browser.texts(LISTED)) == 5)


@pytest.mark.slow
def test_the_page_shows_a_model_that_replaces_another(
    browser: Browser, export: Path, tmp_path: Path
) -> None:
    (tmp_path / "v1").symlink_to(export)
    with running(tmp_path, log=tmp_path / "log") as server:
        browser.open(address(server, i=["i2", "i1"], why="i3", k=40))
        browser.until(lambda: len(browser.texts(".adds")) == 2)
        sasrec.export(recommender_of("GRU4Rec"), tmp_path / "v2")
        assert server.post("/reload", {})["outcome"] == "swapped"
        browser.fill("k", "39")
        browser.until(lambda: browser.text("#kind") == "GRU4Rec")
        body = {"history": ["i2", "i1"], "k": 39}
        names = listed(server, body)
        shows(browser, names)
        browser.until(lambda: browser.texts(EVENTS) == [TITLES["i1"], "i2"])
        assert browser.all("#predict") == []
        assert browser.errors() == []


@pytest.mark.slow
def test_a_key_is_asked_for_and_kept_in_the_tab_only(
    browser: Browser, export: Path, tmp_path: Path
) -> None:
    from selenium.webdriver.common.keys import Keys

    key = new_key("page", tmp_path / "keys")
    with running(export, "--keys", str(tmp_path / "keys"), log=tmp_path / "log") as server:
        browser.open(address(server, i="i2"))
        browser.until(lambda: bool(browser.all("#key")))
        browser.type("wrong", Keys.ENTER)
        browser.until(lambda: "does not accept" in browser.text("#key-note"))
        browser.type(key, Keys.ENTER)
        browser.until(lambda: len(browser.texts(LISTED)) == 10)
        assert browser.run("return Object.values(sessionStorage)") == [key]
        assert browser.run("return localStorage.length") == 0
        assert key not in browser.driver.current_url


def test_only_the_programs_of_the_page_may_run(server: Server) -> None:
    for path in ("/", "/docs"):
        status, headers, _ = server.whole("GET", path)
        policy = headers["content-security-policy"]
        assert status == 200
        assert "unsafe" not in policy
        assert policy.startswith(
            "default-src 'none'; script-src 'sha256-"
            if path == "/"
            else "default-src 'none'; script-src 'none'"
        )
        assert "connect-src 'self'" in policy
