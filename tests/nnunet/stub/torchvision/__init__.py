"""Stands for torchvision where there is none: timm, which nnU-Net imports, asks for names of it.

Any of its modules can be imported and any name taken from them; none of them does anything.
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, name, path, target=None):
        return ModuleSpec(name, self, is_package=True) if name.startswith("torchvision.") else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__getattr__ = _nothing


class _Anything(type):
    """A class of which any attribute can be asked for, as of an enumeration; it is its name."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name


def _nothing(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _Anything(name, (), {})


__getattr__ = _nothing
sys.meta_path.append(_Finder())
