"""A protocol file: which system learns from which data, who is tested, and what is compared. Written in TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ..core.errors import ConfigError, InputError
from ..datasets.folds import ListedSplit, fold_split, share_split

Optional = Literal["with", "without", "both"]
PHANTOM = "phantom"
"""In place of a folder of label maps: geometric phantom heads of several sizes."""
KINDS = {
    "dataset": frozenset({"dataset", "path"}),
    "labels": frozenset({"labels", "images"}),
    "masks": frozenset({"masks"}),
    "simulated": frozenset({"simulated", "exams"}),
}
"""Kind of data -> what must be said of it."""
SETTINGS_OF = {"CT": ("training", "wider"), "MR": ("realistic", "balanced", "external")}


@dataclass(frozen=True)
class SplitRule:
    """Who is tested.

    Args:
        folds: of a cross-validation, in which every patient is tested once; None tests one part.
        train: share of the patients that train when there are no folds; those who are left over are tested.
        validation: share of the patients who validate; of a cross-validation, of those who are not tested.
        seed: another one gives another split.
    """

    folds: int | None = None
    train: float | None = None
    validation: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        if (self.folds is None) == (self.train is None):
            raise ConfigError("A protocol's [split] has either folds (cross-validation) or train (a share).")

    def names(self) -> tuple[str, ...]:
        """Of the parts that are trained one after the other."""
        return ("split",) if self.folds is None else tuple(f"fold-{n}" for n in range(1, self.folds + 1))

    def split(self, number: int, patients: Collection[str]) -> ListedSplit:
        """Of the part with this number, from 1. Raises ConfigError, InputError."""
        if self.folds is not None:
            return fold_split(patients, self.folds, number, self.validation, self.seed)
        return share_split(patients, self.train or 0.0, self.validation, self.seed)

    def words(self) -> str:
        """For people."""
        if self.folds is not None:
            return f"{self.folds}-fold cross-validation by patients; {self.validation:.0%} of the others validate"
        rest = 1 - (self.train or 0.0) - self.validation
        return f"{self.train:.0%} of the patients train, {self.validation:.0%} validate, {rest:.0%} are tested"


@dataclass(frozen=True)
class DataEntry:
    """One set of exams; which fields it has says what it is (see KINDS).

    Args:
        dataset, path: a public data set and its folder.
        labels, images: a review store, and the exams that its masks were drawn on.
        masks: folder of one's own images and masks.
        simulated: folder of head label maps, or "phantom"; a head is a patient.
        exams, first_seed, settings: of simulated exams; seeds count up from the first.
    """

    dataset: str | None = None
    path: str | None = None
    labels: str | None = None
    images: str | None = None
    masks: str | None = None
    simulated: str | None = None
    exams: int | None = None
    first_seed: int = 3_000_000  # far from those of training and of the benchmarks (ours)
    settings: str | None = None

    def __post_init__(self) -> None:
        given = {f.name for f in dataclasses.fields(self) if getattr(self, f.name) is not None}
        kinds = [kind for kind in KINDS if kind in given]
        if len(kinds) != 1 or not KINDS[kinds[0]] <= given:
            wanted = "; or ".join(" and ".join(sorted(fields)) for fields in KINDS.values())
            raise ConfigError(f"Every [[data]] of a protocol names {wanted}.")
        if self.simulated is not None and (self.exams or 0) < 1:
            raise ConfigError("A protocol's simulated data needs one exam or more.")

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


@dataclass(frozen=True)
class TrainingRule:
    """How it is trained.

    Args:
        variant: of the system's recipe.
        minutes: wall-clock budget of a fold; None trains the recipe's own length.
        start: model pack to go on from.
        seed: of weights and draws; None is the recipe's.
    """

    variant: str = "compact"
    minutes: float | None = None
    start: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Protocol:
    """One experiment.

    Args:
        title: heading of the report.
        system: catalog key.
        split, data, training: see there.
        optional_contrasts: brain MRI: "with" trains and tests with every contrast, "without" with those alone that the
            networks require, "both" trains with all and tests both ways (Nael 2021, table 4).
        notes: sentences for the report: what the paper did, and what is done otherwise.
        folder: that paths are relative to.
    """

    title: str
    system: str
    split: SplitRule
    data: tuple[DataEntry, ...]
    training: TrainingRule = TrainingRule()
    optional_contrasts: Optional = "with"
    notes: tuple[str, ...] = ()
    folder: Path = field(default_factory=Path, compare=False)

    def __post_init__(self) -> None:
        if not self.data:
            raise ConfigError("A protocol needs [[data]].")
        if self.optional_contrasts not in get_args(Optional):
            raise ConfigError("optional_contrasts is with, without or both.", where=str(self.optional_contrasts))

    @classmethod
    def read(cls, path: Path) -> Protocol:
        """The protocol of a file. Raises InputError when it cannot be read, ConfigError when it says what cannot be."""
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError("The protocol cannot be read.", where=str(path)) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"The protocol is no TOML: {error}.", where=str(path)) from error
        try:
            data = tuple(_made(DataEntry, entry, "data") for entry in document.pop("data", ()))
            split = _made(SplitRule, document.pop("split", {}), "split")
            training = _made(TrainingRule, document.pop("training", {}), "training")
            notes = tuple(document.pop("notes", ()))
            parts = {"split": split, "data": data, "training": training, "notes": notes, "folder": path.parent}
            return _made(cls, {**document, **parts}, "")
        except ConfigError as error:
            raise ConfigError(error.what, where=str(path), next_step=error.next_step) from error

    def to_json(self) -> dict[str, Any]:
        """Plain values, the same for the same experiment wherever the file lies."""
        document = dataclasses.asdict(self)
        document.pop("folder")
        return document

    def place(self, named: str) -> Path:
        """A path of the file; relative ones start at the file's folder."""
        return self.folder / Path(named).expanduser()


def _made(kind: type[Any], values: Any, table: str) -> Any:
    """A dataclass of plain values. Raises ConfigError for unknown, missing and wrong ones."""
    where = f"[{table}]" if table else "the protocol"
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is a table.")
    known = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(values) - set(known)):
        raise ConfigError(f"{where} has no setting {', '.join(unknown)}.", next_step=f"It has {', '.join(known)}.")
    missing = [
        f.name
        for f in known.values()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and f.name not in values
    ]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(missing)}.")
    return kind(**{name: _checked(known[name].type, value, f"{where} {name}") for name, value in values.items()})


_PLAIN: dict[str, Any] = {"str": str, "int": int, "float": (int, float)}


def _checked(annotation: Any, value: Any, where: str) -> Any:
    """The value when it is of the field's plain type. Raises ConfigError."""
    wanted = _PLAIN.get(str(annotation).removesuffix(" | None"))
    if wanted is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
        raise ConfigError(f"{where} cannot be {value!r}.")
    return value
