"""The page in a real browser, opened from disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from leaderboards.cells import percent
from leaderboards.command import build

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"

Driver = Chrome


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, write_run) -> Path:
    root = tmp_path_factory.mktemp("board")
    runs = [
        write_run(root / "a", "Qwen/Small", skill=0.35, unparsed=0.1, tokens=300),
        write_run(root / "b", "Other/Large", skill=0.8, truncated=0.2, tokens=50),
        write_run(root / "c", HOSTILE, skill=0.5, settings={HOSTILE: HOSTILE}),
        write_run(root / "d", "x" * 200, skill=0.5, asked=40, tokens=90),
        write_run(root / "g", "gold", engine="scripted:gold", skill=1.0, tokens=7),
        write_run(root / "i", "Qwen/Small", modality="image", skill=0.3),
    ]
    audit = root / "audit.json"
    audit.write_text(json.dumps({"best_blind": {"name": "medoid", "accuracy": 0.28}}), "utf-8")
    return Path(build(runs, root / "site", audit)["page"])


@pytest.fixture
def opened(browser: Driver, page: Path) -> Driver:
    return show(browser, page, 1280)


def show(driver: Driver, page: Path, width: int, scheme: str = "light") -> Driver:
    driver.get_log("browser")  # What came before this page is none of its logs.
    driver.get_log("performance")
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    driver.get(page.as_uri())
    return driver


def group(driver: Driver, place: int = 0) -> WebElement:
    return driver.find_elements(By.CSS_SELECTOR, "section.group")[place]


def names(driver: Driver) -> list[str]:
    """The names of the first table's visible rows, from top to bottom."""
    rows = group(driver).find_elements(By.CSS_SELECTOR, "tbody.entry")
    shown = [row for row in rows if row.is_displayed()]
    shown.sort(key=lambda row: row.location["y"])
    return [row.find_element(By.CSS_SELECTOR, ".name b").text for row in shown]


def heading(driver: Driver, key: str) -> WebElement:
    return group(driver).find_element(By.CSS_SELECTOR, f'th[data-sort="{key}"]')


def values(driver: Driver, key: str) -> list[float | None]:
    cells = group(driver).find_elements(By.CSS_SELECTOR, f'tbody.entry [data-key="{key}"]')
    found = [cell.get_attribute("data-value") for cell in cells]
    return [None if value is None else float(value) for value in found]


def box(element: WebElement) -> dict[str, float]:
    rect: dict[str, float] = element.parent.execute_script(
        "const r = arguments[0].getBoundingClientRect();"
        "return {left: r.left, right: r.right, width: r.width}", element
    )  # fmt: skip
    return rect


def luminance(driver: Driver, selector: str, name: str) -> float:
    shade = driver.execute_script(
        "const c = document.createElement('canvas').getContext('2d');"
        "c.fillStyle = getComputedStyle(document.querySelector(arguments[0]))[arguments[1]];"
        "c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data]", selector, name
    )  # fmt: skip
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
              for v in (part / 255 for part in shade[:3])]  # fmt: skip
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_no_request_leaves_the_page_and_the_console_is_silent(opened: Driver, page: Path) -> None:
    for button in opened.find_elements(By.CSS_SELECTOR, "button.name"):
        button.click()
    sent = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in sent
            if m["method"] == "Network.requestWillBeSent"
            and m["params"]["documentURL"] == page.as_uri()]  # fmt: skip
    assert page.as_uri() in urls, "the log of requests is not what this test takes it for"
    assert [url for url in urls if url != page.as_uri() and not url.startswith("data:")] == []
    assert opened.get_log("browser") == []


def test_best_first_to_begin_with(opened: Driver) -> None:
    assert names(opened)[:2] == ["perfect reader", "Other/Large"]
    shares = values(opened, "accuracy")
    assert shares == sorted(shares, reverse=True)  # type: ignore[type-var]
    assert heading(opened, "accuracy").get_attribute("aria-sort") == "descending"


def test_a_click_sorts_and_a_second_one_turns_the_order(opened: Driver) -> None:
    button = heading(opened, "tokens").find_element(By.TAG_NAME, "button")
    button.click()
    assert heading(opened, "tokens").get_attribute("aria-sort") == "ascending"
    assert heading(opened, "accuracy").get_attribute("aria-sort") == "none"
    known = [value for value in values(opened, "tokens") if value is not None]
    assert known == sorted(known) and len(known) == 5
    button.click()
    assert heading(opened, "tokens").get_attribute("aria-sort") == "descending"
    found = values(opened, "tokens")
    assert found[:5] == sorted(known, reverse=True)
    assert found[5:] == [None, None], "rows without a figure stand last in either direction"
    assert "Tokens, descending" in opened.find_element(By.ID, "status").text


