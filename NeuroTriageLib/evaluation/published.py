"""What the papers report, as literal tables, each with where it stands. All of it was measured on patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["all exams", "balanced", "exams with hemorrhage", "slices"]


@dataclass(frozen=True)
class PublishedRow:
    """One row of figures.

    Args:
        group: finding in our codes (see exam_records.GROUPS).
        figures: in the order of the table's columns; None where the paper gives none.
        which: what kind of set, where the paper has several.
        size: size class, or "all".
    """

    group: str
    figures: tuple[float | None, ...]
    which: str = ""
    size: str = "all"


@dataclass(frozen=True)
class PublishedTable:
    """One table of a paper, or figures of its text put together.

    Args:
        paper: "Kuo 2019", ...
        where: table, figure or section.
        scope: which exams ours are to be computed on.
        columns: names of the figures.
        rows: the figures.
        note: what a reader must know to compare.
    """

    paper: str
    where: str
    scope: Scope
    columns: tuple[str, ...]
    rows: tuple[PublishedRow, ...]
    note: str = ""


FULL_SENSITIVITY = "specificity at full sensitivity"
MEAN_DICE = "Dice"
VOLUME_R, VOLUME_BIAS = "volume r", "volume bias, %"
ABC2_R, ABC2_BIAS = "ABC/2 r", "ABC/2 bias, %"

_CHANG_TABLE_2_COLUMNS = ("accuracy", "AUC", "sensitivity", "specificity", "PPV", "NPV")
_Sizes = tuple[tuple[float | None, ...], ...]
_YE_COLUMNS = ("accuracy", "sensitivity", "specificity", "F1", "AUC")


# Chang 2018, table 2: finding -> all sizes, large, medium, small, punctate; columns "Valid", then columns "Test".
_CHANG_TABLE_2: dict[str, tuple[_Sizes, _Sizes]] = {
    "any": (
        (
            (0.984, 0.991, 0.971, 0.975, 0.975, 0.971),
            (0.999, 0.999, 1.000, 0.975, 0.975, 1.000),
            (0.992, 0.995, 0.986, 0.975, 0.975, 0.986),
            (0.965, 0.972, 0.933, 0.975, 0.974, 0.936),
            (0.883, 0.895, 0.769, 0.975, 0.968, 0.809),
        ),
        (
            (0.972, 0.989, 0.951, 0.973, 0.972, 0.952),
            (0.997, 0.999, 1.000, 0.973, 0.973, 1.000),
            (0.977, 0.982, 0.962, 0.973, 0.972, 0.962),
            (0.906, 0.987, 0.818, 0.973, 0.968, 0.843),
            (0.872, 0.903, 0.750, 0.973, 0.965, 0.796),
        ),
    ),
    "IPH": (
        (
            (0.992, 0.996, 0.986, 0.975, 0.975, 0.986),
            (0.999, 0.999, 1.000, 0.975, 0.975, 1.000),
            (0.999, 0.999, 1.000, 0.975, 0.975, 1.000),
            (0.983, 0.999, 0.968, 0.975, 0.974, 0.968),
            (0.899, 0.921, 0.800, 0.975, 0.969, 0.830),
        ),
        (
            (0.997, 0.999, 1.000, 0.973, 0.973, 1.000),
            (0.997, 0.999, 1.000, 0.973, 0.973, 1.000),
            (0.997, 0.999, 1.000, 0.973, 0.973, 1.000),
            (0.997, 0.999, 1.000, 0.973, 0.973, 1.000),
            (0.997, 0.999, 1.000, 0.973, 0.973, 1.000),
        ),
    ),
    "SDH+EDH": (
        (
            (0.986, 0.989, 0.975, 0.975, 0.975, 0.975),
            (0.999, 0.999, 1.000, 0.975, 0.975, 1.000),
            (0.980, 0.983, 0.962, 0.975, 0.974, 0.963),
            (0.958, 0.968, 0.918, 0.975, 0.973, 0.923),
            (0.832, 0.857, 0.667, 0.975, 0.963, 0.745),
        ),
        (
            (0.970, 0.974, 0.947, 0.973, 0.972, 0.949),
            (0.997, 0.999, 1.000, 0.973, 0.973, 1.000),
            (0.963, 0.971, 0.933, 0.973, 0.971, 0.936),
            (0.872, 0.882, 0.750, 0.973, 0.965, 0.796),
            (None, None, None, None, None, None),
        ),
    ),
    "SAH": (
        (
            (0.970, 0.972, 0.942, 0.975, 0.974, 0.944),
            (0.999, 0.999, 1.000, 0.975, 0.975, 1.000),
            (0.999, 0.999, 1.000, 0.975, 0.975, 1.000),
            (0.950, 0.960, 0.904, 0.975, 0.973, 0.910),
            (0.881, 0.891, 0.765, 0.975, 0.968, 0.806),
        ),
        (
            (0.949, 0.953, 0.905, 0.973, 0.971, 0.911),
            (0.997, 0.999, 1.000, 0.973, 0.973, 1.000),
            (0.997, 0.999, 1.000, 0.973, 0.973, 1.000),
            (0.913, 0.928, 0.833, 0.973, 0.968, 0.854),
            (0.830, 0.833, 0.667, 0.973, 0.961, 0.745),
        ),
    ),
}


def _by_size(group: str, valid: _Sizes, test: _Sizes) -> tuple[PublishedRow, ...]:
    names = ("all", "large", "medium", "small", "punctate")
    sets = (("cross-validation", valid), ("test", test))
    return tuple(PublishedRow(group, rows[n], which, size) for n, size in enumerate(names) for which, rows in sets)


PUBLISHED: tuple[PublishedTable, ...] = (
    PublishedTable(
        paper="Kuo 2019",
        where="Results, Main Results; figure 1",
        scope="all exams",
        columns=("AUC", FULL_SENSITIVITY, MEAN_DICE),
        rows=(
            PublishedRow("any", (0.991, 0.87, None), "test, 200 exams (25 positive); AUC +- 0.006"),
            PublishedRow("any", (0.978, None, 0.75), "4-fold cross-validation; AUC +- 0.003"),
        ),
    ),
    PublishedTable(
        paper="Kuo 2019",
        where="table 1, exam-level multiclass detection, cross-validation",
        scope="all exams",
        columns=("AUC",),
        rows=(
            PublishedRow("SDH", (0.954,), "+- 0.010"),
            PublishedRow("EDH", (0.940,), "+- 0.016"),
            PublishedRow("IPH", (0.934,), "contusion, ICH and axonal injury; +- 0.007"),
            PublishedRow("SAH+IVH", (0.956,), "+- 0.006"),
            PublishedRow("any", (0.982,), "+- 0.004"),
        ),
    ),
    PublishedTable(
        paper="Chang 2018",
        where="Results, ICH Detection, full sets: cross-validation, and test set (682 exams, 82 positive)",
        scope="all exams",
        columns=_CHANG_TABLE_2_COLUMNS,
        rows=(
            PublishedRow("any", (0.975, 0.983, 0.971, 0.975, 0.793, 0.997), "cross-validation, 10,159 exams"),
            PublishedRow("any", (0.970, 0.981, 0.951, 0.973, 0.829, 0.993), "test"),
            PublishedRow("IPH", (None, None, 0.986, None, None, None), "cross-validation, 353/358"),
            PublishedRow("IPH", (None, None, 1.000, None, None, None), "test, 23/23"),
            PublishedRow("SDH+EDH", (None, None, 0.974, None, None, None), "cross-validation, 311/319"),
            PublishedRow("SDH+EDH", (None, None, 0.947, None, None, None), "test, 36/38"),
            PublishedRow("SAH", (None, None, 0.942, None, None, None), "cross-validation, 211/224"),
            PublishedRow("SAH", (None, None, 0.905, None, None, None), "test, 19/21"),
        ),
        note="PPV, NPV and accuracy depend on how many exams are positive: there 9 % and 12 %.",
    ),
    PublishedTable(
        paper="Chang 2018",
        where="table 2, balanced; cross-validation, and the test set of 682 exams",
        scope="balanced",
        columns=_CHANG_TABLE_2_COLUMNS,
        rows=tuple(row for group, sets in _CHANG_TABLE_2.items() for row in _by_size(group, *sets)),
        note="One specificity in all their rows: there any call counted; ours count the finding's own calls.",
    ),
    PublishedTable(
        paper="Chang 2018",
        where="Results, ICH Quantification",
        scope="all exams",
        columns=(MEAN_DICE, VOLUME_R, VOLUME_BIAS, ABC2_R, ABC2_BIAS),
        rows=(
            PublishedRow("IPH", (0.931, 0.999, -2.1, 0.954, 20.2)),
            PublishedRow("SDH+EDH", (0.863, 0.987, None, None, None)),
            PublishedRow("SAH", (0.772, 0.953, None, None, None)),
        ),
        note="Which types their two biases take in is not said; their ABC/2 is of IPH. Ours: ABC/2 of the true mask.",
    ),
    PublishedTable(
        paper="Ye 2019",
        where="table 3, subject level",
        scope="exams with hemorrhage",
        columns=_YE_COLUMNS,
        rows=(
            PublishedRow("any", (0.99, 0.98, 0.99, 0.99, 1.00), "Sub-Lab"),
            PublishedRow("any", (0.99, 0.99, 0.99, 0.99, 1.00), "Sli-Lab; all exams (299, 194 positive)"),
            PublishedRow("IPH", (0.88, 0.90, 0.82, 0.92, 0.94), "Sub-Lab"),
            PublishedRow("IPH", (0.90, 0.92, 0.83, 0.93, 0.94), "Sli-Lab"),
            PublishedRow("IVH", (0.84, 0.66, 0.94, 0.74, 0.84), "Sub-Lab"),
            PublishedRow("IVH", (0.91, 0.84, 0.95, 0.87, 0.93), "Sli-Lab"),
            PublishedRow("SDH", (0.87, 0.61, 0.93, 0.64, 0.91), "Sub-Lab"),
            PublishedRow("SDH", (0.94, 0.86, 0.96, 0.84, 0.96), "Sli-Lab"),
            PublishedRow("EDH", (0.92, 0.69, 0.94, 0.55, 0.90), "Sub-Lab"),
            PublishedRow("EDH", (0.96, 0.69, 0.98, 0.72, 0.94), "Sli-Lab"),
            PublishedRow("SAH", (0.75, 0.65, 0.82, 0.70, 0.82), "Sub-Lab"),
            PublishedRow("SAH", (0.83, 0.69, 0.94, 0.78, 0.89), "Sli-Lab"),
        ),
        note="Types among exams with hemorrhage only.",
    ),
    PublishedTable(
        paper="Ye 2019",
        where="supplementary table 4, slice level, CNN-RNN (Sli-Lab)",
        scope="slices",
        columns=_YE_COLUMNS,
        rows=(
            PublishedRow("any", (0.96, 0.86, 0.99, 0.91, 0.99), "slices of all exams"),
            PublishedRow("IPH", (0.95, 0.87, 0.97, 0.87, 0.98)),
            PublishedRow("IVH", (0.95, 0.70, 0.99, 0.78, 0.96)),
            PublishedRow("SDH", (0.97, 0.78, 0.98, 0.78, 0.97)),
            PublishedRow("EDH", (0.99, 0.61, 1.00, 0.68, 0.97)),
            PublishedRow("SAH", (0.90, 0.54, 0.97, 0.64, 0.93)),
        ),
        note="Types among the slices of exams with hemorrhage only.",
    ),
)


@dataclass(frozen=True)
class PublishedPoint:
    """An operating point for any hemorrhage, to be drawn beside a ROC curve."""

    paper: str
    sensitivity: float
    specificity: float


PUBLISHED_POINTS: tuple[PublishedPoint, ...] = (
    PublishedPoint("Kuo 2019", 1.00, 0.87),  # figure 1
    PublishedPoint("Chang 2018", 0.951, 0.973),  # Results, ICH Detection, test set
    PublishedPoint("Ye 2019", 0.99, 0.99),  # table 3, Sli-Lab
)
