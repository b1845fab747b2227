"""The commands `neurotriage models list`, `compare`, `accept` and `back`; they return text and print nothing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import output_error
from ..datasets.source_options import add_source_arguments, add_split_argument, sources_of, split_of
from ..model_registry import ModelRegistry, describe_entry

if TYPE_CHECKING:
    from .comparison import Comparison
    from .held_out import HeldOut

Say = Callable[[str], None]
Progress = Callable[[str, float], None]
SIMULATED_EXAMS = 60  # about 6 s each for both models and the simulation on one core (ours)


def add_arguments(commands: Any) -> None:
    """Add the four to the subparsers of `models`; each sets `models`: (options, say, progress) -> exit code."""
    listed = commands.add_parser("list", help="which model each system reads with, and what was accepted before")
    listed.add_argument("--json", action="store_true", help="print JSON")
    listed.set_defaults(models=_list)
    compared = commands.add_parser("compare", help="an old and a new model on exams that neither was trained on")
    compared.add_argument("new", type=Path, help="model pack")
    compared.add_argument("old", type=Path, nargs="?", help="model pack (default: the one in use)")
    add_source_arguments(compared)
    add_split_argument(compared, "the split of their training, where the packs do not tell it")
    compared.add_argument(
        "--simulate", metavar="MAPS", help='simulated exams too: folder of head label maps, or "phantom"'
    )
    compared.add_argument("--exams", type=int, default=SIMULATED_EXAMS, help="number of simulated exams")
    compared.add_argument(
        "--without-reader", action="store_true", help="leave out the system that reads by default now"
    )
    compared.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    compared.add_argument("-o", "--output", type=Path, help="new folder for the tables")
    compared.set_defaults(models=_compare)
    accepted = commands.add_parser("accept", help="use a model from now on; the old one stays on disk")
    accepted.add_argument("new", help="model pack")
    accepted.add_argument(
        "--reader",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether its system reads by default (auto: if it was compared with the present reader and did not lose)",
    )
    accepted.add_argument(
        "--despite",
        default="",
        metavar="REASON",
        help="without a comparison, or against its advice; kept in the history",
    )
    accepted.set_defaults(models=_accept)
    back = commands.add_parser("back", help="one step back: to the model before the last that was accepted")
    back.add_argument("system", nargs="?", help="of this system (default: whichever was accepted last)")
    back.set_defaults(models=_back)


def _list(options: argparse.Namespace, say: Say, progress: Progress) -> int:
    from ..catalog import describe

    here = describe()
    history = [describe_entry(entry) for entry in ModelRegistry().history()]
    in_use = {entry["name"]: entry["in_use"] for entry in here["systems"]}
    if options.json:
        document = {"default_system": here["default_system"], "in_use": in_use, "history": history}
        say(json.dumps(document, indent=1))
        return 0
    for name, model in in_use.items():
        told = "no model" if model is None else f"{model['name']} {model['version']}"
        since = f" ({model['accepted']})" if model and model["accepted"] else ""
        reads = ", reads head CT by default" if name == here["default_system"] else ""
        say(f"{name}: {told}{since}{reads}")
    for line in history:
        say(f"history: {line}")
    return 0


def _compare(options: argparse.Namespace, say: Say, progress: Progress) -> int:
    from .tables import comparison_markdown

    comparison = run_comparison(options, progress)
    text = comparison_markdown(comparison)
    say(text)
    if options.output is not None:
        _write(options.output, text, comparison)
    keep(ModelRegistry(), comparison)
    return 0


def run_comparison(options: argparse.Namespace, progress: Progress) -> Comparison:
    """Gather the exams and compare. Raises ConfigError, InputError, ModelError."""
    from ..catalog import find_pack, modality_of
    from ..io.model_packs import read_manifest
    from .held_out import local_cases, need_exams, simulated_cases, splits_of

    new = read_manifest(options.new)
    old = options.old or find_pack(new.system)
    splits = splits_of([new, read_manifest(old)], split_of(options))
    modality = modality_of(new.system)
    sources = sources_of(options, modality)
    sets = [local_cases(sources, splits, modality)] if sources else []
    if options.simulate:
        sets.append(simulated_cases(options.simulate, options.exams, modality=modality))
    need_exams(sets)
    return compare_packs(
        options.new, old, sets, progress, device=options.device, with_reader=not options.without_reader
    )


def compare_packs(
    new: Path,
    old: Path,
    sets: Sequence[HeldOut],
    progress: Progress,
    *,
    device: str = "auto",
    with_reader: bool = True,
    keep_in: Path | None = None,
) -> Comparison:
    """Load both models, and the system that reads by default now where it is another, and let them read the exams.

    keep_in: see compare_models.
    """
    from ..catalog import CONSENSUS, default_system, load_system, modality_of
    from .comparison import NEW, OLD, READER, compare_models

    models = {OLD: load_system(pack=old, device=device), NEW: load_system(pack=new, device=device)}
    reader = default_system()
    if with_reader and reader != models[NEW].name and modality_of(models[NEW].name) == modality_of(reader):
        models[READER] = load_system(reader, device=device, accept_unfamiliar=reader == CONSENSUS)
    return compare_models(models, sets, progress, keep_in=keep_in)


def keep(registry: ModelRegistry, comparison: Comparison) -> Path:
    """Keep a comparison where `accept` looks for it; returns its folder."""
    document = comparison.to_json()
    return registry.keep_comparison(document, (document["new"]["digest"], document["old"]["digest"]))


def _write(folder: Path, text: str, comparison: Comparison) -> None:
    try:
        folder.mkdir(parents=True)
        (folder / "comparison.md").write_text(text, encoding="utf-8")
        document = json.dumps(comparison.to_json(), indent=1, allow_nan=False)
        (folder / "comparison.json").write_text(document + "\n", encoding="utf-8")
    except OSError as error:
        raise output_error(error, folder) from error


def _accept(options: argparse.Namespace, say: Say, progress: Progress) -> int:
    from .acceptance import accept_model

    _, lines = accept_model(ModelRegistry(), options.new, reader=options.reader, despite=options.despite)
    say("\n".join(lines))
    return 0


def _back(options: argparse.Namespace, say: Say, progress: Progress) -> int:
    say("\n".join(go_back(ModelRegistry(), options.system)))
    return 0


def go_back(registry: ModelRegistry, system: str | None = None) -> tuple[str, ...]:
    """One step back; returns what to tell the user. Raises ConfigError when there is nothing to go back from."""
    from ..catalog import default_system
    from .acceptance import present_manifest

    ended = registry.back(system)
    now = present_manifest(ended.system)
    told = "no model" if now is None else f"{now.name} {now.version}"
    return (
        f"{ended.system} reads with {told} again; {ended.name} stays on disk ({registry.pack_path(ended)}).",
        f"{default_system()} reads head CT by default.",
    )