def test_the_keyboard_sorts(opened: Driver) -> None:
    button = heading(opened, "model").find_element(By.TAG_NAME, "button")
    opened.execute_script("arguments[0].focus()", button)
    assert opened.switch_to.active_element == button
    outline = opened.execute_script("return getComputedStyle(arguments[0]).outlineStyle", button)
    opened.switch_to.active_element.send_keys(Keys.ENTER)
    found = names(opened)
    assert heading(opened, "model").get_attribute("aria-sort") == "ascending"
    assert found.index("Other/Large") < found.index("Qwen/Small")
    opened.switch_to.active_element.send_keys(Keys.SPACE)
    assert heading(opened, "model").get_attribute("aria-sort") == "descending"
    assert names(opened) == found[::-1]
    assert outline == "solid", "a focused heading is not marked"


def test_sorting_one_table_leaves_the_other_alone(opened: Driver) -> None:
    heading(opened, "tokens").find_element(By.TAG_NAME, "button").click()
    other = group(opened, 1).find_element(By.CSS_SELECTOR, 'th[data-sort="accuracy"]')
    assert other.get_attribute("aria-sort") == "descending"


def test_search_finds_by_parts_of_a_name(opened: Driver) -> None:
    opened.find_element(By.TAG_NAME, "body").send_keys("/")
    search = opened.switch_to.active_element
    assert search.get_attribute("id") == "search"
    search.send_keys("small QWEN")
    assert names(opened) == ["Qwen/Small"]
    assert opened.find_element(By.ID, "status").text == "2 of 10 rows shown"
    search.send_keys("zzz")
    assert names(opened) == []
    assert group(opened).find_element(By.CSS_SELECTOR, ".nothing").is_displayed()
    search.send_keys(Keys.ESCAPE)
    assert len(names(opened)) == 7


def test_baselines_can_be_put_away(opened: Driver) -> None:
    assert {"perfect reader", "chance", "best blind predictor"} <= set(names(opened))
    opened.find_element(By.ID, "baselines").click()
    assert len(names(opened)) == 4
    assert not {"perfect reader", "chance", "best blind predictor"} & set(names(opened))


@pytest.mark.parametrize("width", [1280, 390])
def test_bars_and_intervals_are_drawn_to_scale(browser: Driver, page: Path, width: int) -> None:
    show(browser, page, width)
    record = json.loads((page.parent / "board.json").read_text("utf-8"))["groups"][0]
    rows = group(browser).find_elements(By.CSS_SELECTOR, "tbody.entry")
    assert len(rows) == len(record["entries"]) == 7
    for row, entry in zip(rows, record["entries"], strict=True):
        pairs = [(row.find_element(By.CSS_SELECTOR, ".score .track"), entry["accuracy"])]
        if entry["categories"] and width == 1280:
            cells = row.find_elements(By.CSS_SELECTOR, ".cat .track")
            pairs += list(zip(cells, entry["categories"].values(), strict=True))
        for track, figure in pairs:
            whole = box(track)
            assert whole["width"] > 50
            bar = box(track.find_element(By.CSS_SELECTOR, ".bar"))
            assert bar["width"] == pytest.approx(whole["width"] * figure["value"], abs=0.6)
            assert bar["left"] == pytest.approx(whole["left"], abs=0.1)
            whiskers = track.find_elements(By.CSS_SELECTOR, ".whisker")
            assert len(whiskers) == (figure["low"] is not None)
            for whisker in whiskers:
                span = box(whisker)
                for side, share in (("left", figure["low"]), ("right", figure["high"])):
                    edge = whole["left"] + whole["width"] * share
                    assert span[side] == pytest.approx(edge, abs=1.6), (entry["name"], side)
        mark = box(row.find_element(By.CSS_SELECTOR, ".score .mark"))
        middle = (mark["left"] + mark["right"]) / 2
        whole = box(row.find_element(By.CSS_SELECTOR, ".score .track"))
        assert middle == pytest.approx(whole["left"] + whole["width"] * 0.25, abs=1.1)


