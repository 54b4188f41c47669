"""Writes a Sankey diagram of ways as SVG, readable on light and on dark ground, and without colours."""

from __future__ import annotations

from xml.sax.saxutils import escape

from pipeline.insight.sankey import BAR_WIDTH, Bar, Diagram, Ribbon
from pipeline.insight.ways import OUTSIDE

_MARGIN, _TITLE, _LABEL = 16.0, 56.0, 11.0
#: A bar of a lower height than this has no text beside it, but shows it under the pointer.
_LOWEST_LABEL = 9.0
_LONGEST_LABEL = 27
_STYLE = """
  svg { font-family: system-ui, sans-serif; font-size: 11px; background: #fff }
  text { fill: #1b1b1b } .title { font-size: 15px; font-weight: 600 } .soft { fill: #5a5a5a }
  .bar { fill: #2a6f97 } .bar.none { fill: #8a8a8a } .way { fill: #2a6f97; fill-opacity: .3 }
  .way.none { fill: #8a8a8a; fill-opacity: .25 }
  @media (prefers-color-scheme: dark) {
    svg { background: #15181c } text { fill: #ececec } .soft { fill: #a8a8a8 }
    .bar { fill: #61a5c2 } .way { fill: #61a5c2; fill-opacity: .35 }
  }
"""


def write(diagram: Diagram, title: str, description: str) -> str:
    """Return a diagram as an SVG document; texts may hold anything."""
    width, height = diagram.width + 2 * _MARGIN, diagram.height + _TITLE + 2 * _MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" {size}>',
        f'<title id="title">{_text(title)}</title>',
        f'<desc id="desc">{_text(description)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="{_MARGIN:.0f}" y="{_MARGIN + 14:.0f}">{_text(title)}</text>',
        f'<text class="soft" x="{_MARGIN:.0f}" y="{_MARGIN + 32:.0f}">{_text(description)}</text>',
        f'<g transform="translate({_MARGIN:.0f} {_MARGIN + _TITLE:.0f})">',
        *_stations(diagram),
        *[_way(ribbon) for ribbon in diagram.ribbons],
        *[_bar(bar) for bar in diagram.bars],
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _stations(diagram: Diagram) -> list[str]:
    """Return the number of each station above its column."""
    columns = {bar.station: bar.x for bar in diagram.bars}
    return [f'<text class="soft" x="{x:.1f}" y="-6">{station}</text>' for station, x in columns.items()]


def _way(ribbon: Ribbon) -> str:
    edge, middle = ribbon.edge, (ribbon.x_from + ribbon.x_to) / 2
    upper = f"M{ribbon.x_from:.1f} {ribbon.y_from:.1f}C{middle:.1f} {ribbon.y_from:.1f} {middle:.1f} {ribbon.y_to:.1f} "
    low_from, low_to = ribbon.y_from + ribbon.width, ribbon.y_to + ribbon.width
    lower = f"L{ribbon.x_to:.1f} {low_to:.1f}C{middle:.1f} {low_to:.1f} {middle:.1f} {low_from:.1f} "
    outline = f"{upper}{ribbon.x_to:.1f} {ribbon.y_to:.1f}{lower}{ribbon.x_from:.1f} {low_from:.1f}Z"
    said = f"{edge.source} to {edge.target}: {edge.journeys:,}"
    return f'<path class="way{_none(edge.source, edge.target)}" d="{outline}"><title>{_text(said)}</title></path>'


def _bar(bar: Bar) -> str:
    said = f"{bar.name}: {bar.journeys:,}"
    shape = (
        f'<rect class="bar{_none(bar.name)}" x="{bar.x:.1f}" y="{bar.y:.1f}" width="{BAR_WIDTH:.0f}" '
        f'height="{bar.height:.1f}"><title>{_text(said)}</title></rect>'
    )
    if bar.height < _LOWEST_LABEL:
        return shape
    name = bar.name if len(bar.name) <= _LONGEST_LABEL else bar.name[: _LONGEST_LABEL - 1] + "…"
    place = f'x="{bar.x + BAR_WIDTH + 4:.1f}" y="{bar.y + min(bar.height / 2 + 4, _LABEL):.1f}"'
    return f'{shape}<text {place}>{_text(name)} <tspan class="soft">{bar.journeys:,}</tspan></text>'


def _none(*names: str) -> str:
    return " none" if any(name in OUTSIDE for name in names) else ""


def _text(text: str) -> str:
    """Return a text as XML has it: escaped, and without characters that XML can't hold."""
    return escape("".join([c if c.isprintable() else "�" for c in text]))
