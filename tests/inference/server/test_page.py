"""The page of the server, in chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip("the page is tested in chromium, with chromium-driver: install both")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('browser')}", "--window-size=1000,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        yield found
    finally:
        found.quit()


@pytest.fixture
def browser(server, chromium: webdriver.Chrome) -> webdriver.Chrome:
    """Open the page as a new visitor."""
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get(server.address)
    WebDriverWait(chromium, 10).until(lambda page: len(page.find_elements(By.CSS_SELECTOR, "#task option")) == 3)
    return chromium


def result(browser: webdriver.Chrome) -> str:
    WebDriverWait(browser, 10).until(lambda page: page.find_element(By.ID, "result").text)
    return browser.find_element(By.ID, "result").text


def test_a_text_is_predicted_with_the_keyboard(browser: webdriver.Chrome) -> None:
    assert browser.find_element(By.ID, "about").text == "Predicts one of 5 labels: 0, 1, 2, 3, 4."
    assert browser.find_element(By.ID, "first-label").text == "Text (sentence)"
    browser.find_element(By.ID, "task").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") == "first"
    ActionChains(browser).send_keys("A fine film.").send_keys(Keys.TAB).send_keys(Keys.ENTER).perform()
    assert result(browser).startswith("Prediction: ")
    assert len(browser.find_elements(By.TAG_NAME, "meter")) == 5
    assert browser.find_elements(By.CSS_SELECTOR, ".tokens span[title]")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_a_pair_is_predicted(browser: webdriver.Chrome) -> None:
    assert not browser.find_element(By.ID, "second").is_displayed()
    Select(browser.find_element(By.ID, "task")).select_by_value("similarity")
    assert browser.find_element(By.ID, "about").text == "Predicts a value from 0 to 5."
    assert browser.find_element(By.ID, "second-label").text == "Second text (sentence2)"
    browser.find_element(By.ID, "first").send_keys("a dog runs")
    browser.find_element(By.ID, "second").send_keys("a cat sleeps", Keys.CONTROL, Keys.ENTER)
    assert "(0 to 5)" in result(browser)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".tokens")) == 2


def test_an_error_is_shown(browser: webdriver.Chrome) -> None:
    browser.execute_script("document.getElementById('first').value = 'a'.repeat(20000)")
    browser.find_element(By.ID, "predict").click()
    assert result(browser) == "Error: a text is too long · allowed: 10000 characters"


@pytest.mark.parametrize("width", [320, 1000])
def test_nothing_overflows_and_all_fields_have_names(browser: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.find_element(By.ID, "first").send_keys("long" * 200, Keys.CONTROL, Keys.ENTER)
    assert result(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    names = browser.execute_script(
        "return [...document.querySelectorAll('select,textarea,input')].map(e=>e.labels.length)"
    )
    assert json.dumps(names) == "[1, 1, 1, 1]"


def test_the_api_documentation_shows_every_route(server, browser: webdriver.Chrome) -> None:
    browser.get(f"{server.address}/docs")
    shown = WebDriverWait(browser, 20).until(lambda page: page.find_elements(By.CSS_SELECTOR, ".opblock-summary-path"))
    paths = [each.get_attribute("data-path") for each in shown]
    assert paths == ["/v1/tasks", "/v1/predict", "/v1/predict/{task}", "/v1/explain/{task}"]
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
