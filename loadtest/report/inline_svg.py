"""From an SVG document to an element of a page: in its colours, and small."""

import re
from collections import Counter
from zlib import crc32

from loadtest.report.chart_style import COLOURS, HEADING, INK, LINE, MUTED, PAPER, SHADE

_PAGE_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    SHADE: "var(--shade)",
    PAPER: "var(--paper)",
    **{colour: f"var(--series-{place})" for place, colour in enumerate(COLOURS)},
}
_TAG, _LONG_DECIMALS = re.compile(r"<[^>]+>"), re.compile(r"(?<=\d)(\.\d)\d+")
_MARK = r'<use href="#[^"]+" x="[^"]+" y="[^"]+"( class="[^"]+")/>'
_MARKS = re.compile(rf"<g( clip-path=[^>]+)>((?:{_MARK})+)</g>")
_PATH_PAIR = re.compile(r'<path d="([^"]+)"( [^>]*)/><path d="([^"]+)"\2/>')
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
    code = f"c{crc32(name.encode()) & 0xFFFF:x}"
    return _merged(_with_classes(_small(element, code), code))


def _below(view: re.Match[str], heading_pt: float) -> str:
    return f'viewBox="0 {heading_pt:g} {view[1]} {float(view[2]) - heading_pt:g}"'


def _small(element: str, code: str) -> str:
    """One decimal, one line, and neither ids that nothing refers to nor groups without attributes."""
    element = re.sub(r"\s*\n\s*", " ", element).replace("> <", "><")
    element = _TAG.sub(lambda tag: _LONG_DECIMALS.sub(r"\1", tag[0]), element)
    element = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", element)
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', element))
    used |= {name for names in re.findall(r'aria-labelledby="([^"]+)"', element) for name in names.split()}
    element = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", element)
    element = _with_short_ids(element.replace("xlink:href", "href"), used, code)
    while (smaller := _BARE_GROUP.sub(r"\1", element)) != element:
        element = smaller
    return element


def _with_short_ids(element: str, used: set[str], code: str) -> str:
    """Those that are drawn from a hash become numbers; title and description keep theirs."""
    hashed = sorted(one for one in used if not one.endswith(("-title", "-desc")))
    short = {one: f"{code}_{place}" for place, one in enumerate(hashed)}
    return re.sub(r'(id="|href="#|url\(#)([^")]+)', lambda found: found[1] + short.get(found[2], found[2]), element)


def _with_classes(element: str, code: str) -> str:
    """Styles that come more than once are written once."""
    styles = Counter(re.findall(r' style="([^"]*)"', element))
    classes = {style: f"{code}-{place}" for place, style in enumerate(one for one, n in styles.items() if n > 1)}
    rules = "".join(f".{key}{{{style}}}" for style, key in classes.items())
    element = re.sub(
        r' style="([^"]*)"',
        lambda found: f' class="{classes[found[1]]}"' if found[1] in classes else found[0],
        element,
    )
    return element.replace("</style>", f"{rules}</style>", 1)


def _merged(element: str) -> str:
    """Marks of one kind have their class from their group, and neighbouring paths of one kind are one path."""
    element = _MARKS.sub(lambda found: f"<g{found[1]}{found[3]}>{found[2].replace(found[3], '')}</g>", element)
    while (smaller := _PATH_PAIR.sub(r'<path d="\1\3"\2/>', element)) != element:
        element = smaller
    return element
