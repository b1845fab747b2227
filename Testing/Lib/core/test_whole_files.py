"""Files are whole or as they were before; a torn last line is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from NeuroTriageLib.core.whole_files import drop_torn_line, write_whole


def test_a_file_is_replaced_in_one_step_and_nothing_lies_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_whole(path, b"first")

    def refuse(self, target):
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(OSError, match="no"):
            write_whole(path, b"second")
    assert path.read_bytes() == b"first"
    write_whole(path, b"third")
    assert path.read_bytes() == b"third" and [each.name for each in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(("before", "after"), [(b"a\nb\n", b"a\nb\n"), (b"a\nb", b"a\n"), (b"torn", b""), (b"", b"")])
def test_a_torn_last_line_is_taken_away(tmp_path, before, after):
    path = tmp_path / "lines"
    path.write_bytes(before)
    drop_torn_line(path)
    assert path.read_bytes() == after


def test_a_file_that_is_not_there_has_no_torn_line(tmp_path):
    drop_torn_line(tmp_path / "none")
    assert not (tmp_path / "none").exists()
