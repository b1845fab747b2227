"""A reader's process that reads nothing: it answers at once, or does what the first image's description says."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from NeuroTriageLib.review.durable_files import sync_tree
from NeuroTriageLib.service.exam_queue import ExamAnswer
from NeuroTriageLib.service.first_look import FirstLook
from NeuroTriageLib.service.reading_process import LookJob, Purpose, ReadJob, Told, _end_with_the_node
from NeuroTriageLib.service.site_config import Readers

URGENT = "URGENT"
FINDING = {"code": "any", "system": "quick", "contrast": "", "status": "found", "probability": 0.9, "volume_ml": 1.0}


def serve(pipe: Connection, settings: Readers, purpose: Purpose) -> None:
    """As reading_process.serve."""
    _end_with_the_node()
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        said = str(pydicom.dcmread(job.paths[0], stop_before_pixels=True).SeriesDescription)
        if isinstance(job, LookJob):
            pipe.send(Told(FirstLook(0.9 if said == URGENT else 0.1)))
        else:
            pipe.send(_read(job, said))


def _read(job: ReadJob, said: str) -> Told:
    if said == "DIES":  # while it writes
        job.result.with_name(f".{job.result.name}.abcd.partial").mkdir()
        os._exit(3)
    if said == "HANGS":
        time.sleep(3600)
    if said == "FAILS":
        return Told(None, "It cannot be read.")
    if said == "UNFIT":
        return Told(None, "The model cannot be loaded.", unfit=True)
    if said == "SLOW":
        time.sleep(1.0)
    if said == "NO SERIES":
        return Told(ExamAnswer("could_not_look", None, (), {}, "There is no head CT."))
    write_result(job)
    return Told(ExamAnswer("found", job.result.name, (FINDING,), {"quick": f"{len(job.paths)} images"}))


def write_result(job: ReadJob) -> None:
    """A structured report whose UID follows from the study and the number of images, as ours do from what was read."""
    report = Dataset()
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.SOPClassUID = Comprehensive3DSRStorage
    report.SOPInstanceUID = f"{job.study_uid}.9.{len(job.paths)}"
    report.StudyInstanceUID, report.SeriesInstanceUID = job.study_uid, f"{job.study_uid}.9"
    partial = Path(f"{job.result}.partial")
    partial.mkdir()
    report.save_as(partial / "structured_report.dcm", enforce_file_format=True)
    os.replace(partial, job.result)
    sync_tree(job.result)
