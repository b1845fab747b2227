"""The CT that ships, in Slicer's Sample Data module: loaded from the extension's own folder, nothing is downloaded."""

from __future__ import annotations

from NeuroTriageLib.core.resources import sample_data_folder

CATEGORY, NAME = "NeuroTriage", "Head CT with hemorrhage (simulated)"
_FOLDER = "HeadCtSample"


def register(thumbnail_path: str) -> None:
    """Add the sample to the Sample Data module. Args: thumbnail_path: its picture."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=NAME,
        thumbnailFileName=thumbnail_path,
        customDownloader=lambda source: load(),
    )


def load():
    """The sample as a volume node in the scene."""
    from .scripting import load_study

    return load_study(str(sample_data_folder() / _FOLDER / "dicom"))
