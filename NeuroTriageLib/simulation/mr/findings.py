"""What a study shows: draws the findings and paints them, in the order in which they cover each other."""

from __future__ import annotations

from collections.abc import Callable

from ...core.codes import ABNORMAL
from ..head_grid import HeadGrid
from .brain_changes import (
    add_atrophy,
    add_cyst,
    add_demyelination,
    add_hydrocephalus,
    add_shine_through,
    add_variants,
    add_white_matter_lesions,
    note_large_ventricles,
)
from .canvas import MrCanvas
from .head import paint_head
from .hemorrhages import (
    add_calcification,
    add_chronic_hemorrhage,
    add_hemorrhages,
    add_microbleeds,
    draw_pattern,
    prepare_collections,
    prepare_fluid_collection,
)
from .infarcts import add_acute_infarct, add_chronic_infarct
from .masses import add_abscess, add_tumour
from .settings import BrainMrSettings
from .territories import TerritoryAtlas

CALCIFICATION_PROBABILITY = 0.5  # of people have some at the choroid plexus, the pineal or the pallidum (ours)
SHINE_THROUGH_PROBABILITY = 0.06


def paint_findings(
    canvas: MrCanvas,
    settings: BrainMrSettings,
    atlas: TerritoryAtlas | None,
    paint: Callable[[MrCanvas], None] | None,
) -> None:
    """Draw what the study shows and paint the head with it."""
    canvas.ventricle_mm = canvas.uniform(settings.ventricle_mm)
    asked = _draw(canvas, settings) if paint is None else {}
    pattern = draw_pattern(canvas) if "hemorrhage" in asked else ()
    later = prepare_collections(canvas, pattern)
    if "hygroma" in asked and not later:
        later += prepare_fluid_collection(canvas)
    paint_head(canvas, settings)
    note_large_ventricles(canvas)
    add_variants(canvas)
    if canvas.chance(CALCIFICATION_PROBABILITY):
        add_calcification(canvas)
    with canvas.marking(ABNORMAL):
        _paint_changes(canvas, asked, atlas, settings)
        if "infarct" in asked:
            add_acute_infarct(canvas, settings, atlas)
        add_hemorrhages(canvas, pattern)
        for painter in later:
            painter()
        if paint is not None:
            paint(canvas)


def _paint_changes(
    canvas: MrCanvas, asked: dict[str, bool], atlas: TerritoryAtlas | None, settings: BrainMrSettings
) -> None:
    """Everything that is no acute finding; the acute ones are painted over it."""
    painters: dict[str, Callable[[MrCanvas], None]] = {
        "hydrocephalus": add_hydrocephalus,
        "atrophy": add_atrophy,
        "white_matter": add_white_matter_lesions,
        "demyelination": add_demyelination,
        "cyst": add_cyst,
        "shine_through": add_shine_through,
        "chronic_infarct": lambda c: add_chronic_infarct(c, atlas),
        "tumour": lambda c: add_tumour(c, settings.tumour_mm),
        "abscess": add_abscess,
        "chronic_hemorrhage": add_chronic_hemorrhage,
        "microbleed": add_microbleeds,
    }
    for name, painter in painters.items():
        if name in asked:
            painter(canvas)


def _draw(grid: HeadGrid, settings: BrainMrSettings) -> dict[str, bool]:
    """The findings of one study; none for a normal one, at least one otherwise."""
    if grid.chance(settings.normal_probability):
        return {}
    chances = {
        "infarct": settings.infarct_probability,
        "hemorrhage": settings.hemorrhage_probability,
        "tumour": settings.tumour_probability,
        "chronic_infarct": settings.chronic_infarct_probability,
        "chronic_hemorrhage": settings.chronic_hemorrhage_probability,
        "white_matter": settings.white_matter_probability,
        "microbleed": settings.microbleed_probability,
        "hydrocephalus": settings.hydrocephalus_probability,
        "atrophy": settings.atrophy_probability,
        "cyst": settings.cyst_probability,
        "abscess": settings.abscess_probability,
        "demyelination": settings.demyelination_probability,
        "hygroma": settings.hygroma_probability,
        "shine_through": SHINE_THROUGH_PROBABILITY,
    }
    asked = {name: True for name, chance in chances.items() if grid.chance(chance)}
    return asked or {"white_matter": True}
