"""Pages that are made when the site is built: one for each operator, of its docstrings, formula and laws."""

import inspect
import re
from collections.abc import Iterator
from textwrap import dedent, indent
from typing import Any

from formulas import FORMULAS  # beside this file, whose folder MkDocs puts on the path
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

from properties import LAWS
from refconv import operators

_SECTION = re.compile(r"^(Parameters|Returns|Raises|Notes|References)\n-+\n", re.MULTILINE)


def on_config(config: Any) -> Any:
    """List the pages in the navigation: MkDocs calls this."""
    for entry in config.nav:
        if isinstance(entry, dict) and "Operators" in entry:
            entry["Operators"] = ["operators/index.md", *(f"operators/{name}.md" for name in operators)]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages: MkDocs calls this."""
    files.append(File.generated(config, "operators/index.md", content=_index()))
    for name in operators:
        files.append(File.generated(config, f"operators/{name}.md", content=page(name)))
    return files


def _index() -> str:
    rows = [
        f"| [{name}]({name}.md) | {_summary(row.forward)} | {', '.join(row.differentiable)} |"
        for name, row in operators.items()
    ]
    head = "# Operators\n\n| operator | | gradients |\n|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def page(name: str) -> str:
    """Return an operator's page in Markdown."""
    row = operators[name]
    formula = convert(FORMULAS[name], display="block")
    parts = [f"# {name}", formula, *_function(row.forward), "## Backward", *_function(row.backward), *_laws(name)]
    return "\n\n".join(parts) + "\n"


def _summary(function: Any) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


def _function(function: Any) -> Iterator[str]:
    """Yield a function's signature and the sections of its docstring."""
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    shown = signature.replace(parameters=bare, return_annotation=signature.empty)
    yield f"```python\nrefconv.{function.__name__}{shown}\n```"
    text, *sections = _SECTION.split(inspect.getdoc(function) or "")
    yield _prose(text)
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        yield f"**{title}**"
        yield _prose(body) if title in ("Notes", "References") else _definitions(body)


def _prose(text: str) -> str:
    """Return paragraphs in Markdown: what follows ``::`` is code."""
    text = re.sub(r"(?<=\n)::\n\n|::\n\n", "\n\n", f"\n{text}")
    return re.sub(r"``([^`]+)``", r"`\1`", re.sub(r":(?:func|class):`~?([^`]+)`", r"`\1`", text)).strip("\n")


def _definitions(body: str) -> str:
    """Return numpydoc's names and what is said of them as a definition list."""
    entries = re.findall(r"^(\S.*)\n((?:(?: .*)?\n?)*)", body.strip() + "\n", re.MULTILINE)
    shown = []
    for term, said in entries:
        name, separator, kind = term.partition(" : ")
        kind = kind.replace("{", "&#123;")  # which would begin a list of attributes
        head = f"`{name}` : {kind}" if separator else f"`{name}`"
        shown.append(f"{head}\n{indent(_prose(dedent(said)).strip() or ' ', '    ').replace('    ', ':   ', 1)}")
    return "\n\n".join(shown)


def _laws(name: str) -> Iterator[str]:
    yield f"## Laws\n\n`refconv check mine --laws --operator {name}` checks these."
    for law in LAWS[name]:
        yield f"**{law.name}** ({law.direction})\n\n{_prose(law.text)}"
