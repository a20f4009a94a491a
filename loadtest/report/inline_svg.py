"""From an SVG document to an element of a page: in its colours, and small."""

import re
from collections import Counter

from loadtest.report.chart_style import COLOURS, HEADING, INK, LINE, MUTED, PAPER, SHADE

_PAGE_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    SHADE: "var(--shade)",
    PAPER: "var(--paper)",
    **{colour: f"var(--series-{place})" for place, colour in enumerate(COLOURS)},
}
_TAG, _LONG_DECIMALS = re.compile(r"<[^>]+>"), re.compile(r"(?<=\d)(\.\d\d)\d+")
# A group without attributes that holds no further group.
_BARE_GROUP = re.compile(r"<g>((?:(?!</?g\b).)*)</g>", re.DOTALL)


def to_inline(svg: str, name: str, heading_pt: float = 0.0) -> str:
    """An SVG document as an element of a page: own ids, the page's colours and font, no fixed size, no prologue.

    Its heading, the uppermost `heading_pt` points, is left out: a page has a heading of its own.
    """
    element = svg[svg.index("<svg") :]
    element = re.sub(rf'<g id="{HEADING}[^"]*">.*?</g>', "", element, flags=re.DOTALL)
    element = re.sub(r"<!--.*?-->\s*", "", element, flags=re.DOTALL)
    element = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'viewBox="0 0 (\S+) ([^"]+)"', lambda found: _below(found, heading_pt), element, count=1)
    element = re.sub(rf'\bid="(?!{name}-)', f'id="{name}-', element)
    element = re.sub(r'(href="|url\()#', rf"\1#{name}-", element)
    element = re.sub(r"<style[^>]*>\s*\*\{", f"<style>.{name} *{{", element)
    element = element.replace("<svg ", f'<svg class="{name}" ', 1).replace("'DejaVu Sans'", "var(--font)")
    for colour, variable in _PAGE_COLOURS.items():
        element = element.replace(colour, variable)
    return _with_classes(_small(element), name)


def _below(view: re.Match[str], heading_pt: float) -> str:
    return f'viewBox="0 {heading_pt:g} {view[1]} {float(view[2]) - heading_pt:g}"'


def _small(element: str) -> str:
    """Two decimals, one line, and neither ids that nothing refers to nor groups without attributes."""
    element = re.sub(r"\s*\n\s*", " ", element).replace("> <", "><")
    element = _TAG.sub(lambda tag: _LONG_DECIMALS.sub(r"\1", tag[0]), element)
    element = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", element)
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', element))
    used |= {name for names in re.findall(r'aria-labelledby="([^"]+)"', element) for name in names.split()}
    element = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", element)
    while (smaller := _BARE_GROUP.sub(r"\1", element)) != element:
        element = smaller
    return element


def _with_classes(element: str, name: str) -> str:
    """Styles that come more than once are written once."""
    styles = Counter(re.findall(r' style="([^"]*)"', element))
    classes = {style: f"{name}-{place}" for place, style in enumerate(one for one, n in styles.items() if n > 1)}
    rules = "".join(f".{key}{{{style}}}" for style, key in classes.items())
    element = re.sub(
        r' style="([^"]*)"',
        lambda found: f' class="{classes[found[1]]}"' if found[1] in classes else found[0],
        element,
    )
    return element.replace("</style>", f"{rules}</style>", 1)
