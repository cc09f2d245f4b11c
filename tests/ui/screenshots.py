"""One picture per main view of a finished workspace, for README. Run: make screenshots (after make demo); needs Chromium.

The workspace is copied first, so that looking changes nothing. Pictures are 1440 pixels wide, English light and Chinese dark, into
``docs/pictures/``; with ``--out DIR`` elsewhere, and then also 390 pixels wide.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

VIEWS = {
    "overview": "",
    "run": "run",
    "review": "review",
    "coverage": "coverage",
    "duplicates": "duplicates",
    "compare": "compare",
    "export": "export",
}


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--only", choices=VIEWS, default=None, help="one view")
    given = parser.parse_args()
    out: Path = given.out or Path("docs/pictures")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / given.workspace.resolve().name
        shutil.copytree(given.workspace, root)
        command = [sys.executable, "-m", "datagen", "-w", str(root), "ui", "--no-browser", "--port", "0", "--json"]
        # The copy stands in for a folder in somebody's home: the commands shown name it, not a temporary path.
        environment = {**os.environ, "HOME": folder}
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        chrome = _chrome()
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            for language, theme in (("en", "light"), ("zh", "dark")):
                for width in (1440, 390) if given.out else (1440,):
                    _take(chrome, url, out, language, theme, width, [given.only] if given.only else list(VIEWS))
        finally:
            chrome.quit()
            server.kill()
            server.communicate()
    sys.stdout.write(f"{len(list(out.glob('*.webp')))} pictures in {out}\n")
    return 0


def _take(chrome: Any, url: str, out: Path, language: str, theme: str, width: int, views: list[str]) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    chrome.get(f"{url}settings?lang={language}&theme={theme}&next=/")
    for name in views:
        chrome.get(f"{url}{VIEWS[name]}")
        # Tokenizer and findings of Export come last.
        end = time.monotonic() + (90 if name == "export" else 4)
        while time.monotonic() < end and not (name == "export" and chrome.find_elements("css selector", ".dg-pre")):
            time.sleep(0.2)
        suffix = f"-{width}" if width != 1440 else ""
        picture = chrome.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 70})["data"]
        (out / f"{name}-{language}{suffix}.webp").write_bytes(base64.b64decode(picture))


def _chrome() -> Any:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        sys.exit("chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver fonts-noto-cjk)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service(driver))


if __name__ == "__main__":
    sys.exit(main())
