"""Key slices as secondary captures: pictures that every PACS shows, with nothing to measure on."""

from __future__ import annotations

from highdicom.sc import SCImage
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from ..findings_json import NOTICE
from ..key_image import key_image
from ..key_slices import key_slices
from ..pictures import PictureMaker
from .exam import DicomExam

_DERIVED_FROM = CodedConcept("121322", "DCM", "Source image for image processing operation")


def key_images(exam: DicomExam) -> list[Dataset]:
    """One colour image per key slice; none when nothing was found."""
    maker = PictureMaker(exam.result, exam.reading)
    images = []
    for number, key in enumerate(key_slices(exam.result), start=1):
        image = SCImage(
            pixel_array=key_image(maker, key, NOTICE),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=(maker.plane.letters.right, maker.plane.letters.bottom),
            transfer_syntax_uid=RLELossless,
            **exam.patient_and_study(),
            **exam.series("key images", number=number),
        )
        image.copy_patient_and_study_information(exam.slices[0])
        image.ImageType = ["DERIVED", "SECONDARY"]
        for keyword in (name for name in exam.source.header if name.startswith("LossyImageCompression")):
            setattr(image, keyword, exam.source.header[keyword])
        image.DerivationDescription = f"{key.title}: slice with outlines and heatmap, made by a program"
        image.ImageComments = NOTICE
        image.BurnedInAnnotation = "NO"  # that is about the patient's identity (PS3.3, C.7.6.1); the words name nobody
        image.ContentQualification = "RESEARCH"
        image.SourceImageSequence = [_source(exam.slices[key.k])]
        images.append(exam.finish(image, "key images"))
    return images


def _source(image: Dataset) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    reference.PurposeOfReferenceCodeSequence = [_DERIVED_FROM]
    return reference
