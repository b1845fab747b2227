"""The report as an encapsulated PDF: DICOM has no class for HTML."""

from __future__ import annotations

from highdicom.base import SOPClass
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from ..report_pdf import PageIdentity, render_pdf
from .concepts import DOCUMENT_TITLES
from .exam import DicomExam


def encapsulated_pdf(exam: DicomExam) -> Dataset:
    """The document; made for every exam, also for one that could not be looked at."""
    document = render_pdf(exam.result, _identity(exam))
    made = SOPClass(
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **exam.patient_and_study(),
        **exam.series("document"),
    )
    made.copy_patient_and_study_information(exam.slices[0])
    made.ConversionType = "SYN"
    made.AcquisitionDateTime = ""  # type 2: a document is not acquired
    made.BurnedInAnnotation = "YES"  # each page names the patient
    made.DocumentTitle = "NeuroTriage report"
    made.ConceptNameCodeSequence = [DOCUMENT_TITLES[exam.modality]]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(document)
    made.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    made.SourceInstanceSequence = [_reference(image) for image in exam.slices]
    return exam.finish(made, "document")


def _identity(exam: DicomExam) -> PageIdentity:
    header = exam.source.header
    labels = {"PatientID": "ID", "PatientBirthDate": "born", "StudyDate": "study", "AccessionNumber": "accession"}
    return PageIdentity(
        header.get("PatientName", ""), tuple((label, header.get(keyword, "")) for keyword, label in labels.items())
    )


def _reference(image: Dataset) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return reference
