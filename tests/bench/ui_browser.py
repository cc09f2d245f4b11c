"""The page of a workspace, served as its users start it, and headless Chromium to visit it with; for the benches of the page."""

import json
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal

from datagen.workspace import Workspace


@contextmanager
def visitor_of(workspace: Workspace, *, load: Literal["normal", "none"] = "normal") -> Generator[tuple[Any, str]]:
    """Yield the browser and the page's address; both end after. ``load="none"``: pages are asked for, not waited for."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    command = [sys.executable, "-m", "datagen", "-w", str(workspace.root), "ui", "--no-browser", "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1440,900"):
        options.add_argument(argument)
    options.page_load_strategy = load
    chrome = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    try:
        assert server.stdout is not None
        yield chrome, json.loads(server.stdout.readline())["url"]
    finally:
        chrome.quit()
        server.kill()
        server.communicate()
