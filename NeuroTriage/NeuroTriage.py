"""NeuroTriage in Slicer: the four classes that Slicer expects. The panel itself is in NeuroTriagePanel."""

import os
from enum import Enum

import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class NeuroTriage(ScriptedLoadableModule):
    """What Slicer's module list and help say."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("NeuroTriage")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Neuro")]
        self.parent.dependencies = ["Segmentations", "Volumes", "Markups", "Tables", "SubjectHierarchy"]
        self.parent.contributors = ["The NeuroTriage contributors"]
        self.parent.helpText = _(
            "Looks for intracranial hemorrhage on a non-contrast head CT: where it is, how much, how sure, and what"
            " ABC/2 would have said. Choose a volume and press Run. A brain MRI (abnormal, acute infarct, acute"
            " hemorrhage, mass effect) is read as a whole study, from disk or from the DICOM database. The work is done"
            " in a process of its own on this computer, and nothing leaves it. Research software. Not for diagnosis."
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)
        self.parent.acknowledgementText = _(
            "The networks follow Kuo et al., PNAS 2019; Chang et al., AJNR 2018; Ye et al., European Radiology 2019;"
            " and Nael et al., Scientific Reports 2021. They were trained on simulated exams only."
        )

    def onStartupCompleted(self):
        """Slicer is up: offer the sample and the settings page."""
        from NeuroTriagePanel import sample_data, settings_page

        sample_data.register(os.path.join(os.path.dirname(self.parent.path), "Resources", "Icons", "NeuroTriage.png"))
        if not slicer.app.commandOptions().noMainWindow:
            settings_page.add_settings_page()


class Device(Enum):
    """Where the network runs; the value is the worker's word."""

    AUTOMATIC = "auto"
    CPU = "cpu"
    GPU = "cuda"

    def label(self):
        """What the selector shows."""
        return {"auto": _("Automatic"), "cpu": _("CPU"), "cuda": _("GPU (CUDA)")}[self.value]


@parameterNodeWrapper
class NeuroTriageParameterNode:
    """The user's choices, saved with the scene."""

    inputVolume: vtkMRMLScalarVolumeNode
    device: Device = Device.AUTOMATIC
    outlineShown: bool = True
    fillOpacity: float = 35.0
    heatmapOpacity: float = 60.0


class NeuroTriageWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.panel = self.ui = None
        self._parameterNode = self._parameterNodeGuiTag = None
        self._imported = False

    def setup(self):
        """Called when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        from NeuroTriagePanel.panel_widget import PanelWidget

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/NeuroTriage.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = NeuroTriageLogic()
        self.panel = PanelWidget(uiWidget, self.ui, self.resourcePath("requirements.txt"))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndBatchProcessEvent, self.onSceneEndBatchProcess)
        self.initializeParameterNode()

    def cleanup(self):
        """Called when the application closes or the module is reloaded."""
        self.setParameterNode(None)
        self.removeObservers()
        self.panel.close()

    def enter(self):
        """Called each time the user opens this module."""
        self.initializeParameterNode()
        self.panel.enter()

    def exit(self):
        """Called each time the user opens a different module; a run goes on."""
        self.panel.leave()
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        """The nodes are about to go."""
        self.setParameterNode(None)
        self.panel.forget_scene()

    def onSceneEndClose(self, caller, event):
        """A new, empty scene."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneStartImport(self, caller, event):
        """Nodes come one by one: what the selector shows meanwhile must not replace what the scene has kept."""
        self.setParameterNode(None)

    def onSceneEndImport(self, caller, event):
        """A scene was opened or added; selectors learn of its nodes when the batch ends, after this event."""
        self._imported = True

    def onSceneEndBatchProcess(self, caller, event):
        """After an import the reviews that the scene keeps come back."""
        if not self._imported or slicer.mrmlScene.IsBatchProcessing():
            return
        self._imported = False
        if self.parent.isEntered:
            self.initializeParameterNode()
            self.panel.look_again()

    def initializeParameterNode(self):
        """Take the scene's parameter node and propose the active volume."""
        from NeuroTriagePanel.panel_widget import active_volume

        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            volume = active_volume()
            if volume:
                self._parameterNode.inputVolume = volume

    def setParameterNode(self, parameterNode):
        """Follow this parameter node (None: follow none)."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.panel.update)
        self._parameterNode = parameterNode
        if parameterNode is not None:
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.panel.update)
            self.panel.use_parameters(parameterNode)


class NeuroTriageLogic(ScriptedLoadableModuleLogic):
    """The parameters, for the panel and for scripts."""

    def getParameterNode(self):
        """The user's choices."""
        return NeuroTriageParameterNode(super().getParameterNode())

    def read(self, volumeNode, system=None, device="auto", model=None, acceptUnfamiliar=False):
        """Read a volume and wait for the answer; works without a main window.

        Returns a NeuroTriagePanel.review.Review: its result has the findings, its nodes show them in the scene.
        See docs/scripting.md. Raises NeuroTriageLib.core.errors.NeuroTriageError.
        """
        from NeuroTriagePanel.exam_run import RunChoices
        from NeuroTriagePanel.scripting import read_volume

        return read_volume(volumeNode, RunChoices(system, device, model, acceptUnfamiliar))

    def reviews(self):
        """Every review that the scene keeps."""
        from NeuroTriagePanel.review_node import restore, review_nodes

        return [restore(node) for node in review_nodes()]


class NeuroTriageTest(ScriptedLoadableModuleTest):
    """What "Reload and Test" runs inside Slicer: a made volume goes through the scene bridge and back."""

    def setUp(self):
        """Start with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run every test."""
        self.setUp()
        self.test_a_volume_leaves_the_scene_with_its_geometry()

    def test_a_volume_leaves_the_scene_with_its_geometry(self):
        """Voxel (1, 2, 3) of a known grid is where it should be."""
        import numpy as np

        from NeuroTriagePanel.scene_bridge import volume_from_node

        ijkToRas = np.diag([-0.5, -0.5, 5.0, 1.0])
        node = slicer.util.addVolumeFromArray(np.zeros((4, 6, 8), np.int16), ijkToRas, "Head CT")
        volume = volume_from_node(node)
        self.assertTrue(np.allclose(volume.grid.voxel_to_lps(np.array([1.0, 2.0, 3.0])), [0.5, 1.0, 15.0]))
        self.delayDisplay("Test passed")
