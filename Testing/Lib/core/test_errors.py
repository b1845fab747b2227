"""Errors: one line that says what, where and what to do, and the documented exit codes."""

from __future__ import annotations

import pytest

from NeuroTriageLib.core import errors


def test_the_message_is_one_line_of_what_where_and_next_step():
    error = errors.InputError("The file is empty.", where="scan.dcm", next_step="Copy it again.")
    assert str(error) == "The file is empty. [scan.dcm] Copy it again."
    assert str(errors.InputError("The file is empty.")) == "The file is empty."


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (errors.NeuroTriageError, 1),
        (errors.OutputError, 1),
        (errors.Cancelled, 1),
        (errors.ConfigError, 2),
        (errors.InputError, 3),
        (errors.DicomError, 3),
        (errors.GeometryError, 3),
        (errors.SeriesSelectionError, 4),
        (errors.ModelError, 5),
    ],
)
def test_every_kind_of_error_has_its_documented_exit_code(kind, exit_code):
    assert kind("x").exit_code == exit_code
    assert issubclass(kind, errors.NeuroTriageError)
