"""NeuroTriage: open-source triage of head CT; research software, not for diagnosis."""

__version__ = "0.1.0"
