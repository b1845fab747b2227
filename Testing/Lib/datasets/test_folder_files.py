"""Files of a download: pointers, folders in place of files, broken downloads, tables with bad headers."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from NeuroTriageLib.core.errors import InputError
from NeuroTriageLib.datasets.dataset import grouped
from NeuroTriageLib.datasets.folder_files import find_root, nifti_fault, pointer_kind, read_table, real_file, stem
from Testing.Lib.datasets.ct_miniatures import HU, cut_off, nifti


def test_a_git_lfs_pointer_is_told_from_a_small_image(tmp_path):
    pointer = tmp_path / "a.nii.gz"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    small = tmp_path / "b.nii.gz"
    small.write_bytes(gzip.compress(b"annex/objects"))
    assert (pointer_kind(pointer), pointer_kind(small)) == ("git-lfs", "")
    with pytest.raises(InputError, match="git lfs pull"):
        real_file(pointer)


def test_a_folder_with_several_files_in_place_of_one_is_refused(tmp_path):
    folder = tmp_path / "x.nii"
    folder.mkdir()
    for name in "ab":
        (folder / name).touch()
    with pytest.raises(InputError, match="2 files in it"):
        real_file(folder)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("share", [1.0, 0.9, 0.3])
def test_a_broken_download_is_found(tmp_path, name, share):
    path = cut_off(nifti(tmp_path / name, HU), share)
    assert bool(nifti_fault(path)) == (share < 1)


def test_a_file_in_two_gzip_members_is_whole(tmp_path):
    path = nifti(tmp_path / "a.nii", np.asarray(HU))
    data = path.read_bytes()
    whole = tmp_path / "b.nii.gz"
    whole.write_bytes(gzip.compress(data[:5000]) + gzip.compress(data[5000:]))
    assert nifti_fault(whole) == ""


def test_headers_with_line_breaks_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbf"Age\n(years)",  Sex ,\n41, F ,x\n\n')
    assert read_table(path, ("Age (years)", "Sex")) == [{"Age (years)": "41", "Sex": "F"}]


def test_the_nearest_folder_and_what_it_lacks_are_named(tmp_path):
    (tmp_path / "deep" / "data").mkdir(parents=True)
    with pytest.raises(InputError, match=r"label missing. \[.*deep\]"):
        find_root(tmp_path, ("data", "label"), "X")
    (tmp_path / "deep" / "label").mkdir()
    assert find_root(tmp_path, ("data", "label"), "X") == tmp_path / "deep"


def test_many_names_are_counted_and_only_the_first_shown():
    assert grouped([("Gone", name) for name in "abcde"]) == ("Gone (5: a, b, c and 2 more)",)


def test_a_dot_in_a_name_is_no_suffix(tmp_path):
    assert [stem(tmp_path / name) for name in ("a.b.nii.gz", "ID_1", "c.nii")] == ["a.b", "ID_1", "c"]
