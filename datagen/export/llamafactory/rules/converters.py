"""The converter of each formatting that LLaMA-Factory 0.9.5 knows."""

from collections.abc import Callable

from datagen.export.llamafactory.registry.entry import Entry
from datagen.export.llamafactory.rules.align import Aligned, align_alpaca, align_sharegpt
from datagen.export.llamafactory.rules.align_openai import align_openai
from datagen.jsonl import JsonObject

_CONVERTERS = {"alpaca": align_alpaca, "sharegpt": align_sharegpt, "openai": align_openai}


def converter_of(entry: Entry) -> Callable[[JsonObject, Entry], Aligned] | None:
    """Return the converter for an entry's formatting; None if LLaMA-Factory has none by that name."""
    return _CONVERTERS.get(str(entry.formatting))
