"""From matplotlib's SVG to one that stands inside a page: own ids, the page's text colour, a title read aloud."""

from __future__ import annotations

import re
from typing import Any

from edgerag_export.report.chart_style import INK

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_URL = re.compile(r"url\(#([^)]+)\)")


def page_svg(svg: str, *, name: str, title: str, description: str) -> str:
    """Prepare a chart for a page that holds others too.

    Args:
        svg: As `chart_style.to_svg` gives it.
        name: Put in front of every id; unique on the page.
        title, description: For those who cannot see it.

    Returns:
        One `svg` element without declaration, comments, metadata and fixed size.
    """
    from lxml import etree  # deferred: only a written report needs it

    parser = etree.XMLParser(remove_comments=True, resolve_entities=False, no_network=True, load_dtd=False)
    root = etree.fromstring(svg.encode(), parser)
    for found in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(found)
    for element in root.iter():
        _rewrite(element, name)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, "")
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    for place, (tag, words) in enumerate((("title", title), ("desc", description))):
        child = etree.Element(f"{{{_SVG}}}{tag}")
        child.set("id", f"{name}-{tag}")
        child.text = words
        root.insert(place, child)
    etree.cleanup_namespaces(root)
    text: str = etree.tostring(root, encoding="unicode")
    return text


def _rewrite(element: Any, name: str) -> None:
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key in (_HREF, "href") and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        else:
            element.set(key, _URL.sub(lambda match: f"url(#{name}-{match[1]})", value).replace(INK, "currentColor"))
