"""``python -m refconv``: the command ``refconv``."""

from refconv.cli import main

main()
