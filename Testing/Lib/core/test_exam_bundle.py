"""What a scene keeps of an exam: everything but the images, in one piece, and nothing else is taken out of it."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.core.exam_bundle import unpack_bundle, write_bundle
from NeuroTriageLib.core.exchange import ARRAYS_FILE, EXAM_FILE
from NeuroTriageLib.core.heat_percent import from_percent, to_percent


def exchanged(folder):
    folder.mkdir()
    label = np.zeros((4, 30, 20), np.uint8)
    label[1, 3:9, 4:8] = 2
    np.savez(folder / ARRAYS_FILE, volume=np.full(label.shape, 40, np.int16), label=label)
    (folder / EXAM_FILE).write_text('{"findings": []}')
    return folder, label


def test_a_bundle_holds_the_exam_and_its_maps_without_the_images(tmp_path):
    folder, label = exchanged(tmp_path / "exam")
    content = write_bundle(folder).read_bytes()
    unpack_bundle(content, tmp_path / "again")
    with np.load(tmp_path / "again" / ARRAYS_FILE) as arrays:
        assert arrays.files == ["label"] and np.array_equal(arrays["label"], label)
    assert (tmp_path / "again" / EXAM_FILE).read_text() == '{"findings": []}'


def test_a_bundle_with_another_file_or_a_damaged_one_is_refused(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(EXAM_FILE, "{}")
        archive.writestr("../evil.txt", "x")
    for content in (stream.getvalue(), b"no zip"):
        with pytest.raises(InputError):
            unpack_bundle(content, tmp_path / "out")
    assert not (tmp_path / "evil.txt").exists()


def test_percents_come_back_to_half_a_percent():
    probability = np.linspace(0, 1, 1001).astype(np.float16)
    assert np.abs(from_percent(to_percent(probability)).astype(float) - probability.astype(float)).max() <= 0.0055
