"""A revision of the repository that one is in, laid out in a folder of its own."""

import io
import shlex
import subprocess
import tarfile
from pathlib import Path


class RevisionError(Exception):
    """A revision can't be had."""


def root() -> Path:
    """Return the top of the repository that the current folder is in.

    Raises
    ------
    RevisionError
        Where it is in none.
    """
    top = _git("rev-parse", "--show-toplevel")
    if top is None:
        raise RevisionError("the current folder is in no git repository: give a file, or go to one")
    return Path(top.decode().strip())


def commit(revision: str) -> str:
    """Return the commit that `revision` names.

    Raises
    ------
    RevisionError
        Where it names none.
    """
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found is None:
        raise RevisionError(f"{revision!r} is no file, and no revision of the repository in {root()}")
    return found.decode().strip()


def checkout(revision: str, build: str | None) -> Path:
    """Lay a revision out under ``.refconv/revisions``, where it stays for the next time; run `build` in it.

    Raises
    ------
    RevisionError
        Where there is no such revision, or `build` fails.
    """
    top, name = root(), commit(revision)
    folder = top / ".refconv" / "revisions" / name
    done = folder / ".refconv-built"
    if done.exists() and done.read_text() == (build or ""):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(_git("archive", name, folder=top) or b"")) as archive:
        archive.extractall(folder, filter="data")
    if build is not None:
        _build(build, folder)
    done.write_text(build or "")
    return folder


def _build(command: str, folder: Path) -> None:
    try:
        made = subprocess.run(shlex.split(command), cwd=folder, capture_output=True, text=True)
    except OSError as error:
        raise RevisionError(f"{command!r} can't be run: {error.strerror}") from error
    if made.returncode:
        last = (made.stderr or made.stdout).strip().splitlines()[-1:]
        raise RevisionError(f"{command!r} failed in {folder} with status {made.returncode}: {' '.join(last)}")


def importable(folder: Path) -> list[Path]:
    """Return where the modules of a project lie: at its top, or under ``src``."""
    return [path for path in (folder / "src", folder) if path.is_dir()]


def _git(*arguments: str, folder: Path | None = None) -> bytes | None:
    """Return what git says; None where it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True)
    except FileNotFoundError:
        raise RevisionError("git is needed to lay out a revision, and isn't installed") from None
    return None if done.returncode else done.stdout
