"""What `docs/coverage.md` says of the models, printed from them when the site is built."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from properties.layers import layers
from properties.models import MODELS, Model
from properties.networks import ALL
from properties.plan import LARGEST
from refconv import operators


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables where their comments are: MkDocs calls this."""
    for comment, lines in {"<!-- layers -->": _layers, "<!-- classes -->": _classes}.items():
        if comment in markdown:
            markdown = markdown.replace(comment, "\n".join(lines()))
    return markdown


def _layers() -> Iterator[str]:
    """Yield a table of how much there is of each operator."""
    networks = [network() for network in ALL.values()]
    noted = Counter(layer.operator for network in networks for layer in network.layers)
    rows = [(name, noted[name], len(layers(name, LARGEST)), *_size(MODELS[name])) for name in operators]
    yield "| operator | layers of networks | distinct calls | features | classes |"
    yield "|---|---:|---:|---:|---:|"
    for name, *numbers in rows:
        yield f"| [{name}](operators/{name}.md) | {' | '.join(f'{number:,}' for number in numbers)} |"
    both = [sum(row[place] for row in rows) for place in (1, 2)]
    yield f"| all, of {len(networks)} networks | {' | '.join(f'{number:,}' for number in both)} | | |"


def _size(model: Model) -> tuple[int, int]:
    return len(model.counted), sum(len(feature.classes) for feature in model.counted)


def _classes() -> Iterator[str]:
    """Yield a table of features and their classes for each operator."""
    for name in operators:
        yield f"### {name}\n"
        yield "| feature | classes |"
        yield "|---|---|"
        for feature in MODELS[name].counted:
            yield f"| {feature.name} | {', '.join(f'`{known.name}`' for known in feature.classes)} |"
        yield ""
