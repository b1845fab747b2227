"""INSTANCE 2022: head CT with masks of hemorrhage without types.

Layout: train_2/data/NNN.nii.gz and train_2/label/NNN.nii.gz of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.codes import ANY
from .dataset import CheckReport, DatasetCard, grouped, report
from .folder_files import by_stem, find_root
from .images import pair_faults, read_ct, read_label
from .labelled_case import Case, LabelledCt


class Instance2022:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="instance2022",
        title="INSTANCE 2022",
        modality="CT",
        labels=("masks without types",),
        licence="the challenge's signed agreement: research only, not to be passed on",
        citation="Li X, Luo G, Wang K, et al. The state-of-the-art 3D anisotropic intracranial hemorrhage segmentation "
        "on non-contrast head CT: The INSTANCE challenge. arXiv:2301.03281",
        source="https://instance.grand-challenge.org",
        cases=100,
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        images, masks = self._files(path)
        faults = [("Images without a mask", name) for name in sorted(images.keys() - masks.keys())]
        faults += [("Masks without an image", name) for name in sorted(masks.keys() - images.keys())]
        for name in sorted(images.keys() & masks.keys()):
            faults += pair_faults(images[name], masks[name], name)
        return report(self.card, list(self.cases(path)), grouped(faults))

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset."""
        images, masks = self._files(path)
        for name in sorted(images.keys() & masks.keys()):
            yield Case(f"instance2022/{name}", f"instance2022:{name}", _reader(images[name], masks[name]))

    def _files(self, path: Path) -> tuple[dict[str, Path], dict[str, Path]]:
        root = find_root(path, ("data", "label"), self.card.title)
        return by_stem(root / "data"), by_stem(root / "label")


def _reader(image: Path, mask: Path) -> Callable[[], LabelledCt]:
    def read() -> LabelledCt:
        volume = read_ct(image)
        return LabelledCt(volume, read_label(mask, volume.grid, {1: ANY}))

    return read
