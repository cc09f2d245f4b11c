"""Check the built site: every link, picture, script and style leads to a file in it, every #anchor to an element there.

    python docs/check_links.py SITE

Links to other hosts are listed, not opened; a style, script or picture from another host is an error, because the site must be readable
without a network. Exit code 1 if anything is broken.
"""

import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser

_LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


def broken_links(site: Path) -> list[str]:
    """Return one line for each broken link of the pages below ``site``, with its page."""
    pages = {path.resolve(): LexborHTMLParser(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    anchors = {path: {str(node.attributes["id"]) for node in tree.css("[id]")} for path, tree in pages.items()}
    found: list[str] = []
    for path, tree in pages.items():
        where = path.relative_to(site.resolve())
        for node in tree.css("[href], [src]"):
            loaded = _LOADED.get(str(node.tag))
            url = node.attributes.get("href") or node.attributes.get("src") or ""
            parts = urlsplit(url)
            if parts.scheme == "data" or node.attributes.get("rel") == "canonical":
                continue
            if parts.scheme or parts.netloc:
                if loaded and node.attributes.get(loaded):
                    found.append(f"{where}: loads {url} from the network")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                found.append(f"{where}: {url}: no such file")
            elif parts.fragment and target in anchors and unquote(parts.fragment) not in anchors[target]:
                found.append(f"{where}: {url}: no such anchor")
    return found


def main() -> int:
    site = Path(sys.argv[1])
    found = broken_links(site)
    count = len([*site.rglob("*.html")])
    sys.stdout.write("\n".join([*found, f"{count} pages, {len(found)} broken links"]) + "\n")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
