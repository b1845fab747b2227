"""What an evaluation measured is written into a pack: its figures, its model card, and nothing of its weights."""

from __future__ import annotations

from NeuroTriageLib.evaluation.exam_records import append_record
from NeuroTriageLib.evaluation.report import RECORDS_FILE, Evaluation
from NeuroTriageLib.io.model_packs import load_model_pack
from Testing.Benchmarks import publish_figures
from Testing.Lib import tiny_packs
from Testing.Lib.ct_series import write_series
from Testing.Lib.evaluation.exam_making import NOT_CALLED, called, exam, truth

RECORDS = [
    exam("found", truth(10.0), {"kuo2019": called(12.0, 8.0)}),
    exam("missed", truth(30.0), {"kuo2019": NOT_CALLED}),
    exam("quiet", answers={"kuo2019": NOT_CALLED}),
    exam("false", answers={"kuo2019": called(1.0, 0.0, probability=0.8)}),
]


def evaluation(folder):
    Evaluation.of("Evaluation", RECORDS, {"simulator_settings": "wider"}).write(folder)
    for record in RECORDS:
        append_record(record, folder / RECORDS_FILE)
    return folder


def test_figures_go_into_the_manifest_and_the_card_and_leave_the_weights_alone(tmp_path):
    pack = tiny_packs.save(tmp_path / "pack")
    before = load_model_pack(pack)
    assert publish_figures.main([str(pack), str(evaluation(tmp_path / "figures"))]) == 0
    after = load_model_pack(pack)
    assert after.identity == before.identity
    figures = after.manifest.metrics["held_out"]
    assert (figures["exams"], figures["positive"], figures["settings"]) == (4, 2, "wider")
    found = figures["findings"]["any"]
    assert (found["sensitivity"], found["specificity"]) == (0.5, 0.5)
    assert found["dice"] == round(2 * 8 / 22 / 2, 4) and found["dice_found"] == round(2 * 8 / 22, 4)
    text = (pack / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "4 simulated exams of heads that no training saw (head), wider settings" in text


def test_a_real_scan_is_named_with_its_answer_and_the_card_says_what_is_not_known(tmp_path):
    pack = tiny_packs.save(tmp_path / "pack")
    study = write_series(tmp_path / "study" / "head")
    folder = evaluation(tmp_path / "figures")
    publish_figures.main([str(pack), str(folder), "--real", "a head without blood", str(study)])
    (scan,) = load_model_pack(pack).manifest.metrics["real_scans"]
    assert scan["scan"] == "a head without blood" and 0 <= scan["probability"] <= 1
    text = (pack / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "how the model does on patients is not known" in text
