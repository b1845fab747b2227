"""The studies that ship, in Slicer's Sample Data module: from the extension's own folder, nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import slicer

from NeuroTriageLib.core.resources import sample_data_folder

CATEGORY, MODULE = "NeuroTriage", "NeuroTriage"
CT_NAME, MR_NAME = "Head CT with hemorrhage (simulated)", "Brain MRI with infarct (simulated)"
CT_FOLDER, MR_FOLDER = "HeadCtSample", "BrainMrSample"


def register(thumbnail_path: str) -> None:
    """Add the samples to the Sample Data module. Args: thumbnail_path: their picture."""
    import SampleData

    for name, folder, load in ((CT_NAME, CT_FOLDER, load_head_ct), (MR_NAME, MR_FOLDER, show_brain_mri)):
        # A source needs one address, file name and node name each, also where its own function does the loading.
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=_dicom_folder(folder).as_uri(),
            fileNames=folder,
            nodeNames=name,
            thumbnailFileName=thumbnail_path,
            customDownloader=lambda source, load=load: load(),
        )


def load_head_ct() -> slicer.vtkMRMLScalarVolumeNode:
    """The head CT as a volume node in the scene."""
    from .scripting import load_study

    return load_study(str(_dicom_folder(CT_FOLDER)))


def show_brain_mri() -> None:
    """Open the panel with the MRI's series listed: findings on MRI come of a whole study, not of one volume."""
    slicer.util.selectModule(MODULE)
    slicer.util.getModuleWidget(MODULE).panel.study.inspect([str(_dicom_folder(MR_FOLDER))])


def _dicom_folder(folder: str) -> Path:
    return sample_data_folder() / folder / "dicom"
