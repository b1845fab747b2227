"""An exam built by hand as the answer of three systems, one of which is of another mind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from NeuroTriageLib.core.codes import ANY
from NeuroTriageLib.core.findings import ExamResult, Familiarity, Finding, ModelIdentity, Reading, Region
from Testing.Lib.exam_builder import SHA256, build_exam

REJECTED = tuple(Region("SDH+EDH", 0.01 * n, False, n % 12, (n, 2, n + 8, 12)) for n in range(1, 8))
ACCEPTED = Region("IPH", 0.97, True, 5, (10, 11, 20, 25), instance=1)


def build_weighed_exam(familiarity: Familiarity | None = None) -> ExamResult:
    """IPH and SDH found together; chang2018 sees no hemorrhage outside the brain, ye2019 draws no masks."""
    exam = build_exam()
    kuo = exam.readings[0]
    answer = replace(kuo, system="consensus", model=ModelIdentity("consensus-test", "1", SHA256))
    chang = _opinion(kuo, "chang2018", regions=(ACCEPTED, *REJECTED))
    ye = _opinion(kuo, "ye2019", segments=False, label_kji=np.zeros_like(kuo.label_kji))
    doubts = {"any": 0.05, "IPH": 0.12, "IVH": 0.02, "SAH": 0.01}
    findings = tuple(
        replace(finding, system="consensus", doubt=doubts[finding.code], agreement="agree")
        if finding.code in doubts
        else replace(finding, system="consensus", doubt=0.31, agreement="split")
        for finding in exam.findings
    )
    return replace(
        exam,
        readings=(answer, kuo, chang, ye),
        findings=findings,
        opinions=(*exam.findings, *_said("chang2018"), *_said("ye2019", volume_ml=None, components=None)),
        familiarity=familiarity or Familiarity(2.1, 3.5),
    )


def _opinion(kuo: Reading, system: str, **changes) -> Reading:
    return replace(kuo, system=system, model=ModelIdentity(f"{system}-test", "1", SHA256), **changes)


def _said(system: str, **mask) -> tuple[Finding, ...]:
    types = ("IPH", "SDH+EDH", "SAH") if system == "chang2018" else ("IPH", "IVH", "SDH", "EDH", "SAH")
    found = Finding(ANY, system, "found", 0.91, 0.5, **({"volume_ml": 3.0, "components": 1} | mask))
    absent = (
        Finding(code, system, "not_found", 0.13, 0.5, **({"volume_ml": 0.0, "components": 0} | mask)) for code in types
    )
    return (found, *absent)
