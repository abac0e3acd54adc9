"""One page in a real Chromium, watched: what it logs, asks for and draws."""

import contextlib
import os
import time
import urllib.parse

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import sync_playwright

from stage import Wrong

CHROMIUM = "/usr/bin/chromium"
DESK = {"width": 1400, "height": 900}
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
window.words = (id) => document.getElementById(id)?.textContent ?? "";
"""


class Screen:
    """A tab of its own context; whatever it does wrong is kept until `judge`."""

    def __init__(self, browser, pictures, **options):
        self.pictures = pictures
        self.context = browser.new_context(viewport=options.pop("viewport", DESK), **options)
        self.context.add_init_script(WATCH)
        self.page = self.context.new_page()
        self.origin, self.faults, self.is_lenient = None, [], False
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append("error: %s" % error))
        self.page.on("request", self._request)
        self.page.set_default_timeout(20_000)

    def _console(self, message):
        # Chromium itself logs every request that nobody answers.
        if self.is_lenient and "Failed to load resource" in message.text:
            return
        if message.type in ("error", "warning"):
            self.faults.append("console: %s %s" % (message.text, message.location.get("url", "")))

    def _request(self, request):
        parts = urllib.parse.urlsplit(request.url)
        if "%s://%s" % (parts.scheme, parts.netloc) != self.origin:
            self.faults.append("asks another origin: %s" % request.url)

    def open(self, url, path="/"):
        self.origin = url
        self.page.goto(url + path)

    @contextlib.contextmanager
    def without_answers(self):
        """For a time in which requests fail because the test took the other side away."""
        self.is_lenient = True
        yield
        self.is_lenient = False

    def when(self, what, condition, seconds=20.0):
        """Waits until a condition in JavaScript holds; the moment, in ms since 1970."""
        try:
            return self.page.wait_for_function(
                "() => (%s) && Date.now()" % condition, timeout=seconds * 1000, polling=20).json_value()
        except PlaywrightTimeout:
            self.picture("failed")
            raise Wrong("the page does not show within %g s: %s\n%s" % (
                seconds, what, self.page.evaluate("document.body.innerText"))) from None

    def words(self, name):
        return self.page.evaluate("(id) => words(id)", name)

    def holds(self, what, condition):
        found = self.page.evaluate("() => %s" % condition)
        if found is not True:
            raise Wrong("%s: %s is %r" % (what, condition, found))

    def picture(self, name, whole=True):
        self.page.evaluate("() => window.scrollTo(0, 0)")
        self.page.screenshot(path=os.path.join(self.pictures, name + ".png"), full_page=whole)

    def judge(self, what):
        faults = self.faults + ["policy: " + one for one in self.page.evaluate("violations")]
        if faults:
            raise Wrong("%s: %s" % (what, "; ".join(faults)))

    def accessible(self, what):
        """What axe-core finds wrong: contrast, names, roles, order."""
        found = Axe().run(self.page).response["violations"]
        if found:
            raise Wrong("%s: %s" % (what, "; ".join("%s: %s (%s)" % (
                one["id"], one["help"], ", ".join(str(node["target"]) for node in one["nodes"][:4]))
                for one in found)))

    def close(self):
        self.context.close()


@contextlib.contextmanager
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Clock:
    """Says how long each part took."""

    def __init__(self):
        self.begin = self.last = time.monotonic()

    def say(self, what):
        now = time.monotonic()
        print("%5.1f s, %4.1f s: %s" % (now - self.begin, now - self.last, what), flush=True)
        self.last = now