def test_details_open_with_the_figures_of_each_task(opened: Driver, page: Path) -> None:
    row = next(row for row in group(opened).find_elements(By.CSS_SELECTOR, "tbody.entry")
               if "Other/Large" in row.text)  # fmt: skip
    button = row.find_element(By.CSS_SELECTOR, "button.name")
    assert button.get_attribute("aria-expanded") == "false"
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    record = json.loads((page.parent / "board.json").read_text("utf-8"))["groups"][0]
    entry = next(e for e in record["entries"] if e["name"] == "Other/Large")
    text = row.find_element(By.CSS_SELECTOR, ".detail").text
    for task, figure in entry["tasks"].items():
        name = task.partition("/")[2].replace("_", " ")
        assert f"{name}\n{percent(figure['value'])}" in text
    assert f"truncated {percent(entry['outcomes']['truncated'])} %" in text
    categories = [cell.text for cell in row.find_elements(By.CSS_SELECTOR, "td.cat")]
    assert categories == [percent(figure["value"]) for figure in entry["categories"].values()]
    heading(opened, "tokens").find_element(By.TAG_NAME, "button").click()
    assert "chord completion" in row.text, "details stay with their row when it moves"
    button.click()
    assert "chord completion" not in row.text


def test_a_hostile_name_is_shown_and_does_nothing(opened: Driver) -> None:
    row = next(row for row in group(opened).find_elements(By.CSS_SELECTOR, "tbody.entry")
               if HOSTILE in row.text)  # fmt: skip
    row.find_element(By.CSS_SELECTOR, "button.name").click()
    assert HOSTILE in row.find_element(By.CSS_SELECTOR, ".detail").text
    assert opened.execute_script("return window.hacked") is None
    assert opened.execute_script("return document.images.length") == 0
    assert opened.execute_script("return document.scripts.length") == 2


def test_the_policy_stops_a_script_that_slipped_in(opened: Driver) -> None:
    opened.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
        "document.body.append(s); const i = document.createElement('img');"
        "i.setAttribute('onerror', 'window.hacked = 1'); i.src = 'x'; document.body.append(i);"
    )
    assert opened.execute_script("return window.hacked") is None
    assert any("Content Security Policy" in entry["message"] for entry in opened.get_log("browser"))


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1280, 1920])
def test_the_page_never_scrolls_sideways(browser: Driver, page: Path, width: int) -> None:
    show(browser, page, width)
    for button in browser.find_elements(By.CSS_SELECTOR, "button.name"):
        browser.execute_script("arguments[0].click()", button)
    inner, whole = browser.execute_script(
        "return [window.innerWidth, document.documentElement.scrollWidth]"
    )
    assert inner == width, "a narrow screen widened its viewport for what stuck out"
    assert whole <= width


def test_a_phone_sorts_by_a_choice(browser: Driver, page: Path) -> None:
    show(browser, page, 390)
    choice = group(browser).find_element(By.CSS_SELECTOR, ".sort-phone select")
    assert choice.is_displayed()
    choice.send_keys("Tok")
    choice.send_keys(Keys.ENTER)
    known = [value for value in values(browser, "tokens") if value is not None]
    assert known == sorted(known)
    group(browser).find_element(By.CSS_SELECTOR, ".sort-phone button").click()
    known = [value for value in values(browser, "tokens") if value is not None]
    assert known == sorted(known, reverse=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(browser: Driver, page: Path, scheme: str) -> None:
    show(browser, page, 1280, scheme)
    ground = luminance(browser, ".frame", "backgroundColor")
    assert (ground < 0.05) == (scheme == "dark")
    for selector in ("h1", ".name b", ".sub", ".fig span", "thead button", "a", ".tag.warn"):
        ink = luminance(browser, selector, "color")
        low, high = sorted((ink, ground))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, selector)


def test_without_the_script_the_table_is_whole(browser: Driver, page: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, page, 1280)
        rows = group(browser).find_elements(By.CSS_SELECTOR, "tbody.entry")
        assert len(rows) == 7 and all(row.is_displayed() for row in rows)
        assert not browser.find_element(By.ID, "toolbar").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_each_row_leads_to_its_report(opened: Driver) -> None:
    link = group(opened).find_element(By.CSS_SELECTOR, 'a[aria-label="Report of Other/Large"]')
    link.click()
    assert opened.current_url.endswith("/b/report.html")
    assert opened.title == "report"
