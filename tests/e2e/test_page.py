"""The page, in a real browser: what a person sees and can do."""

import time

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from sluice import Sluice, free_settings, temporary_folder

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]

QUEUED = "Queued: your units are held, the order is being written."


@pytest.fixture(scope="module")
def shop():
    with temporary_folder() as folder:
        with Sluice(folder, free_settings(mode="embedded"), arguments=["--demo"]).start() as server:
            server.wait_until(lambda: any("The page:" in line for line in server.lines))
            yield server


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    # Written down by the page's own document, before any script of ours runs.
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
        window.violations = [];
        document.addEventListener("securitypolicyviolation",
                                  (event) => window.violations.push(event.violatedDirective));
        """})
    yield driver
    driver.quit()


class Page:
    def __init__(self, driver, server):
        self.driver, self.server = driver, server

    def open(self, sale=None, size=(1280, 800)):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600})
        self.driver.get(self.server.url + (f"/?sale={sale}" if sale else "/"))
        self.until(lambda: self.text("price") != "")
        return self

    def element(self, name):
        return self.driver.find_element(By.ID, name)

    def text(self, name):
        return self.element(name).text

    def can_buy(self):
        return self.element("buy").is_enabled()

    def until(self, holds, timeout_s=10):
        WebDriverWait(self.driver, timeout_s, poll_frequency=0.02).until(lambda _: holds())

    def buy(self, user, quantity=None):
        for name, value in (("user", user), ("quantity", quantity)):
            if value is not None:
                self.element(name).clear()
                self.element(name).send_keys(str(value))
        self.until(self.can_buy)
        self.driver.execute_script("document.getElementById('answer').textContent = ''")
        self.element("buy").click()
        self.until(lambda: self.text("answer") not in ("", QUEUED) and self.text("buy") == "Buy")
        return self.text("answer")

    def check_quiet(self, *allowed):
        """No error in the console but what the network panel says of refusals, no CSP violation."""
        severe = [entry["message"] for entry in self.driver.get_log("browser")
                  if entry["level"] in ("SEVERE", "WARNING")
                  and not any(part in entry["message"] for part in allowed)]
        assert severe == []
        assert self.driver.execute_script("return window.violations") == []


@pytest.fixture
def page(chromium, shop):
    chromium.get_log("browser")
    yield Page(chromium, shop)
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def sale_times(server, starts_in_ms, ends_in_ms, **terms):
    now_ms = int(time.time() * 1000)
    return server.open_sale(starts_at=now_ms + starts_in_ms, ends_at=now_ms + ends_in_ms, **terms)


def test_a_person_buys_and_gets_the_same_order_again(page):
    page.open()
    assert page.text("title") == page.driver.title == "Demo: a thousand mugs"
    assert "9.90" in page.text("price")
    assert page.text("clock-label") == "Ends in"
    first = page.text("clock")
    page.until(lambda: page.text("clock") != first, 3)

    assert page.buy("ann", 2) == "It is yours."
    order = page.text("order-id")
    assert (page.text("order-status"), page.text("order-quantity")) == ("confirmed", "2")
    assert "19.80" in page.text("order-amount")
    sale = requests.get(f"{page.server.url}/v1/sales", timeout=5).json()["sales"][0]["sale_id"]
    assert page.server.order(sale, order, "ann").json()["status"] == "confirmed"

    assert "already" in page.buy("ann")
    assert page.text("order-id") == order
    page.check_quiet()


def test_the_name_stays_after_a_reload(page):
    page.open().buy("returning")
    assert page.open().element("user").get_attribute("value") == "returning"
    assert "already" in page.buy("returning")
    page.check_quiet()


@pytest.mark.parametrize("clock_off_ms", [0, 3_600_000, -3_600_000])
def test_the_button_follows_the_server_and_not_the_client(page, clock_off_ms):
    """Disabled before the start, enabled at it, disabled at the end of the sale after it."""
    override = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": f"""
        const now = Date.now;
        Date.now = () => now() + {clock_off_ms};
        """})
    try:
        began_ms = time.time() * 1000
        sale = sale_times(page.server, 3_000, 60_000)
        page.open(sale)
        assert page.text("clock-label") == "Starts in"
        assert page.text("clock").startswith("00:00:0")
        assert not page.can_buy()
        page.until(page.can_buy)
        opened_ms = time.time() * 1000 - began_ms
        assert 2_950 <= opened_ms < 4_000, "it opened at the start by the server's clock"
        assert page.text("clock-label") == "Ends in"
        assert page.buy("punctual") == "It is yours."
        began_ms = time.time() * 1000
        page.open(sale_times(page.server, -1_000, 4_000))
        assert page.text("clock-label") == "Ends in"
        page.until(lambda: page.text("clock-label") == "The sale is over.")
        assert time.time() * 1000 - began_ms >= 3_950
        assert not page.can_buy()
        page.check_quiet()
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", override)


def test_sold_out_is_said(page):
    sale = sale_times(page.server, -1_000, 60_000, stock=1)
    assert page.server.buy(sale, "faster").status_code == 201
    assert page.open(sale).buy("slower").startswith("The sale is sold out.")
    assert not page.element("order").is_displayed()
    page.check_quiet("409 (Conflict)")


def test_a_name_that_cannot_be_is_held_back_by_the_form(page):
    page.open()
    page.element("user").clear()
    page.element("user").send_keys("Ann Doe")
    page.element("buy").click()
    assert page.driver.execute_script("return !document.getElementById('user').checkValidity()")
    assert page.text("answer") == "" and not page.element("order").is_displayed()
    page.check_quiet()


def test_pausing_reaches_an_open_page(page):
    sale = sale_times(page.server, -1_000, 60_000)
    page.open(sale)
    page.until(page.can_buy)
    assert page.server.admin("POST", f"/admin/sales/{sale}/pause").status_code == 200
    assert page.buy("ann").startswith("The sale is paused")
    page.until(lambda: page.text("clock-label") == "The sale is paused.")
    assert not page.can_buy()
    page.check_quiet("503 (Service Unavailable)")


def test_markup_in_a_title_stays_text(page):
    title = "<img src=x onerror=alert(1)> & \"more\""
    sale = sale_times(page.server, -1_000, 60_000, title=title, description=title)
    page.open(sale)
    assert (page.text("title"), page.text("description"), page.driver.title) == (title,) * 3
    page.check_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (320, 568)])
def test_everything_fits_and_can_be_read(page, size, scheme):
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})
    page.open(size=size).buy("reader")
    wide = page.driver.execute_script("return document.documentElement.scrollWidth")
    assert wide <= size[0], "nothing runs over the edge"
    for name in ("title", "description", "price", "clock", "buy", "answer", "order-id",
                 "order-status"):
        assert contrast(page, name) >= 4.5, name


def contrast(page, name):
    """Of a text and what is behind it, as WCAG 2 counts."""
    ink, paper = page.driver.execute_script("""
        const element = document.getElementById(arguments[0]);
        let behind = element;
        const clear = (one) => getComputedStyle(one).backgroundColor === "rgba(0, 0, 0, 0)";
        while (clear(behind)) behind = behind.parentElement;
        const channels = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
        return [channels(getComputedStyle(element).color),
                channels(getComputedStyle(behind).backgroundColor)];
        """, name)

    def luminance(channels):
        linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4
                  for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_files_are_served_with_their_guards(shop):
    page = requests.get(f"{shop.url}/", timeout=5)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    again = requests.get(f"{shop.url}/", headers={"If-None-Match": page.headers["ETag"]}, timeout=5)
    assert (again.status_code, again.content) == (304, b"")
    for name in ("page.js", "style.css", "icon.svg"):
        assert requests.get(f"{shop.url}/{name}", timeout=5).status_code == 200
