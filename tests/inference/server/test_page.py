"""The page of the server, in chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait
from tests.forked.start import ForkServer
from tests.inference.server.conftest import Server, serving

import manyheads

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
def browser(server: Server, chromium: webdriver.Chrome) -> webdriver.Chrome:
    return opened(chromium, server)


OTHERS = """
encoder = "{encoder}"
threads = 1
training = {{ max_steps = 2 }}

[tasks.quiz]
kind = "choice"
train = "rows.jsonl"
dev = 0.5
text = "question"
candidates = "replies"
label = "right"
label_from = 0

[tasks.alike]
kind = "embedding"
train = "rows.jsonl"
dev = 0.5
text = ["question", "copy"]

[tasks.topics]
kind = "multilabel"
train = "rows.jsonl"
dev = 0.5
text = "question"
label = "topics"
threshold = 0.999
"""


@pytest.fixture(scope="module")
def others(tiny_encoder: Path, forked: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a task with candidates, one of vectors, and one of several labels."""
    folder = tmp_path_factory.mktemp("others")
    rows = [
        {
            "question": f"a good film {number}",
            "replies": ["good", "bad story", "film"][: 2 + number % 2],
            "right": number % 2,
            "copy": f"film a good {number}",
            "topics": ["long", "short"][: 1 + number % 2],
        }
        for number in range(12)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.toml").write_text(OTHERS.format(encoder=tiny_encoder))
    run = manyheads.train(folder / "recipe.toml", folder / "run")
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            forked.run_commands(patch)
            process = stack.enter_context(serving(run.folder.path, folder / "log"))
        yield process


def test_candidates_vectors_and_several_labels_are_predicted(others: Server, chromium: webdriver.Chrome) -> None:
    """Candidates are lines, and are shown by their probability with the weights of all tokens."""
    page = opened(chromium, others)
    Select(page.find_element(By.ID, "task")).select_by_value("quiz")
    assert page.find_element(By.ID, "about").text == "Predicts one of the candidates."
    assert page.find_element(By.ID, "second-label").text == "Candidates, one per line"
    page.find_element(By.ID, "first").send_keys("a good film")
    page.find_element(By.ID, "second").send_keys("good\n\nbad story\nfilm", Keys.CONTROL, Keys.ENTER)
    assert result(page).startswith("Prediction: ")
    shown = [float(each.get_attribute("value") or "") for each in page.find_elements(By.TAG_NAME, "meter")]
    assert len(shown) == 3
    assert shown == sorted(shown, reverse=True)
    assert sum(shown) == pytest.approx(1)
    best = page.find_element(By.CSS_SELECTOR, ".bar span").text
    assert page.find_element(By.ID, "prediction").text.endswith(f": {best}")
    assert len(page.find_elements(By.CSS_SELECTOR, ".tokens")) == 4
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")

    Select(page.find_element(By.ID, "task")).select_by_value("alike")
    assert not page.find_element(By.ID, "result").text
    assert page.find_element(By.ID, "about").text == "Predicts the cosine of the vectors of two texts."
    assert page.find_element(By.ID, "second-label").text == "Second text (copy)"
    page.find_element(By.ID, "first").send_keys(Keys.CONTROL, Keys.ENTER)
    assert re.match(r"Prediction: -?[01]\.\d{3}\n", result(page))
    assert len(page.find_elements(By.CSS_SELECTOR, ".tokens")) == 2

    Select(page.find_element(By.ID, "task")).select_by_value("topics")
    assert page.find_element(By.ID, "about").text == "Predicts any of 2: long, short."
    page.find_element(By.ID, "first").send_keys(Keys.CONTROL, Keys.ENTER)
    assert result(page).startswith("Prediction: none\n")
    assert not [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]


def opened(chromium: webdriver.Chrome, server: Server) -> webdriver.Chrome:
    """Open the page of a server as a new visitor."""
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
    assert browser.find_element(By.ID, "about").text == "Predicts one of 5: 0, 1, 2, 3, 4."
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
