"""Simulated exams with exact truth, grown from head label maps."""
