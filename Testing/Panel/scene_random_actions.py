"""A hundred random actions in random order, several seeds: no error, no leaked observer, no lost version."""

from __future__ import annotations

import gc
import random
from pathlib import Path

import numpy as np
import qt
import slicer

import made_exams
from NeuroTriageLib.review.store import ReviewStore
from NeuroTriagePanel.midline_nodes import part
from NeuroTriagePanel.result_nodes import add_ct_node
from NeuroTriagePanel.review import Review
from panel_on_host import panel, run_to_end, settle
from strokes import stroke

ACTIONS_PER_SEED = 100
CODES = ("any", "IPH", "IVH", "SDH", "EDH", "SAH")
GRIDS = tuple(made_exams.GRIDS)


class Hand:
    """A user who does anything that the panel offers at that moment.

    Args:
        widget: the module's widget.
        seed: of the order.
    """

    def __init__(self, widget, seed: int) -> None:
        self.widget, self.dice = widget, random.Random(seed)
        self.done: list[str] = []
        self.saved = 0

    def act(self) -> None:
        name = self.dice.choice([name for name in dir(self) if name.startswith("do_")])
        self.done.append(name)
        getattr(self, name)()
        settle(self.widget)

    def click(self, name: str) -> None:
        button = getattr(self.widget.ui, name)
        if button.visible and button.enabled:
            button.click()

    def do_run(self) -> None:
        if self.widget._parameterNode.inputVolume is not None and self.dice.random() < 0.3:
            run_to_end(self.widget)

    def do_select(self) -> None:
        code = self.dice.choice(CODES)
        self.widget.panel.findings.table.select(code)
        table = self.widget.ui.findingsTable
        if table.currentRow() >= 0:
            table.cellClicked.emit(table.currentRow(), 0)

    def do_accept(self) -> None:
        self.click("acceptButton")

    def do_reject(self) -> None:
        self.click("rejectButton")

    def do_edit(self) -> None:
        self.click("editButton")

    def do_paint(self) -> None:
        if self.widget.panel.edit.bound:
            mask = np.zeros(made_exams.SHAPE_KJI, bool)
            k, j, i = (self.dice.randrange(n - 4) for n in made_exams.SHAPE_KJI)
            mask[k : k + 3, j : j + 4, i : i + 4] = True
            stroke(self.widget.ui.segmentEditor, mask, erase=self.dice.random() < 0.3)

    def do_undo(self) -> None:
        self.click("undoButton")

    def do_redo(self) -> None:
        self.click("redoButton")

    def do_discard(self) -> None:
        if self.dice.random() < 0.3:
            self.click("discardEditButton")

    def do_threshold(self) -> None:
        self.widget.ui.thresholdSlider.value = self.dice.randrange(0, 101)

    def do_pixel_threshold(self) -> None:
        self.widget.ui.pixelSlider.value = self.dice.randrange(10, 100)

    def do_reset(self) -> None:
        self.click("resetThresholdsButton")

    def do_heatmap(self) -> None:
        selector = self.widget.ui.heatmapSelector
        selector.currentIndex = self.dice.randrange(max(selector.count, 1))

    def do_window(self) -> None:
        self.widget.panel.view.next_window()

    def do_mask(self) -> None:
        self.widget.panel.view.toggle_mask()

    def do_boxes(self) -> None:
        self.widget.ui.regionsCheckBox.checked = not self.widget.ui.regionsCheckBox.checked

    def do_lines(self) -> None:
        self.widget.ui.linesCheckBox.checked = not self.widget.ui.linesCheckBox.checked

    def do_drag(self) -> None:
        review = self.widget.panel.review
        if review is not None and review.nodes.lines:
            node = self.dice.choice(review.nodes.lines)
            node.SetNthControlPointPositionWorld(1, *(self.dice.uniform(-30, 30) for _ in range(3)))

    def do_propose(self) -> None:
        self.click("proposeButton")

    def do_midline(self) -> None:
        self.click("midlinePlaceButton")

    def do_midline_point(self) -> None:
        review = self.widget.panel.review
        node = part(review.nodes.midline, "points") if review is not None else None
        if node is not None:
            place = (self.dice.uniform(-80, 80) for _ in range(3))
            node.SetNthControlPointPositionWorld(self.dice.randrange(3), *place)

    def do_midline_jump(self) -> None:
        self.click("midlineJumpButton")

    def do_midline_remove(self) -> None:
        self.click("midlineRemoveButton")

    def do_remove_a_midline_node(self) -> None:
        review = self.widget.panel.review
        here = [node for node in review.nodes.midline if slicer.mrmlScene.IsNodePresent(node)] if review else []
        if here and self.dice.random() < 0.3:
            slicer.mrmlScene.RemoveNode(self.dice.choice(here))

    def do_prior(self) -> None:
        nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        self.widget.ui.priorSelector.setCurrentNode(self.dice.choice([None, *nodes]))

    def do_save(self) -> None:
        if self.widget.panel.review is not None:
            name = self.dice.choice(("saveDraftButton", "approveButton", "flagButton"))
            getattr(self.widget.ui, name).click()
            self.saved += self.widget.ui.signLabel.text.startswith("Version")

    def do_version(self) -> None:
        selector = self.widget.ui.versionSelector
        if self.widget.panel.review is not None and selector.enabled:
            selector.activated.emit(self.dice.randrange(selector.count))

    def do_reader(self) -> None:
        self.widget.ui.readerEdit.text = self.dice.choice(("AB", "CD"))
        self.widget.ui.readerEdit.editingFinished.emit()

    def do_blind(self) -> None:
        self.widget.ui.blindCheckBox.checked = self.dice.random() < 0.5

    def do_agreement(self) -> None:
        self.click("agreementButton")

    def do_report(self) -> None:
        if self.widget.panel.review is not None:
            self.widget.ui.copyReportButton.click()

    def do_leave(self) -> None:
        self.widget.exit()
        qt.QApplication.processEvents()
        self.widget.enter()

    def do_other_volume(self) -> None:
        nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        cts = [node for node in nodes if not node.GetAttribute("NeuroTriage.heatmap_of")]
        if len(cts) < 3:
            cts.append(add_ct_node(made_exams.volume(made_exams.GRIDS[self.dice.choice(GRIDS)])))
        self.widget.ui.inputSelector.setCurrentNode(self.dice.choice(cts))

    def do_remove_a_line(self) -> None:
        review = self.widget.panel.review
        if review is not None and review.nodes.lines and self.dice.random() < 0.2:
            slicer.mrmlScene.RemoveNode(self.dice.choice(review.nodes.lines))


