"""One visit: the person's language, theme and name, kept in cookies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

from datagen.schemas.document import Language
from datagen.ui.words import flag_word, word

Theme = Literal["auto", "light", "dark"]
LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page and how; ``query`` holds the URL's parameters."""

    language: Language
    theme: Theme
    name: str
    path: str
    query: Mapping[str, str]

    @classmethod
    def of(cls, cookies: Mapping[str, str], accept_language: str, path: str, query: Mapping[str, str]) -> "Visitor":
        """Read the cookies; without one, the language the browser asks for first."""
        wanted = cookies.get("datagen_lang") or accept_language[:2]
        theme = cookies.get("datagen_theme")
        return cls(
            "zh" if wanted == "zh" else "en",
            "dark" if theme == "dark" else "light" if theme == "light" else "auto",
            unquote(cookies.get("datagen_name", ""))[:LONGEST_NAME],
            path,
            query,
        )

    def w(self, key: str, **values: object) -> str:
        """Return words in the visitor's language."""
        return word(key, self.language, **values)

    def flag(self, flag: str) -> str:
        """Return a suspicion or drop reason in the visitor's language."""
        return flag_word(flag, self.language)


def cookies_of(query: Mapping[str, str]) -> dict[str, str]:
    """Return the cookies that a settings link asks for; anything unknown is ignored."""
    cookies: dict[str, str] = {}
    if query.get("lang") in ("zh", "en"):
        cookies["datagen_lang"] = query["lang"]
    if query.get("theme") in ("auto", "light", "dark"):
        cookies["datagen_theme"] = query["theme"]
    if "name" in query:
        cookies["datagen_name"] = quote(query["name"].strip()[:LONGEST_NAME])
    return cookies
