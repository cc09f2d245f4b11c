"""Lets ``from datagen import probe`` and ``import datagen.probe`` both mean something: the module can be called.

``datagen.probe`` and ``datagen.split`` are modules with many names, and at the same time verbs of the public API. A module set up here
is an ordinary module that, when called, calls its main function.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__dict__["__wrapped__"](*args, **kwargs)


def make_callable(module: str, function: Callable[..., Any]) -> None:
    """Make calls of ``module`` calls of ``function``; ``inspect.signature`` of the module shows the function's."""
    target = sys.modules[module]
    target.__class__ = _CallableModule
    target.__dict__["__wrapped__"] = function
