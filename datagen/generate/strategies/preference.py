"""``preference``: a question with a grounded answer (chosen) and one proved wrong against the same evidence (rejected), for DPO.

Starts from the rows of ``qa``, or without a model from those of ``extractive``. The rejected answer differs in one number, unit or place
(``contrast``): it teaches what the documents say, not a tone. Each row has the score ``length_ratio`` (rejected over chosen, characters)
and the tag ``rejection`` (``number``, ``unit``, ``span``). With ``rejected: probe_model`` a small local model writes the rejected answers
without the source, and those that the evidence refutes are kept (``rejecting``; tag ``probe_model``). Reasons beside the base's:
``no_provable_rejection``, ``not_one_turn``, those of ``rejecting``.

Source: R. Rafailov et al., "Direct preference optimization", NeurIPS 2023 (arXiv 2305.18290); wrong answers by entity substitution as in
S. Longpre et al., "Entity-based knowledge conflicts in question answering", EMNLP 2021 (arXiv 2109.05052); length as a shortcut: R. Park et
al., "Disentangling length from quality in direct preference optimization", 2024 (arXiv 2403.19159).
"""

from datagen.generate.contrast import Wrong, length_ratio
from datagen.generate.contrasting import Contrasting
from datagen.schemas.record import Message, PreferenceRecord
from datagen.schemas.sample import Sample


class Preference(Contrasting):
    """The strategy (see the module)."""

    name = "preference"

    def contrast(self, sample: Sample, question: Message, answer: Message, wrong: Wrong | None) -> list[Sample]:
        """Return the pair, or nothing where no answer can be proved wrong."""
        if wrong is None:
            return []
        rejected = Message(role="assistant", content=wrong.text)
        made = self.derived(sample, PreferenceRecord(prompt=(question,), chosen=answer, rejected=rejected), rejection=wrong.way)
        return [made.model_copy(update={"scores": {"length_ratio": length_ratio(wrong.text, answer.content)}})]
