"""LLM strategies, one file each: prompts, forms, and what makes a row of an answer; opened by ``generate.opening`` from their specs."""

from datagen.generate.extractive import Extractive
from datagen.generate.strategies.active_reading import ActiveReading
from datagen.generate.strategies.back_translation import BackTranslation
from datagen.generate.strategies.evolve import Evolve
from datagen.generate.strategies.feedback import Feedback
from datagen.generate.strategies.multi_chunk import MultiChunk
from datagen.generate.strategies.multi_turn import MultiTurn
from datagen.generate.strategies.paraphrase import Paraphrase
from datagen.generate.strategies.passage import Passage
from datagen.generate.strategies.persona import Persona
from datagen.generate.strategies.preference import Preference
from datagen.generate.strategies.qa import QA
from datagen.generate.strategies.self_instruct import SelfInstruct
from datagen.generate.strategies.span_question import SpanQuestion
from datagen.generate.strategies.two_step_qa import TwoStepQA
from datagen.generate.strategies.unanswerable import Unanswerable

__all__ = [
    "QA",
    "ActiveReading",
    "BackTranslation",
    "Evolve",
    "Extractive",
    "Feedback",
    "MultiChunk",
    "MultiTurn",
    "Paraphrase",
    "Passage",
    "Persona",
    "Preference",
    "SelfInstruct",
    "SpanQuestion",
    "TwoStepQA",
    "Unanswerable",
]
