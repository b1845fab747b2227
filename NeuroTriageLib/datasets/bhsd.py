"""BHSD: head CT with masks of five hemorrhage types, and two thousand more that are sorted by bleeding or not.

Layout: label_192/images, label_192/ground truths (with a space), unlabel_2000/anybleed, unlabel_2000/nobleed. The files
are ID_<patient>_ID_<study>.nii.gz after RSNA 2019, whose images they are: both data sets use the same pseudonyms. Some
downloads lack the suffix .nii.gz; nearly all headers have no sform, so the qform counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.codes import ANY
from .dataset import CheckReport, DatasetCard, grouped, report
from .folder_files import by_stem, find_root, nifti_fault
from .images import pair_faults, read_ct, read_label
from .labelled_case import Case, LabelledCt

CODES = {1: "EDH", 2: "IPH", 3: "IVH", 4: "SAH", 5: "SDH"}  # the data set's own label values
_NAME = re.compile(r"(ID_[0-9a-f]+)_ID_[0-9a-f]+")
_IMAGES, _MASKS = "label_192/images", "label_192/ground truths"
_SORTED = {"unlabel_2000/anybleed": True, "unlabel_2000/nobleed": False}


class Bhsd:
    """The data set; see the first lines of this file."""

    card = DatasetCard(
        name="bhsd",
        title="BHSD",
        modality="CT",
        labels=("masks", "exam labels"),
        licence="masks MIT; images those of RSNA 2019: non-commercial and academic research only",
        citation="Wu B, Xie Y, Zhang Z, et al. BHSD: A 3D Multi-Class Brain Hemorrhage Segmentation Dataset. "
        "MLMI 2023, LNCS 14348:147-156. doi:10.1007/978-3-031-45673-2_15",
        source="https://github.com/White65534/BHSD",
        cases=192,
    )

    def check(self, path: Path) -> CheckReport:
        """See dataset.Dataset."""
        root = self._root(path)
        images, masks = by_stem(root / _IMAGES), by_stem(root / _MASKS)
        faults = [("Images without a mask", name) for name in images.keys() - masks.keys()]
        faults += [("Masks without an image", name) for name in masks.keys() - images.keys()]
        for name in images.keys() & masks.keys():
            faults += pair_faults(images[name], masks[name], name)
        faults += [("Names that are not ID_<patient>_ID_<study>", name) for name in images if not _NAME.fullmatch(name)]
        warnings = []
        for folder in _SORTED:
            if not (root / folder).is_dir():
                warnings.append(f"The exams without masks are not here: {folder} (optional).")
            for name, file in by_stem(root / folder).items():
                faults += [(fault, name)] if (fault := nifti_fault(file)) else []
        masked = [case for case in self.cases(root) if case.name.startswith("bhsd/masks/")]
        found = report(self.card, masked, grouped(sorted(faults)), warnings)
        every = list(self.cases(root))
        return CheckReport(len(every), len({case.patient for case in every}), found.errors, found.warnings)

    def cases(self, path: Path) -> Iterator[Case]:
        """See dataset.Dataset: those with masks, then those that are sorted by bleeding or not."""
        root = self._root(path)
        images, masks = by_stem(root / _IMAGES), by_stem(root / _MASKS)
        for name in sorted(images.keys() & masks.keys()):
            yield Case(f"bhsd/masks/{name}", _patient(name), _reader(images[name], masks[name]))
        for folder, bleeding in _SORTED.items():
            for name, file in by_stem(root / folder).items():
                yield Case(f"bhsd/{Path(folder).name}/{name}", _patient(name), _sorted_reader(file, bleeding))

    def _root(self, path: Path) -> Path:
        return find_root(path, (_IMAGES, _MASKS), self.card.title)


def _patient(name: str) -> str:
    """RSNA 2019's pseudonym, so that no patient is in two parts of a split when both data sets are used."""
    match = _NAME.fullmatch(name)
    return f"rsna2019:{match[1]}" if match else f"bhsd:{name}"


def _reader(image: Path, mask: Path) -> Callable[[], LabelledCt]:
    def read() -> LabelledCt:
        volume = read_ct(image)
        return LabelledCt(volume, read_label(mask, volume.grid, CODES))

    return read


def _sorted_reader(image: Path, bleeding: bool) -> Callable[[], LabelledCt]:
    return lambda: LabelledCt(read_ct(image), present={ANY: bleeding})
