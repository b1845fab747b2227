"""The extension's own files: everything the module needs is listed, and laid out so that the module finds it."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "NeuroTriage"

# What find_package(Slicer) offers, reduced to laying the files out where Slicer's own macros put them.
FAKE_SLICER = """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
macro(slicer_add_python_unittest)
endmacro()
function(slicer_add_python_test)
  cmake_parse_arguments(MY "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS;SCRIPT_ARGS" ${ARGN})
  file(APPEND ${CMAKE_BINARY_DIR}/tests.txt "${MY_TESTNAME_PREFIX} ${MY_SCRIPT} ${MY_SCRIPT_ARGS}\n")
endfunction()
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(file ${MY_SCRIPTS} ${MY_RESOURCES})
    get_filename_component(folder ${file} DIRECTORY)
    file(COPY ${CMAKE_CURRENT_SOURCE_DIR}/${file} DESTINATION ${CMAKE_BINARY_DIR}/qt-scripted-modules/${folder})
  endforeach()
endfunction()
"""


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory) -> Path:
    """The folder in which Slicer would find the module and everything beside it."""
    if shutil.which("cmake") is None:
        pytest.skip("needs cmake")
    folder = tmp_path_factory.mktemp("extension")
    (folder / "SlicerConfig.cmake").write_text(FAKE_SLICER)
    (folder / "nothing.cmake").write_text("")
    # The project's own minimum is that of Slicer 5.12; an older cmake can still read these few lines.
    source = folder / "source"
    source.mkdir()
    for name in ("NeuroTriage", "NeuroTriageLib", "Resources", "Testing"):
        (source / name).symlink_to(ROOT / name)
    text = (ROOT / "CMakeLists.txt").read_text()
    text = re.sub(r"VERSION 3\.\d+", "VERSION 3.16", text, count=1)
    (source / "CMakeLists.txt").write_text(text.replace("project(NeuroTriage)", "project(NeuroTriage NONE)"))
    command = ["cmake", "-S", str(source), "-B", str(folder / "build"), f"-DSlicer_DIR={folder}", "-DBUILD_TESTING=ON"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return folder / "build" / "qt-scripted-modules"


def test_every_file_of_the_module_is_listed():
    listed = set(re.findall(r"^  (\S+/\S+)$", (MODULE / "CMakeLists.txt").read_text(), re.MULTILINE))
    listed = {name.replace("${MODULE_NAME}", "NeuroTriage") for name in listed}
    there = {
        str(path.relative_to(MODULE))
        for folder in ("NeuroTriagePanel", "Resources")
        for path in (MODULE / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert listed == there


def test_the_library_is_importable_from_where_the_extension_is_installed(laid_out):
    code = "import NeuroTriageLib.worker, NeuroTriageLib.pipeline, NeuroTriageLib.core.resources as r, pathlib, sys;"
    code += "assert pathlib.Path(r.__file__).is_relative_to(sys.argv[1]), r.__file__;"
    code += "assert r.resources_folder().parent == pathlib.Path(sys.argv[1]), r.resources_folder()"
    command = [sys.executable, "-c", code, str(laid_out)]
    run = subprocess.run(command, cwd=laid_out, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_every_python_and_data_file_of_the_library_is_installed(laid_out):
    kept = {".py", ".json", ".html", ".css"}
    library = ROOT / "NeuroTriageLib"
    expected = {str(path.relative_to(ROOT)) for path in library.rglob("*") if path.suffix in kept and path.is_file()}
    assert {name for name in expected if not (laid_out / name).is_file()} == set()


def test_model_packs_and_sample_studies_are_installed(laid_out):
    for folder in ("Models", "SampleData"):
        expected = {str(path.relative_to(ROOT)) for path in (ROOT / "Resources" / folder).rglob("*") if path.is_file()}
        assert len(expected) > 10 and {name for name in expected if not (laid_out / name).is_file()} == set()


def test_ctest_runs_scenes_that_are_there_inside_slicer_each_under_a_name_of_its_own(laid_out):
    registered = [line.split() for line in (laid_out.parent / "tests.txt").read_text().splitlines()]
    assert len({name for name, *_ in registered}) == len(registered) > 10
    assert all(Path(script).is_file() and (ROOT / scene).is_file() for _, script, scene in registered)
    assert "Testing/Panel/scene_session.py" in {scene for *_, scene in registered}


def test_both_hosts_offer_what_the_registered_scenes_ask_for(laid_out):
    registered = [line.split()[-1] for line in (laid_out.parent / "tests.txt").read_text().splitlines()]
    for scene in (*registered, "Testing/Panel/panel_on_host.py", "Testing/Panel/tutorial_session.py"):
        asked = re.findall(r"^\s*from slicer_host\.(\w+) import (.+)$", (ROOT / scene).read_text(), re.MULTILINE)
        for module, names in asked:
            for folder in ("Host", "InSlicer"):
                text = (ROOT / "Testing" / folder / "slicer_host" / f"{module}.py").read_text()
                assert all(re.search(rf"^(def|class) {name}\b", text, re.MULTILINE) for name in names.split(", ")), (
                    scene
                )


def test_the_module_imports_no_third_party_package_at_file_scope():
    allowed = {"enum", "os", "slicer", "vtk"}
    statements = re.findall(r"^(?:import|from) (\w+)", (MODULE / "NeuroTriage.py").read_text(), re.MULTILINE)
    assert set(statements) <= allowed


def test_the_catalog_entry_has_the_fields_of_its_schema_and_no_other():
    entry = json.loads((ROOT / "NeuroTriage.json").read_text())
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    known = {"$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies", "build_subdirectory"}
    known |= {"dicom_support_rule", "enabled", "tier"}
    assert set(entry) <= known and 1 <= entry["tier"] <= 5


def test_the_catalog_offers_the_extension_for_head_ct_and_brain_mri_and_for_nothing_else():
    rule = json.loads((ROOT / "NeuroTriage.json").read_text())["dicom_support_rule"]
    offered = [("CT", "HEAD"), ("MR", "HEAD"), ("MR", "BRAIN"), ("CT", "CHEST"), ("MR", "KNEE"), ("US", "HEAD")]
    said = [eval(rule, {"Modality": modality, "BodyPartExamined": part}) for modality, part in offered]
    assert said == [True, True, True, False, False, False]


def test_the_icon_is_128_pixels_square():
    header = (MODULE / "Resources" / "Icons" / "NeuroTriage.png").read_bytes()[:24]
    assert header[1:4] == b"PNG" and struct.unpack(">II", header[16:24]) == (128, 128)
