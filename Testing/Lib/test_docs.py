"""The documents under docs/ name every field, setting, exit code and room that the code has."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from NeuroTriageLib import cli
from NeuroTriageLib.core import errors
from NeuroTriageLib.core.sign_off import Difference
from NeuroTriageLib.io.model_packs import PackManifest
from NeuroTriageLib.outputs.findings_json import findings_schema
from NeuroTriageLib.review.version_files import FORMAT_VERSION
from NeuroTriageLib.review.versions import ExamReference, ReaderEntry, Version
from NeuroTriageLib.service import site_config
from NeuroTriageLib.systems import kuo2019_config, nael2021_config, ye2019_config
from NeuroTriageLib.systems.consensus_config import ConsensusConfig, ConsensusMember
from NeuroTriageLib.systems.kuo2019_config import Kuo2019Config
from NeuroTriageLib.systems.nael2021_config import Nael2021Config
from NeuroTriageLib.systems.ye2019_config import Ye2019Config

ROOT = Path(__file__).resolve().parents[2]


def text(name: str) -> str:
    """A document of docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def table_row(document: str, key: str) -> list[str]:
    """The cells of the last table row that begins with the key."""
    rows = re.findall(rf"^\| `{key}` \|(.*)\|$", document, flags=re.MULTILINE)
    return [cell.strip() for cell in rows[-1].split("|")]


def test_every_field_of_findings_json_is_described():
    schema = findings_schema()
    names = set(schema["properties"]) - {"series"} | set(schema["properties"]["series"]["properties"])
    for part in ("series", "finding", "abc2", "model", "quality_flag", "region", "familiarity"):
        names |= set(schema["$defs"][part]["properties"])
    document = text("findings_json.md")
    assert not [name for name in sorted(names) if not re.search(rf"`(\w+\.)?{name}`", document)]


def test_every_key_of_a_model_pack_is_described():
    document = text("model_packs.md")
    kinds = (PackManifest, Kuo2019Config, Ye2019Config, Nael2021Config, ConsensusConfig, ConsensusMember)
    names = {field.name for cls in kinds for field in dataclasses.fields(cls)}
    assert not [name for name in sorted(names) if f"`{name}`" not in document]


def test_every_field_of_the_review_store_is_described():
    document = text("review_store.md")
    kinds = (Version, ReaderEntry, Difference, ExamReference)
    names = {field.name for cls in kinds for field in dataclasses.fields(cls)}
    names = names - {"number", "grid", "patient_key"} | {"geometry", "patient", "software"}
    names |= {f"voxel_{name}" for name in ("index", "level", "type_level")}
    assert not [name for name in sorted(names) if f"`{name}`" not in document]
    assert f"format version {FORMAT_VERSION}" in document


def test_every_key_of_a_nodes_site_file_is_described_under_its_section():
    sections = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^##|\Z)", text("node.md"), flags=re.MULTILINE | re.DOTALL))
    kinds = {
        **{"[node]": site_config.Node, "[[callers]]": site_config.Caller, "[limits]": site_config.Limits},
        **{"[completeness]": site_config.Completeness, "[readers]": site_config.Readers, "[order]": site_config.Order},
        **{"[[destinations]]": site_config.Destination, "[[listeners]]": site_config.Listener},
        **{
            "retry = { ... }": site_config.Retry,
            "login = { ... }": site_config.Login,
            "tls = { ... }": site_config.Tls,
        },
        **{"[http]": site_config.Http, "[[http.users]]": site_config.HttpUser},
        **{"[retention]": site_config.Retention, "[[watch]]": site_config.Watch},
    }
    assert sections.keys() == kinds.keys()
    missing = [
        f"{section} {field.name}"
        for section, kind in kinds.items()
        for field in dataclasses.fields(kind)
        if f"`{field.name}`" not in sections[section]
    ]
    assert not missing


@pytest.mark.parametrize(
    ("system", "names"),
    [
        ("kuo2019", ("width", "pixel_spacing_mm", "image_size", "patch_size", "patch_sharpness")),
        ("ye2019", ("width", "pixel_spacing_mm", "image_size", "slab_mm", "margin_mm", "unasked_share")),
        ("nael2021", ("in_plane", "depth", "width", "dropout")),
    ],
)
def test_the_described_settings_are_the_real_ones(system, names):
    section = text("model_packs.md").split(f"## config of {system}\n")[1].split("\n## ")[0]
    config = {"kuo2019": kuo2019_config, "ye2019": ye2019_config, "nael2021": nael2021_config}[system]
    for name in names:
        published, compact = table_row(section, name)[:2]
        assert float(published) == getattr(config.PUBLISHED, name)
        assert float(compact) == getattr(config.COMPACT, name)


def test_every_error_stands_beside_its_exit_code():
    document = text("errors_and_exit_codes.md")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.NeuroTriageError]
    for kind in kinds:
        row = next(line for line in document.splitlines() if line.startswith("|") and f"`{kind.__name__}`" in line)
        assert row.startswith(f"| {kind.exit_code} |")


def test_the_help_lists_the_documented_exit_codes():
    documented = re.findall(r"^\| (\d) \|", text("errors_and_exit_codes.md"), flags=re.MULTILINE)
    assert sorted(documented) == sorted(re.findall(r"\b(\d)\b", cli.EXIT_CODES))


def test_every_room_is_described():
    library = ROOT / "NeuroTriageLib"
    rooms = [f"`{path.parent.name}/`" for path in library.glob("*/__init__.py")]
    rooms += [f"`{path.name}`" for path in library.glob("*.py") if path.name != "__init__.py"]
    document = text("architecture.md")
    assert not [room for room in rooms if room not in document]


def test_links_between_documents_lead_somewhere():
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    for document in documents:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:")):
                assert (document.parent / target).exists(), f"{document.name} -> {target}"


@pytest.mark.parametrize(("name", "heading"), [("user_complaints.md", "complaint"), ("threats.md", "threat")])
def test_every_complaint_and_every_threat_names_tests_that_exist(name, heading):
    rows = text(name).splitlines()
    rows = [row for row in rows if row.startswith("| ") and not row.startswith((f"| {heading} |", "| ---"))]
    shown_by = [row.split("|")[3].strip() for row in rows]
    assert len(shown_by) > 20
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "Testing").rglob("*.py")}
    for cell in shown_by:
        named = re.findall(r"`(\w+\.py)`(?: (\w+)\.\.\.)?", cell)
        assert named or cell == "not yet", cell
        for file, beginning in named:
            assert file in files and (not beginning or f"def test_{beginning}" in files[file]), (file, beginning)
