"""From the series of a study to those that a system reads, with reasons that a person can check."""

from .head_ct import Selection, matching_series, select_head_ct
from .mr_roles import RoleChoice, best_for_role, choose_roles, study_roles
from .mr_series import MrSeries, identify_study

__all__ = [
    "MrSeries",
    "RoleChoice",
    "Selection",
    "best_for_role",
    "choose_roles",
    "identify_study",
    "matching_series",
    "select_head_ct",
    "study_roles",
]
