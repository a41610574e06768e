"""Reports in a real browser: nothing is loaded or complained about, scripts only add, all can be read.

usage: browser.py CHROMIUM CHROMEDRIVER FOLDER
"""

import base64
import json
import os
import sys
from html.parser import HTMLParser
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

WIDTHS = (1280, 400, 320)
# The least contrast of text by WCAG 2.2 AA.
CONTRAST = 4.5

# Texts with too little contrast to what lies below them.
FAINT = """
const least = arguments[0];
const channels = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => {
  const part = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const below = (at) => {
  for (; at; at = at.parentElement) {
    const colour = channels(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const faint = [];
for (const at of document.querySelectorAll("body *")) {
  const own = [...at.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const inBar = at.closest(".bars svg.area g, script, title");
  if (!own || inBar || !at.getClientRects().length) continue;
  const style = getComputedStyle(at);
  const [a, b] = [light(channels(at.closest("svg") ? style.fill : style.color)), light(below(at))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < least) faint.push(`${ratio.toFixed(1)}: ${at.textContent.slice(0, 40)}`);
}
return faint;
"""


class Text(HTMLParser):
    """The text of a page, without that of its style and script."""

    def __init__(self):
        super().__init__()
        self.raw = False
        self.parts = []

    def handle_starttag(self, tag, attrs):
        self.raw = tag in ("style", "script")

    def handle_endtag(self, tag):
        self.raw = False

    def handle_data(self, data):
        if not self.raw:
            self.parts.append(data)


def browser(chromium, driver):
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.add_argument("--headless=new")
    options.add_argument("--hide-scrollbars")
    # As root there is no sandbox; the pages are ours.
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))


def text_of(chrome):
    root = chrome.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    html = chrome.execute_cdp_cmd("DOM.getOuterHTML", {"nodeId": root})["outerHTML"]
    text = Text()
    text.feed(html)
    return " ".join("".join(text.parts).split())


def resize(chrome, width, dark=False):
    media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )


def check_silence(chrome, url):
    """Nothing was loaded but the page, and nothing was complained about."""
    complaints = [entry["message"] for entry in chrome.get_log("browser")]
    assert not complaints, complaints
    messages = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    requests = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert set(requests) == {url}, requests


def check_layout(chrome, shots):
    for width in WIDTHS:
        for dark in (False, True):
            resize(chrome, width, dark)
            wide = chrome.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{wide} px of page at {width} px"
            faint = chrome.execute_script(FAINT, CONTRAST)
            assert not faint, f"{'dark' if dark else 'light'}: {faint}"
            shot = chrome.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
            name = f"{shots}-{width}-{'dark' if dark else 'light'}.png"
            Path(name).write_bytes(base64.b64decode(shot["data"]))
    resize(chrome, WIDTHS[0])


def check_sorting(chrome):
    """The table of the slowest calls by its column of rpc, up and down."""

    def values():
        cells = chrome.find_elements(By.CSS_SELECTOR, "#slowest .sortable tbody td:nth-child(6)")
        return [float(cell.text) for cell in cells]

    before = values()
    assert len(before) > 3, before
    button = chrome.find_element(By.CSS_SELECTOR, "#slowest .sortable th:nth-child(6) button")
    for wanted in (sorted(before, reverse=True), sorted(before)):
        # As somebody without a mouse does it.
        button.send_keys("\n")
        assert values() == wanted, values()
    head = chrome.find_element(By.CSS_SELECTOR, "#slowest .sortable th:nth-child(6)")
    assert head.get_attribute("aria-sort") == "ascending"


def check_arms(chrome):
    lines = chrome.find_elements(By.CSS_SELECTOR, 'polyline[data-arm="0"]')
    button = chrome.find_element(By.CSS_SELECTOR, '.legend.arms [data-arm="0"] button')
    for shown in (False, True):
        button.send_keys("\n")
        assert [line.is_displayed() for line in lines] == [shown] * len(lines)


def check_following(chrome):
    """A point leads to its waterfall, and both are marked."""
    link = chrome.find_element(By.CSS_SELECTOR, '#time a[data-call="2"]')
    chrome.execute_script("arguments[0].focus()", link)
    chrome.switch_to.active_element.send_keys("\n")
    # The event that marks them comes after the key.
    marked = WebDriverWait(chrome, 5).until(lambda at: at.find_elements(By.CSS_SELECTOR, ".chosen"))
    assert {element.get_attribute("data-call") for element in marked} == {"2"}
    assert any(element.tag_name == "article" for element in marked)


def check(chrome, page, is_demo):
    url = page.resolve().as_uri()
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    chrome.get(url)
    plain = text_of(chrome)
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    chrome.get(url)
    assert text_of(chrome) == plain, "scripts change what the page says"
    assert "owned" not in chrome.title
    check_layout(chrome, page.with_suffix(""))
    if is_demo:
        check_sorting(chrome)
        check_arms(chrome)
        check_following(chrome)
    check_silence(chrome, url)
    print(f"ok: {page.name}, {len(plain)} characters with and without scripts")


def main():
    chromium, driver, folder = sys.argv[1:]
    chrome = browser(chromium, driver)
    try:
        for page in sorted(Path(folder).glob("*.html")):
            check(chrome, page, page.stem == "demo")
    finally:
        chrome.quit()


main()
