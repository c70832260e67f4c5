import subprocess

import pytest

from bench.revision import RevisionError, checkout, commit, importable, root


def git(*arguments, folder):
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    git("init", "-q", folder=folder)
    for number in (1, 2):
        (folder / "src" / "mine.py").write_text(f"version = {number}\n")
        git("add", ".", folder=folder)
        git("commit", "-qm", f"version {number}", folder=folder)
    monkeypatch.chdir(folder / "src")
    return folder


def test_a_revision_is_laid_out_and_kept(repository):
    folder = checkout("HEAD~1", None)
    assert (folder / "src" / "mine.py").read_text() == "version = 1\n"
    assert folder.name == commit("HEAD~1")
    (folder / "src" / "mine.py").write_text("built\n")
    assert checkout("HEAD~1", None) == folder
    assert (folder / "src" / "mine.py").read_text() == "built\n"
    assert importable(folder) == [folder / "src", folder]
    assert root() == repository
    assert (repository / "src" / "mine.py").read_text() == "version = 2\n"


def test_it_is_built_where_that_is_asked_for(repository):
    folder = checkout("HEAD", "touch src/built.so")
    assert (folder / "src" / "built.so").exists()
    (folder / "src" / "built.so").unlink()
    assert not (checkout("HEAD", "touch src/built.so") / "src" / "built.so").exists()
    with pytest.raises(RevisionError, match=r"^'ls nothing' failed in .* with status \d: ls: "):
        checkout("HEAD", "ls nothing")
    with pytest.raises(RevisionError, match=r"^'no-such-command' can't be run: "):
        checkout("HEAD", "no-such-command")


def test_what_is_no_revision(repository):
    with pytest.raises(RevisionError, match=r"^'v9' is no file, and no revision of the repository in "):
        checkout("v9", None)
    with pytest.raises(RevisionError, match=r"^'--help' is no file, and no revision"):
        checkout("--help", None)


def test_outside_of_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(RevisionError, match="the current folder is in no git repository"):
        checkout("HEAD", None)
