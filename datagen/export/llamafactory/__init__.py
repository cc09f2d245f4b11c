"""LLaMA-Factory 0.9.5: registering datasets, predicting what it does with them, and its training configuration."""

from datagen.export.llamafactory.registry.register import Registration, register
from datagen.export.llamafactory.rules.check import Finding, Report
from datagen.export.llamafactory.rules.validate import validate
from datagen.export.llamafactory.templates.choose import Template, choose_template
from datagen.export.recipes.llamafactory import train_command, train_yaml

__all__ = ["Finding", "Registration", "Report", "Template", "choose_template", "register", "train_command", "train_yaml", "validate"]
