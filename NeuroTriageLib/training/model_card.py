"""The text that goes with a model pack: its training, its differences from the paper, its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.codes import answered_codes
from ..io.model_packs import PackManifest
from .held_out_section import held_out_section


@dataclass(frozen=True)
class Publication:
    """What a model card compares a pack with; one constant per system, see kuo2019_card.py.

    Args:
        title: first author and year.
        config: the published settings as plain values (config.to_json()).
        recipe: the published training recipe as plain values (dataclasses.asdict).
        data: what the paper was trained on.
        always_different: what else no setting shows: one sentence each.
        names: setting -> its name for people. Settings without a name are not compared.
        figures: figure of manifest.metrics["validation"] -> column heading, beside threshold, sensitivity, specificity.
        shown: setting -> text of its value, where the value itself is not readable.
    """

    title: str
    config: Mapping[str, Any]
    recipe: Mapping[str, Any]
    data: str
    always_different: tuple[str, ...]
    names: Mapping[str, str]
    figures: Mapping[str, str]
    shown: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)


def model_card(manifest: PackManifest, publication: Publication) -> str:
    """Markdown."""
    lines = [f"# {manifest.name}, version {manifest.version}", "", manifest.intended_use, "", "## Training", ""]
    lines += [
        f"- {key.replace('_', ' ')}: {_words(value)}" for key, value in manifest.training.items() if key != "recipe"
    ]
    lines += ["", f"## Differences from {publication.title}", ""]
    trained = f"Trained on {manifest.training.get('data', 'other data')}, not on {publication.data}."
    lines += [f"- {text}" for text in (trained, *publication.always_different, *deviations(manifest, publication))]
    lines += ["", f"## Validation ({validation_exams(manifest.training)})", ""]
    lines += _table(manifest, publication.figures)
    lines += held_out_section(manifest.metrics)
    lines += ["", f"Licence of the weights: {manifest.licence}", ""]
    return "\n".join(lines)


def _words(value: Any) -> str:
    """A plain value in a sentence."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_words(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(map(_words, value))
    return str(value)


def validation_exams(training: Mapping[str, Any]) -> str:
    """What the validation exams were."""
    parts = ["simulated exams from label maps 17 and 18"] if "label maps" in training.get("data", "label maps") else []
    if training.get("sources"):
        parts.append("other patients of the data sets than those that trained")
    return ", and ".join(parts)


def deviations(manifest: PackManifest, publication: Publication) -> list[str]:
    """The named settings of network and recipe that are not the published ones, as "NAME: OURS instead of THEIRS"."""
    found = []
    recipe = manifest.training.get("recipe", {})
    for ours, theirs in ((manifest.config, publication.config), (recipe, publication.recipe)):
        for key, value in ours.items():
            if key not in publication.names or key not in theirs:
                continue
            text = publication.shown.get(key, str)
            shown, published = text(_plain(value)), text(_plain(theirs[key]))
            if shown != published:
                found.append(f"{publication.names[key]}: {shown} instead of {published}")
    return found


def _plain(value: Any) -> Any:
    """The value as it comes back from JSON: tuples are lists there."""
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def _table(manifest: PackManifest, named: Mapping[str, str]) -> list[str]:
    figures = manifest.metrics.get("validation", {})
    columns = [*named.values(), "threshold", "sensitivity", "specificity"]
    lines = [f"{figures.get('exams', 0)} exams.", ""]
    lines += ["| code | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    for code in answered_codes(manifest.codes):
        values = [figures.get(name, {}).get(code) for name in named]
        values += [round(manifest.operating_points[code], 4)]
        values += [figures.get(name, {}).get(code) for name in ("sensitivity", "specificity")]
        lines.append(f"| {code} | " + " | ".join("-" if value is None else f"{value}" for value in values) + " |")
    return lines