def living_reviews() -> int:
    """Reviews that something still holds on to: an observer that was not removed holds its review."""
    qt.QApplication.processEvents()
    gc.collect()
    return sum(isinstance(thing, Review) for thing in gc.get_objects())


def hundred_actions(seed: int, folder: Path) -> None:
    widget = panel("weighed")
    widget.ui.storePath.currentPath = str(folder / "reviews")
    widget.ui.readerEdit.text = "AB"
    widget.ui.readerEdit.editingFinished.emit()
    run_to_end(widget)
    hand = Hand(widget, seed)
    for _ in range(ACTIONS_PER_SEED):
        hand.act()
    store = ReviewStore.open(folder / "reviews")
    kept = [version for case in store.cases() for version in store.versions(case) if version.kind == "reader"]
    assert len(kept) == hand.saved, hand.done
    for case in store.cases():
        for version in store.versions(case):
            store.label(case, version.number)  # its SHA-256 is checked
    widget.panel.show_review(None)
    assert widget.panel.measure._observed == [] and widget.panel.midline._observed == []
    assert living_reviews() == 0, "an observer of a node that is still in the scene keeps a review alive"
    slicer.mrmlScene.Clear(False)
    qt.QApplication.processEvents()


def test_a_hundred_actions_with_seed_1(tmp_path):
    hundred_actions(1, tmp_path)


def test_a_hundred_actions_with_seed_2(tmp_path):
    hundred_actions(2, tmp_path)


def test_a_hundred_actions_with_seed_3(tmp_path):
    hundred_actions(3, tmp_path)
