"""The runner's note on a stage under way, in the visitor's language.

A note is one line of parts, ``yield 80% · 40 requests (12.3/s) · 9123 tokens · $0.0123 · truncated 3``, written for a terminal by
:func:`datagen.generate.funnel.note` and by the probe. A part that no pattern knows is shown as it is: a part is never lost.
"""

import re

from datagen.schemas.document import Language
from datagen.ui.words import flag_word, word

SEPARATOR = " · "
_PARTS: tuple[tuple[str, str], ...] = (
    (r"yield (?P<share>\d+%)", "note_yield"),
    (r"(?P<n>\d+) requests \((?P<rate>[\d.]+)/s\)", "note_requests_rate"),
    (r"(?P<n>\d+) requests", "note_requests"),
    (r"(?P<n>\d+) tokens", "note_tokens"),
    (r"\$(?P<paid>[\d.]+) of about \$(?P<all>[\d.]+)", "note_paid_of"),
    (r"\$(?P<paid>[\d.]+)", "note_paid"),
    (r"slowest: (?P<strategy>.+) (?P<s>[\d.]+) s a passage", "note_slowest"),
    (r"about (?P<s>\d+) s left", "note_left"),
    (r"loading (?P<model>.+)", "note_loading"),
    (r"scoring the untrained model", "note_untrained"),
    (r"scoring preferences with the untrained model \((?P<name>.+)\)", "note_preferences"),
    (r"training (?P<arm>\w+), seed (?P<seed>\d+) of (?P<seeds>\d+)", "note_training"),
    (r"(?P<arm>\w+), seed (?P<seed>\d+) of (?P<seeds>\d+) done", "note_trained"),
    (r"verdict", "note_verdict"),
    (r"(?P<n>\d+) runs on (?P<engine>\w+)", "note_runs"),
)
_REASONS = re.compile(r"[a-z_]+ \d+(, [a-z_]+ \d+)*")


def told(note: str, language: Language) -> str:
    """Return the note in words of ``language``."""
    return SEPARATOR.join(_part(part, language) for part in note.split(SEPARATOR) if part)


def gives_time_left(note: str) -> bool:
    """Say whether the note tells the time left itself; the probe knows it better than the page, which sees only its steps."""
    return any(re.fullmatch(r"about \d+ s left", part) for part in note.split(SEPARATOR))


def _part(part: str, language: Language) -> str:
    for pattern, key in _PARTS:
        if found := re.fullmatch(pattern, part):
            return word(key, language, **found.groupdict())
    if _REASONS.fullmatch(part):
        pairs = [entry.rsplit(" ", 1) for entry in part.split(", ")]
        return ("、" if language == "zh" else ", ").join(f"{flag_word(reason, language)} {n}" for reason, n in pairs)
    return part
