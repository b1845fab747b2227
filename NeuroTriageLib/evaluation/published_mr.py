"""What Nael 2021 reports, as literal tables, each with where it stands. All of it was measured on patients."""

from __future__ import annotations

from ..core.codes import ABNORMAL, ACUTE_HEMORRHAGE, ACUTE_INFARCT, MASS_EFFECT
from .published import PublishedRow, PublishedTable

_COLUMNS = ("AUC", "sensitivity", "specificity", "accuracy", "PPV", "NPV")
_PREVALENCE = "PPV, NPV and accuracy depend on how many studies are positive"

BELOW_ML = {"below 1 mL": 1.0, "below 0.5 mL": 0.5, "below 0.25 mL": 0.25}
"""Volume limits of the paper's infarcts (Nael 2021, Results)."""

NAEL_2021: tuple[PublishedTable, ...] = (
    PublishedTable(
        paper="Nael 2021",
        where="table 2, internal test set (1,050 studies)",
        scope="all exams",
        columns=_COLUMNS,
        rows=(
            PublishedRow(ABNORMAL, (0.91, 0.83, 0.86, 0.84, 0.97, 0.50), "879 positive"),
            PublishedRow(ACUTE_HEMORRHAGE, (0.90, 0.89, 0.81, 0.81, 0.24, 0.99), "65 positive"),
            PublishedRow(ACUTE_INFARCT, (0.95, 0.92, 0.88, 0.88, 0.49, 0.99), "118 positive"),
            PublishedRow(MASS_EFFECT, (0.93, 0.93, 0.85, 0.85, 0.26, 1.00), "56 positive"),
        ),
        note=f"{_PREVALENCE}: there 84 %, 6 %, 11 % and 5 %.",
    ),
    PublishedTable(
        paper="Nael 2021",
        where="table 3, external test set (1,072 studies of other centres and makers)",
        scope="all exams",
        columns=_COLUMNS,
        rows=(
            PublishedRow(ABNORMAL, (0.88, 0.80, 0.80, 0.80, 0.94, 0.48), "867 positive"),
            PublishedRow(ACUTE_HEMORRHAGE, (0.83, 0.72, 0.88, 0.87, 0.32, 0.98), "78 positive"),
            PublishedRow(ACUTE_INFARCT, (0.97, 0.90, 0.97, 0.95, 0.92, 0.96), "287 positive"),
            PublishedRow(MASS_EFFECT, (0.87, 0.79, 0.81, 0.81, 0.12, 0.99), "31 positive"),
        ),
        note=f"{_PREVALENCE}: there 81 %, 7 %, 27 % and 3 %. Compare with ours on held-out makers.",
    ),
    PublishedTable(
        paper="Nael 2021",
        where="Results, infarcts by volume, internal test set",
        scope="all exams",
        columns=("sensitivity",),
        rows=(
            PublishedRow(ACUTE_INFARCT, (0.84,), size="below 1 mL"),
            PublishedRow(ACUTE_INFARCT, (0.79,), size="below 0.5 mL"),
            PublishedRow(ACUTE_INFARCT, (0.72,), size="below 0.25 mL"),
        ),
        note="Volume of the contour.",
    ),
)

CONTRIBUTION: dict[str, dict[str, tuple[float, float, float]]] = {
    "internal": {
        ABNORMAL: (0.01, 0.02, 0.01),
        ACUTE_HEMORRHAGE: (0.01, -0.02, 0.06),
        ACUTE_INFARCT: (0.00, 0.00, 0.00),
        MASS_EFFECT: (0.01, 0.03, 0.01),
    },
    "external": {
        ABNORMAL: (0.00, 0.00, 0.00),
        ACUTE_HEMORRHAGE: (0.01, -0.02, 0.03),
        ACUTE_INFARCT: (0.00, 0.00, 0.00),
        MASS_EFFECT: (0.01, 0.02, -0.02),
    },
}
"""Table 4: set -> finding -> gain in AUC, sensitivity and specificity of all contrasts over the required ones."""
