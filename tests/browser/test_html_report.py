"""The HTML report in a real browser: headless Chromium opens, filters and prints it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from conformance.case import catalogue
from conformance.report.html import as_html
from conformance.report.saved import read_report
from conformance.results import Row
from tests.conformance.reports import failed, row, write

CALL, EMPTY = "plugin/requests/call", "plugin/errors/empty-text"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1200,1400"),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser with a profile of its own."""
    driver = shutil.which("chromedriver")
    if driver is None:
        assert not os.environ.get("CI"), "chromedriver is missing in CI"
        pytest.skip("not run: chromedriver is missing")
    options = ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or ""
    with Chrome(options=options, service=ChromeService(driver)) as made:
        made.set_page_load_timeout(30)
        yield made


@pytest.fixture
def page(browser: Chrome, tmp_path: Path) -> Chrome:
    """A small report with one failure, opened."""
    rows = [
        row(CALL),
        row("host/replies/one-reply-each", scheme="devfd"),
        failed(EMPTY, stderr="Traceback: <b>"),
        row("misuse/consumer/nil", "unsupported", "the testee does not declare the misuse", scheme=""),
    ]
    show(browser, tmp_path, rows)
    return browser


def show(browser: Chrome, folder: Path, rows: list[Row]) -> None:
    path = write(folder / "report.json", rows, exit_code=1)
    page = folder / "report.html"
    page.write_text(as_html([read_report(path)]), encoding="utf-8")
    browser.get(page.as_uri())


def cases(page: Chrome) -> list[str]:
    """The requirements that are listed."""
    return [element.text for element in page.find_elements(By.CSS_SELECTOR, "#list > details > summary strong")]


def count(page: Chrome) -> str:
    return page.find_element(By.ID, "count").text


def test_everything_is_listed_at_first(page: Chrome) -> None:
    assert count(page) == "4 of 4 results, 1 of them failures"
    assert len(cases(page)) >= 4
    assert page.find_element(By.CSS_SELECTOR, "td.fail button").text == "1 failed"


def test_filters(page: Chrome) -> None:
    page.find_element(By.ID, "failures").click()
    wait_for(page, "1 of 4 results, 1 of them failures")
    assert cases(page) == ["ERR-02"]
    assert count(page) == "1 of 4 results, 1 of them failures"
    page.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    wait_for(page, "4 of 4 results, 1 of them failures")
    Select(page.find_element(By.ID, "side")).select_by_visible_text("host")
    wait_for(page, "1 of 4 results, 0 of them failures")
    page.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    wait_for(page, "4 of 4 results, 1 of them failures")
    page.find_element(By.ID, "search").send_keys("empty-text else")
    wait_for(page, "1 of 4 results, 1 of them failures")
    assert cases(page) == ["ERR-02"]


def test_a_failure_opens_by_keyboard_and_shows_all_that_is_known(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "td.fail button").send_keys(Keys.ENTER)
    details = page.find_element(By.CSS_SELECTOR, "#list > details")
    if details.get_attribute("open") is None:
        details.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    text = shown(details, "expected: 1")
    assert "seen:     2" in text
    assert catalogue()[EMPTY].doc in text
    assert "Traceback: <b>" in text
    assert f"plugsvc-conformance run --case {EMPTY}" in text
    wire = details.find_element(By.CSS_SELECTOR, "table.wire")
    assert '{"sequence":1}\\n' in wire.text
    assert "→ suite to testee" in wire.text
    assert "\\x00" in wire.text
    assert "(5000 bytes)" in wire.text
    details.find_element(By.CSS_SELECTOR, "button.hex").send_keys(Keys.SPACE)
    assert "00 ff 3c 62 3e" in wire.text


def test_five_thousand_rows_open(browser: Chrome, tmp_path: Path) -> None:
    rows = [row(case, scheme=f"s{n}") for n in range(13) for case in list(catalogue())[:400]]
    show(browser, tmp_path, rows)
    assert count(browser) == f"{len(rows)} of {len(rows)} results, 0 of them failures"
    taken = browser.execute_script(
        "const t = performance.getEntriesByType('navigation')[0]; return t.domComplete - t.responseEnd;"
    )
    print(f"{len(rows)} rows: {taken:.0f} ms")
    assert taken > 0


def test_nothing_is_said_in_the_console(page: Chrome) -> None:
    assert page.get_log("browser") == []  # type: ignore[no-untyped-call]


def wait_for(page: Chrome, text: str) -> None:
    deadline = time.monotonic() + 10
    while count(page) != text:
        assert time.monotonic() < deadline, count(page)


def shown(element: WebElement, text: str) -> str:
    deadline = time.monotonic() + 10
    while text not in element.text:
        assert time.monotonic() < deadline, element.text
    return element.text
