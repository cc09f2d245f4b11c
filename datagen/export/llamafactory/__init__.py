"""LLaMA-Factory 0.9.5: registering datasets, predicting what it does with them, repairing them, and its training configuration."""

from datagen.export.findings import Finding
from datagen.export.llamafactory.doctor import check_data_dir
from datagen.export.llamafactory.registry.listing import Registered, Unregistered, list_registered, unregister
from datagen.export.llamafactory.registry.register import Registration, register
from datagen.export.llamafactory.repair import Repair, repair
from datagen.export.llamafactory.rules.check import Report
from datagen.export.llamafactory.rules.validate import validate
from datagen.export.llamafactory.templates.choose import Template, choose_template
from datagen.export.recipes.llamafactory import train_command, train_yaml

__all__ = [
    "Finding",
    "Registered",
    "Registration",
    "Repair",
    "Report",
    "Template",
    "Unregistered",
    "check_data_dir",
    "choose_template",
    "list_registered",
    "register",
    "repair",
    "train_command",
    "train_yaml",
    "unregister",
    "validate",
]
