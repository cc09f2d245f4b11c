"""LLaMA-Factory 0.9.5: registering datasets, predicting what it does with them, and its training configuration."""

from datagen.export.llamafactory.recipes import train_command, train_yaml
from datagen.export.llamafactory.register import Registration, register
from datagen.export.llamafactory.rules import Finding, Report
from datagen.export.llamafactory.templates import Template, choose_template
from datagen.export.llamafactory.validate import validate

__all__ = ["Finding", "Registration", "Report", "Template", "choose_template", "register", "train_command", "train_yaml", "validate"]
