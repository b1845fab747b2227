"""The Python packages of the Slicer application that slicer-core does not ship, as far as the module uses them."""

from __future__ import annotations

import sys
import types
import typing
import unittest
from pathlib import Path

import slicer
from slicer.util import VTKObservationMixin  # noqa: F401  (part of the layer in slicer-core)

from .parameter_node import parameterNodeWrapper


class ScriptedLoadableModule:
    """The module's description."""

    def __init__(self, parent) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedLoadableModuleWidget:
    """The module's panel; parent is the widget that Slicer lays it into."""

    def __init__(self, parent) -> None:
        self.parent = parent
        self.layout = parent.layout()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False

    def setup(self) -> None:
        pass

    def resourcePath(self, name: str) -> str:
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / name)


class ScriptedLoadableModuleLogic:
    """The module's logic; its parameters live in one singleton node."""

    def __init__(self, parent=None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The test that developers start from the module's panel."""

    def runTest(self) -> None:
        pass

    def delayDisplay(self, message: str, msec: int | None = None) -> None:
        print(message)


def install() -> None:
    """Make slicer.ScriptedLoadableModule, slicer.parameterNodeWrapper and slicer.i18n importable."""
    bases = (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    )
    _add("ScriptedLoadableModule", **{cls.__name__: cls for cls in bases})
    _add("parameterNodeWrapper", parameterNodeWrapper=parameterNodeWrapper)
    _add("i18n", tr=lambda text: text, translate=lambda context, text: text)
    _add(
        "packaging", load_requirements=_load_requirements, pip_ensure=_refuse_to_install, pip_install=_refuse_to_install
    )
    sample_data = types.ModuleType("SampleData")
    sample_data.SampleDataLogic = SampleDataLogic
    sys.modules["SampleData"] = sample_data


class SampleDataLogic:
    """The Sample Data module's registry; strict about what a source must have."""

    sources: typing.ClassVar[dict[tuple[str, str], typing.Callable]] = {}

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,  # noqa: N803
        uris=None,
        fileNames=None,  # noqa: N803
        nodeNames=None,  # noqa: N803
        customDownloader=None,  # noqa: N803
        thumbnailFileName=None,  # noqa: N803
        loadFileType="VolumeFile",  # noqa: N803
        loadFiles=None,  # noqa: N803
        loadFileProperties=None,  # noqa: N803
        checksums=None,
    ) -> None:
        if uris is None or fileNames is None:  # Slicer counts them, also for a source that loads itself
            raise TypeError("A sample data source needs an address and a file name.")
        SampleDataLogic.sources[category, sampleName] = customDownloader


def _add(name: str, **content) -> None:
    module = types.ModuleType(f"slicer.{name}")
    vars(module).update(content)
    module.__all__ = list(content)
    sys.modules[module.__name__] = module
    setattr(slicer, name, module)


def _load_requirements(path) -> list[str]:
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _refuse_to_install(requirements, **options) -> None:
    """As inside Slicer under --testing: nothing is installed."""
