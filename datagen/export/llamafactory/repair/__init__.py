"""``validate --fix``: a repaired copy of a dataset file, with every change and every row left out named."""

from datagen.export.llamafactory.repair.copy import Change, Repair, repair

__all__ = ["Change", "Repair", "repair"]
