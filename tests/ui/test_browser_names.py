"""Every control has a name that a screen reader says: the rules of accessible names, in headless Chromium, on every page and dialog."""

from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from datagen.workspace import Workspace

pytestmark = pytest.mark.browser
PAGES = ("", "run", "review", "coverage", "duplicates", "compare", "export")
NAMELESS = """
const shown = e => e.type === 'file' || (e.getClientRects().length && getComputedStyle(e).visibility !== 'hidden');
const words = n => n.nodeType === 3 ? n.textContent
  : n.nodeType !== 1 || n.getAttribute('aria-hidden') === 'true' ? ''
  : n.getAttribute('aria-label') || [...n.childNodes].map(words).join('');
const field = e => ['INPUT', 'TEXTAREA', 'SELECT'].includes(e.tagName);
const labelled = e => (e.getAttribute('aria-labelledby') || '').split(' ').map(i => document.getElementById(i));
const name = e => e.getAttribute('aria-label') || labelled(e).filter(Boolean).map(words).join('')
  || (field(e) ? [...(e.labels || [])].map(words).join('') : words(e)) || e.title;
const all = [...document.querySelectorAll('button, a[href], input, textarea, select, [role=button], [role=combobox], [role=checkbox]')];
return [all.length, all.filter(shown).filter(e => !(name(e) || '').trim()).map(e => e.outerHTML.slice(0, 300))];
"""


def nameless(chrome: Any) -> list[str]:
    controls, found = chrome.execute_script(NAMELESS)
    assert controls > 10
    return list(found)


def open_page(chrome: Any, url: str, page: str) -> None:
    chrome.get(f"{url}{page}")
    WebDriverWait(chrome, 20).until(lambda c: c.execute_script("return !!(window.socket && window.socket.connected)"))


def test_every_control_of_every_page_and_dialog_has_a_name(chrome: Any, serve: Any, workspace: Workspace) -> None:
    _, url = serve(workspace.root)
    chrome.get(f"{url}settings?lang=zh&theme=light&name=&next=/")
    for page in PAGES:
        open_page(chrome, url, page)
        # What a page reads in a thread, and what it names by script, comes a moment later.
        WebDriverWait(chrome, 20).until(lambda c: "正在读取" not in c.find_element(By.TAG_NAME, "body").text)
        WebDriverWait(chrome, 10).until(lambda c: nameless(c) == [], message=f"{page}: {nameless(chrome)}")
    open_page(chrome, url, "review")
    for key in ("e", "r"):
        ActionChains(chrome).send_keys(key).perform()
        WebDriverWait(chrome, 10).until(lambda c: c.find_elements(By.CSS_SELECTOR, ".dg-dialog textarea, .dg-dialog input"))
        assert nameless(chrome) == []
        next(b for b in chrome.find_elements(By.CSS_SELECTOR, ".dg-dialog button") if "取消" in b.text).click()
        WebDriverWait(chrome, 10).until(lambda c: not c.find_elements(By.CSS_SELECTOR, ".dg-dialog"))
    chrome.find_element(By.CSS_SELECTOR, ".dg-name").click()
    WebDriverWait(chrome, 10).until(lambda c: c.find_elements(By.CSS_SELECTOR, ".dg-dialog input"))
    assert nameless(chrome) == []
