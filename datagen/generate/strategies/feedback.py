"""``feedback``: single answers labelled good (grounded) or bad (proved wrong against the evidence), for KTO.

Starts from the rows of ``qa``, or without a model from those of ``extractive``; each gives a good row and, where a wrong answer can be
proved wrong (``contrast``), a bad one, so that the labels are close to balanced. Tag ``rejection`` on bad rows. Reasons beside the base's:
``not_one_turn``.

Source: K. Ethayarajh et al., "KTO: Model alignment as prospect theoretic optimization", ICML 2024 (arXiv 2402.01306).
"""

from datagen.generate.contrast import Wrong
from datagen.generate.contrasting import Contrasting
from datagen.schemas.record import FeedbackRecord, Message
from datagen.schemas.sample import Sample


class Feedback(Contrasting):
    """The strategy (see the module)."""

    name = "feedback"

    def contrast(self, sample: Sample, question: Message, answer: Message, wrong: Wrong | None) -> list[Sample]:
        """Return a good row, then a bad one where a wrong answer can be proved wrong."""
        rows = [self.derived(sample, FeedbackRecord(prompt=(question,), completion=answer, label=True))]
        if wrong is not None:
            bad = FeedbackRecord(prompt=(question,), completion=Message(role="assistant", content=wrong.text), label=False)
            rows.append(self.derived(sample, bad, rejection=wrong.way))
        return rows
