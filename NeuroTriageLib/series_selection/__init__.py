"""From the series of a study to the one that a system reads, with reasons that a person can check."""

from .head_ct import Selection, matching_series, select_head_ct

__all__ = ["Selection", "matching_series", "select_head_ct"]
