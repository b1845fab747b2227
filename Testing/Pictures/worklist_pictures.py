"""Pictures of the worklist's page for the documentation, made in a headless Chromium on a node filled by hand.

    python Testing/Pictures/worklist_pictures.py RESULT [--out docs/pictures]

RESULT is an exam's result folder with DICOM objects (neurotriage triage Resources/SampleData/HeadCtSample --dicom).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "NeuroTriage"), str(ROOT / "Testing" / "Panel")]
SIZE = (1400, 760)
# (minutes ago, state, findings, other columns): a made hour of a small hospital.
MRI = (
    ("abnormal", "found", 0.99, None),
    ("acute_infarct", "found", 0.94, 18.2),
    ("mass_effect", "not_found", 0.05, 0.0),
)
CLEAR = (("any", "not_found", 0.03, 0.0), ("IPH", "not_found", 0.01, 0.0))
UNSEEN = (("any", "could_not_look", None, None),)
OTHERS = (
    ("Vega^Ines", "MR-2204", "19620918", "MRI brain", 34, "done", MRI, {}),
    ("Okafor^Ben", "CT-7716", "19880101", "CT head", 21, "done", UNSEEN, {"reason": "No series is an axial head CT."}),
    (
        "Lind^Maja",
        "CT-7741",
        "19751231",
        "CT head",
        4,
        "reading",
        (),
        {"stage": "network", "fraction": 0.62, "urgency": 0.93},
    ),
    ("Arai^Ken", "CT-7742", "19410530", "CT head", 3, "queued", (), {"dicom_priority": 1}),
    ("Moreau^Lea", "MR-2207", "19930711", "MRI brain", 1, "receiving", (), {}),
    ("Haas^Otto", "CT-7703", "19550202", "CT head", 58, "done", CLEAR, {}),
    ("Silva^Rui", "CT-7699", "19670814", "CT head", 75, "done", CLEAR, {}),
)


def fill(node, result: Path):
    """One answered exam with the real result, and others around it."""
    import pydicom

    from Testing.Lib.service.made_node import findings_json

    shutil.copytree(result, node.folder / "results" / "first")
    document = json.loads((result / "findings.json").read_text(encoding="utf-8"))
    found = tuple((f["code"], f["status"], f["probability"], f["volume_ml"]) for f in document["findings"])
    sample = sorted((ROOT / "Resources/SampleData/HeadCtSample/dicom").rglob("*.dcm"))
    first = (
        "Doe^Jane",
        "CT-7731",
        "19500102",
        "CT head",
        12,
        "answered",
        found,
        {"result": "first", "dicom_priority": 1},
    )
    for number, (name, key, born, study, minutes, state, findings, columns) in enumerate((first, *OTHERS), start=1):
        findings_text = findings_json(findings) if findings else None
        exam_id = node.add(f"1.2.{number}", state, minutes_ago=minutes, findings=findings_text, **columns)
        for index, path in enumerate(sample if number == 1 else sample[: 2 * number]):
            dataset = pydicom.dcmread(path)
            dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = name, f"P{1000 + 37 * number}", born
            dataset.StudyDescription, dataset.AccessionNumber, dataset.PatientSex = study, key, "MF"[number % 2]
            if number > 1:
                dataset.StudyInstanceUID, dataset.SOPInstanceUID = f"1.2.{number}", f"1.2.{number}.{index}"
                dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            node.add_image(exam_id, dataset)
    with node.ledger.transaction() as db:
        for sop_uid, state in (("1", "sent"), ("2", "waiting")):
            db.execute(
                "INSERT INTO delivery (exam_id, destination, sop_class_uid, sop_uid, path, state, tries, next_try_at)"
                " VALUES (1, 'PACS', '1', ?, 'x', ?, 1, 0)",
                (sop_uid, state),
            )
        for event in ("complete", "first look", "reading", "answered"):
            node.ledger.note(db, event, "", 1)


def make(result: Path, out: Path) -> None:
    """The list, an exam in it, and both on a dark screen."""
    from Testing.Lib.service.headless_browser import HeadlessBrowser
    from Testing.Lib.service.made_node import PASSWORD, USER, MadeNode, ServedNode

    with tempfile.TemporaryDirectory() as folder:
        node = MadeNode(Path(folder), now=time.time())
        fill(node, result)
        with ServedNode(node) as served:
            for dark in (False, True):
                with HeadlessBrowser(SIZE, dark) as browser:
                    browser.open(f"{served.url}/login")
                    if not dark:
                        browser.picture(out / "worklist_login.png")
                    form = f"user.value = {json.dumps(USER)}; password.value = {json.dumps(PASSWORD)}"
                    browser.say(f"{form}; document.forms[0].submit()")
                    browser.wait_for("document.querySelectorAll('#exams tr').length > 0")
                    loaded = "[...document.images].every(i => i.complete && i.naturalWidth)"
                    browser.wait_for(loaded)
                    if not dark:
                        browser.press("j", "k")
                        browser.picture(out / "worklist.png")
                    browser.press("Enter")
                    browser.wait_for("!document.querySelector('#exam').hidden")
                    browser.wait_for(loaded)
                    browser.picture(out / f"worklist_exam{'_dark' if dark else ''}.png")


def main() -> None:
    """Make them and shrink them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    make(options.result, options.out)
    from make_screenshots import shrink

    shrink(options.out, "worklist*.png")


if __name__ == "__main__":
    main()
