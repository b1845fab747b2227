"""ATLAS v2.0: T1 images after stroke on the MNI template's grid, with masks of the lesion.

Layout: ATLAS_2/Training/R001/sub-r001s001/ses-1/anat/*_space-MNI152NLin2009aSym_T1w.nii.gz and
*_space-MNI152NLin2009aSym_label-L_desc-T1lesion_mask.nii.gz. The folder Testing has no masks. Most lesions are old: an
acute infarct is not what the mask means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.codes import ABNORMAL
from .dataset import CheckReport, DatasetCard, grouped, report
from .folder_files import find_root
from .images import pair_faults, read_mask, read_mr
from .labelled_case import Case, LabelledMr

SPACE = "_space-MNI152NLin2009aSym"
IMAGE, MASK = f"{SPACE}_T1w.nii.gz", f"{SPACE}_label-L_desc-T1lesion_mask.nii.gz"
LESION = "stroke_lesion"


class Atlas2:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="atlas2",
        title="ATLAS v2.0",
        modality="MR",
        labels=("masks",),
        licence="the data use agreement signed for the download: research only, not to be passed on",
        citation="Liew SL, Lo BP, Donnelly MR, et al. A large, curated, open-source stroke neuroimaging dataset to "
        "improve lesion segmentation algorithms. Sci Data 2022;9:320. doi:10.1038/s41597-022-01401-7",
        source="http://fcon_1000.projects.nitrc.org/indi/retro/atlas.html",
        cases=655,
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        faults = []
        for name, (image, mask) in self._files(path).items():
            faults += [("The image is missing", name)] if image is None else []
            faults += [("The mask is missing", name)] if mask is None else []
            if image is not None and mask is not None:
                faults += pair_faults(image, mask, name)
        return report(self.card, list(self.cases(path)), grouped(faults))

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset: one case per session."""
        for name, (image, mask) in self._files(path).items():
            if image is not None and mask is not None:
                yield Case(f"atlas2/{name}", f"atlas2:{name.partition('_')[0]}", _reader(image, mask))

    def _files(self, path: Path) -> dict[str, tuple[Path | None, Path | None]]:
        """sub-..._ses-... -> its image and its mask."""
        root = find_root(path, ("Training",), self.card.title)
        files = {}
        for folder in sorted(root.glob("Training/*/sub-*/ses-*/anat")):
            name = f"{folder.parents[1].name}_{folder.parent.name}"
            pair = [folder / f"{name}{ending}" for ending in (IMAGE, MASK)]
            image, mask = (item if item.exists() or item.is_symlink() else None for item in pair)
            files[name] = (image, mask)
        return files


def _reader(image: Path, mask: Path) -> Callable[[], LabelledMr]:
    def read() -> LabelledMr:
        t1 = read_mr(image, "T1")
        lesion = read_mask(mask, t1.volume.grid)
        return LabelledMr({"T1": t1}, {"T1": {LESION: lesion}}, {ABNORMAL: True})  # all have had a stroke

    return read
