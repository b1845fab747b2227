"""Files of headers are read line by line, zipped or not, and a bad line is named."""

from __future__ import annotations

import gzip
import json

import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.io.header_lines import holds_headers, read_header_lines, sidecar_of

HEADER = {"Modality": "MR", "EchoTime": 0.09}
LINES = [{"subject": "1", "truth": "T2w", "header": HEADER}, HEADER]


def test_lines_hold_a_header_alone_or_with_labels_and_the_truth_is_left_out(tmp_path):
    path = tmp_path / "headers.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)) + "\n\n")
    first, second = read_header_lines(path)
    assert first.header == second.header == HEADER
    assert (first.labels, second.labels) == ({"subject": "1"}, {}) and (first.line, second.line) == (1, 2)


def test_a_zipped_file_reads_the_same_and_is_known_by_its_name(tmp_path):
    path = tmp_path / "headers.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, LINES)).encode()))
    assert holds_headers(path) and [line.header for line in read_header_lines(path)] == [HEADER, HEADER]


def test_one_json_document_is_one_header_or_a_list_of_them(tmp_path):
    path = tmp_path / "sidecar.json"
    path.write_text(json.dumps(HEADER, indent=1))
    assert [line.header for line in read_header_lines(path)] == [HEADER]
    path.write_text(json.dumps(LINES))
    assert len(list(read_header_lines(path))) == 2


@pytest.mark.parametrize("text", ['{"EchoTime": 0.1}\nnot json', '{"EchoTime": 0.1}\n[1]', '{}\n{"header": 3}'])
def test_a_bad_line_is_named(tmp_path, text):
    path = tmp_path / "headers.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match="Line 2"):
        list(read_header_lines(path))


@pytest.mark.parametrize("data", [b"\x1f\x8bbroken", b"\xff\xfe\x00\x80"])
def test_a_damaged_file_is_refused(tmp_path, data):
    path = tmp_path / "headers.jsonl"
    path.write_bytes(data)
    with pytest.raises(InputError):
        list(read_header_lines(path))


def test_a_sidecar_lies_beside_its_image(tmp_path):
    (tmp_path / "sub-1_T2w.json").write_text(json.dumps(HEADER))
    assert sidecar_of(tmp_path / "sub-1_T2w.nii.gz") == sidecar_of(tmp_path / "sub-1_T2w.nii") == HEADER
    assert sidecar_of(tmp_path / "sub-2_T2w.nii.gz") == {} and sidecar_of(tmp_path / "sub-1_T2w.nrrd") == {}
    (tmp_path / "bad.json").write_text("{")
    assert sidecar_of(tmp_path / "bad.nii") == {}
