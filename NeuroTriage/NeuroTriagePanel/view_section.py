"""The section View: outline and fill, heatmap of one's choice, windows, 3D on demand, a detector's boxes."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from .layout_keeper import LayoutKeeper
from .region_nodes import REGIONS_ATTRIBUTE, REJECTED, set_regions_visible
from .result_nodes import HEATMAP_ATTRIBUTE
from .review import Review
from .slice_views import WINDOW_PRESETS_HU, set_window, show_heatmap

_HEATMAP_NAMES = {
    "kuo2019": "Kuo 2019: probability of each voxel",
    "chang2018": "Chang 2018: mask probability x confidence",
    "ye2019": "Ye 2019: Grad-CAM, where the network looked",
    "consensus": "Consensus: mean of those that outline",
    "nael2021": "Nael 2021: where the networks see the findings",
}


class ViewSection:
    """Brings viewSection to life.

    Args:
        ui: the widgets by name.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._review: Review | None = None
        self._heatmap_ids: list[str | None] = [None]
        self._window = "brain"
        self.layout = LayoutKeeper()
        for name in WINDOW_PRESETS_HU:
            getattr(ui, f"{name}Button").connect("clicked(bool)", lambda checked, name=name: self.set_window(name))
        ui.outlineCheckBox.connect("toggled(bool)", self.apply)
        ui.fillSlider.connect("valueChanged(double)", self.apply)
        ui.heatmapSelector.connect("currentIndexChanged(int)", self.apply)
        ui.heatmapSlider.connect("valueChanged(double)", self.apply)
        ui.surfaceCheckBox.connect("toggled(bool)", self._on_surface)
        ui.regionsCheckBox.connect("toggled(bool)", self._on_regions)
        ui.rejectedCheckBox.connect("toggled(bool)", self._on_regions)

    def use(self, review: Review | None) -> None:
        """Show this review, or nothing; the heatmap is off until it is chosen."""
        ui = self._ui
        for box in (ui.surfaceCheckBox, ui.regionsCheckBox, ui.rejectedCheckBox):
            box.checked = False  # of the exam before
        self._review = review
        self._fill_heatmaps()
        ui.viewSection.visible = review is not None
        if review is None:
            return
        for name in WINDOW_PRESETS_HU:  # Hounsfield units: an MR signal has none
            getattr(ui, f"{name}Button").enabled = not review.result.contrast
        regions = review.nodes.regions
        rejected = [node for node in regions if node.GetAttribute(REGIONS_ATTRIBUTE) == REJECTED]
        ui.regionsCheckBox.visible = len(regions) > len(rejected)
        ui.rejectedCheckBox.visible = bool(rejected)
        review.mask_changed.add(self.apply)
        self.apply()

    def apply(self) -> None:
        """Draw mask and heatmap as the widgets say."""
        review, ui = self._review, self._ui
        if review is None or not slicer.mrmlScene.IsNodePresent(review.nodes.ct):
            return
        node = review.mask.node
        if node is not None and node.GetDisplayNode() is not None:
            display = node.GetDisplayNode()
            display.SetVisibility2DOutline(ui.outlineCheckBox.checked)
            display.SetVisibility2DFill(ui.fillSlider.value > 0)
            display.SetOpacity2DFill(ui.fillSlider.value / 100.0)
        index = max(ui.heatmapSelector.currentIndex, 0)
        heatmap_id = self._heatmap_ids[index] if index < len(self._heatmap_ids) else None
        ui.heatmapSlider.enabled = heatmap_id is not None
        heatmap = slicer.mrmlScene.GetNodeByID(heatmap_id) if heatmap_id else None
        show_heatmap(heatmap, ui.heatmapSlider.value / 100.0)

    def toggle_heatmap(self) -> None:
        """Off, or the first one."""
        selector = self._ui.heatmapSelector
        selector.currentIndex = 0 if selector.currentIndex > 0 else min(1, selector.count - 1)

    def toggle_mask(self) -> None:
        """Hide the mask to see what lies below it, and show it again."""
        node = None if self._review is None else self._review.mask.node
        if node is not None:
            node.GetDisplayNode().SetVisibility(not node.GetDisplayNode().GetVisibility())
            self._review.decided.tell()

    def set_window(self, preset: str) -> None:
        """Show the CT through this window."""
        self._window = preset
        if self._review is not None and not self._review.result.contrast:
            set_window(self._review.nodes.ct, preset)

    def next_window(self) -> None:
        """Brain, subdural, bone, stroke, brain, ..."""
        names = list(WINDOW_PRESETS_HU)
        self.set_window(names[(names.index(self._window) + 1) % len(names)])

    def leave(self) -> None:
        """The module is left: the user's layout comes back."""
        self._ui.surfaceCheckBox.checked = False
        self.layout.restore()

    def _fill_heatmaps(self) -> None:
        selector = self._ui.heatmapSelector
        blocked = selector.blockSignals(True)
        selector.clear()
        selector.addItem(_("Off"))
        self._heatmap_ids = [None]
        for node in self._review.nodes.heatmaps if self._review is not None else ():
            system = node.GetAttribute(HEATMAP_ATTRIBUTE) or ""
            selector.addItem(_HEATMAP_NAMES.get(system, system))
            self._heatmap_ids.append(node.GetID())
        selector.currentIndex = 0
        selector.blockSignals(blocked)

    def _on_surface(self, shown: bool) -> None:
        node = None if self._review is None else self._review.mask.node
        if node is None or node.GetDisplayNode() is None:
            self.layout.restore()
            return
        if shown:
            node.CreateClosedSurfaceRepresentation()
            self.layout.show_with_3d()
        else:
            self.layout.restore()
        node.GetDisplayNode().SetVisibility3D(shown)

    def _on_regions(self) -> None:
        if self._review is not None:
            accepted, rejected = self._ui.regionsCheckBox.checked, self._ui.rejectedCheckBox.checked
            nodes = [node for node in self._review.nodes.regions if slicer.mrmlScene.IsNodePresent(node)]
            set_regions_visible(nodes, accepted=accepted, rejected=rejected)
