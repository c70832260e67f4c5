"""What was measured, as one page of HTML that holds all it shows."""

import io
from collections.abc import Mapping, Sequence
from html import escape

from matplotlib.figure import Figure
from rich.console import Console

from bench import tables
from bench.history import History

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }}
pre {{ overflow-x: auto; font-size: 13px; line-height: 1.35; }}
svg {{ max-width: 100%; height: auto; }}
</style></head>
<body>
<h1>{title}</h1>
{pictures}
<pre>{text}</pre>
</body></html>
"""


def page(histories: Sequence[History], pictures: Mapping[str, Figure]) -> str:
    """Return the page: the pictures, and the last run's tables."""
    last = histories[-1]
    console = Console(file=io.StringIO(), record=True, width=200, highlight=False, markup=False)
    for part in tables.report(last):
        console.print(part)
    return _PAGE.format(
        title=escape(f"{last.settings.workload}, {last.made}"),
        pictures="\n".join(_svg(figure) for figure in pictures.values()),
        text=escape("\n".join(line.rstrip() for line in console.export_text().splitlines())),
    )


def _svg(figure: Figure) -> str:
    """Return a picture as an element of a page."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    _, _, element = file.getvalue().partition("<svg")
    return f"<svg{element}"
