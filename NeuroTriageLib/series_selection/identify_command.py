"""The command `neurotriage identify`: its arguments and its lines; it prints nothing itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core.errors import ConfigError
from ..core.study import Study
from ..io.header_lines import HeaderLine, holds_headers, read_header_lines
from ..io.inputs import open_input
from .adc_unit import AdcUnit, unit_said
from .mr_contrast import Identification, identify
from .mr_facts import facts_of
from .mr_roles import RoleChoice, choose_roles
from .mr_series import MrSeries, identify_study


def identify_lines(options: argparse.Namespace) -> Iterator[str]:
    """One line of JSON per series, in the order of the input.

    Raises:
        InputError: nothing to read, or a file of headers with a bad line.
        ConfigError: a role that does not exist, a name that fits no series or several.
    """
    overrides = role_overrides(options.series)
    if holds_headers(options.input):
        if overrides:
            raise ConfigError("Headers alone make no study: no role is chosen among them.", where="--series")
        for line in read_header_lines(options.input):
            yield json.dumps(describe_header(line), ensure_ascii=False)
        return
    with open_input(options.input) as studies:
        for study in studies:
            for document in describe_study(study, overrides, with_pixels=not options.headers_only):
                yield json.dumps(document, ensure_ascii=False)


def role_overrides(texts: Sequence[str]) -> dict[str, str]:
    """ROLE=UID_OR_TEXT arguments as a mapping. Raises ConfigError for anything else, or a role named twice."""
    found: dict[str, str] = {}
    for text in texts:
        role, equals, name = text.partition("=")
        if not (role and equals and name.strip()) or role in found:
            raise ConfigError(f'"{text}" is not ROLE=UID_OR_TEXT, or its role is named twice.', where="--series")
        found[role] = name.strip()
    return found


def describe_header(line: HeaderLine) -> dict[str, Any]:
    """What one header without images is, as a JSON object."""
    known = identify(facts_of(line.header))
    unit = AdcUnit(unit_said(line.header), "") if known.contrast == "ADC" else None
    return {"line": line.line, **line.labels, **_answer(known, unit)}


def describe_study(study: Study, overrides: Mapping[str, str], *, with_pixels: bool) -> Iterator[dict[str, Any]]:
    """What each series of a study is, as JSON objects, with the role that it takes."""
    items = identify_study(study, with_pixels=with_pixels)
    choices = choose_roles(study, items, overrides=overrides)
    for item in items:
        yield {
            "study_instance_uid": study.study_instance_uid,
            "series_instance_uid": item.series.series_instance_uid,
            "description": item.series.description,
            "images": item.identification.facts.images,
            "volumes": item.identification.facts.volumes,
            **_answer(item.identification, item.adc_unit),
            **_role(item, choices),
        }


def _answer(known: Identification, unit: AdcUnit | None) -> dict[str, Any]:
    return {
        "contrast": known.contrast,
        "plane": known.plane,
        "acquisition_type": known.facts.acquisition_type or None,
        "confidence": known.confidence,
        "reasons": list(known.reasons),
        "alternatives": list(known.alternatives),
        "b_value": known.facts.b_value,
        "adc_unit": None if unit is None else unit.name,
    }


def _role(item: MrSeries, choices: Mapping[str, RoleChoice]) -> dict[str, Any]:
    for role, choice in choices.items():
        if choice.item is item:
            return {"role": role, "role_reasons": list(choice.reasons)}
        for other, reason in choice.others:
            if other is item:
                return {"role": None, "role_reasons": [reason]}
    return {"role": None, "role_reasons": []}
