"""The code's version: the commit of its own repository, and no other repository's."""

from __future__ import annotations

import subprocess

from NeuroTriageLib import __version__
from NeuroTriageLib.core import code_version as module
from NeuroTriageLib.core.code_version import code_version


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_commit_is_said_and_whether_the_library_was_changed_since(tmp_path, monkeypatch):
    library = tmp_path / "NeuroTriageLib"
    library.mkdir()
    (library / "a.py").write_text("1")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    monkeypatch.setattr(module, "LIBRARY", library)
    said = code_version()
    assert said["neurotriage"] == __version__ and len(said["commit"]) == 40 and said["changed"] is False
    (tmp_path / "notes").write_text("not the library")
    assert code_version()["changed"] is False
    (library / "a.py").write_text("2")
    assert code_version() == said | {"changed": True}


def test_the_commit_of_a_repository_that_it_was_installed_into_is_not_its_own(tmp_path, monkeypatch):
    library = tmp_path / "env" / "site-packages" / "NeuroTriageLib"
    library.mkdir(parents=True)
    git(tmp_path, "init", "-q")
    monkeypatch.setattr(module, "LIBRARY", library)
    assert "commit" not in code_version()


def test_without_git_the_version_is_said_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    said = code_version()
    assert said["neurotriage"] == __version__ and "torch" in said and "commit" not in said
