"""A folder with one document of every format that edgerag reads, and where a search must find what in each.

Every document says one thing that no other says, so that the question about it has one right place.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from sample_office import make_docx, make_epub, make_pdf, make_pptx, make_xlsx

FILLER = (
    "Nothing on these lines matters to any question; they make the part long enough to be kept apart from the next. "
    "A narrow path leads from the gate along the wall, past the old barrow and the barrel, to a bench under the elms. "
    "In autumn somebody sweeps the leaves into the corner by the shed; in spring somebody wonders where they have gone."
)
MORE_FILLER = (
    "The neighbour has a ladder, a wheelbarrow with a wooden wheel, and an opinion about hedges that nobody asked for. "
    "On quiet evenings one hears the weir, the last bus, and a piano that never gets beyond the second page. "
    "Once a month the council meets in the room above the bakery and decides to decide about the fence the next time."
)
"""Edgerag puts short parts together into one passage, whose place is that of its beginning."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A document, a question that it answers, and the place that answers it."""

    name: str
    format: str
    """As edgerag names the parser."""
    content: bytes
    question: str
    sentence: str
    """Stands in the parsed text, to the letter."""
    page: int | None = None
    heading: str | None = None
    """Last part of the heading that a hit shows; None: not looked at."""


def samples() -> tuple[Sample, ...]:
    """One or more documents of every format; the names are unique."""
    return tuple(_texts()) + tuple(_marked_up()) + tuple(_data()) + tuple(_office()) + tuple(_messages())


def write_folder(folder: Path) -> tuple[Sample, ...]:
    """Write all samples into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in samples():
        (folder / sample.name).write_bytes(sample.content)
    return samples()


def _texts() -> Iterator[Sample]:
    ferry = "The ferry Halvorsen leaves the quay at Brenna at 06:40 on weekdays."
    content = f"Notes on the crossing.\n\n{ferry}\n"
    yield _text("ferry.txt", "text", content, "When does the ferry Halvorsen leave?", ferry)
    gbk = "青石镇图书馆每逢星期二下午三点关门。"
    content = f"青石镇生活指南\n\n{gbk}镇上的邮局在图书馆对面，门口有一棵很老的银杏树。\n"
    yield Sample("青石镇.txt", "text", content.encode("gbk"), "青石镇图书馆星期二几点关门?", gbk)
    wide = "The tide mill of Polruan grinds oats on two afternoons each fortnight."
    yield Sample("mill.txt", "text", f"{wide}\r\n".encode("utf-16"), "What does the tide mill of Polruan grind?", wide)
    licence = "Whoever borrows the boat returns it with a full tank of kerosene."
    yield _text("NOTICE", "text", f"{licence}\n", "How must a borrowed boat be returned?", licence)
    code = (
        "def price_of_honey(jars: int) -> float:\n"
        '    """A jar of heather honey costs 11 francs, and the twelfth jar is free."""\n'
        "    return 11.0 * (jars - jars // 12)\n"
    )
    honey = "A jar of heather honey costs 11 francs, and the twelfth jar is free."
    yield _text("honey.py", "code", code, "What does a jar of heather honey cost?", honey)
    setting = "# The greenhouse pump runs for nine minutes at dawn."
    yield _text("pump.toml", "code", f"{setting}\nminutes = 9\n", "How long does the greenhouse pump run?", setting)


def _marked_up() -> Iterator[Sample]:
    bell = "The bell of Sorrel Abbey weighs 870 kilograms and is rung by three people."
    content = f"# Sorrel Abbey\n\n{FILLER}\n\n## The bell\n\n{bell} {MORE_FILLER}\n"
    yield _text("abbey.md", "markdown", content, "What does the bell of Sorrel Abbey weigh?", bell, heading="The bell")
    glass = "The glassworks at Tarn melts sand at 1,480 degrees in four clay pots."
    content = f"Glassworks\n==========\n\n{FILLER}\n\nMelting\n-------\n\n{glass} {MORE_FILLER}\n"
    question = "At how many degrees does the glassworks melt sand?"
    yield _text("glass.rst", "rst", content, question, glass, heading="Melting")
    comet = "Comet Ostrava returns every 73 years and was last seen in 1994."
    content = (
        f"\\documentclass{{article}}\n\\begin{{document}}\n\n{FILLER}\n\\section{{Orbits}}\n{comet} {MORE_FILLER}\n"
        "\\end{document}\n"
    )
    yield _text("comet.tex", "tex", content, "How often does comet Ostrava return?", comet, heading="Orbits")
    sheep = "The flock of Upper Fell is shorn in the second week of June."
    content = f"* TODO Shearing :farm:\n{sheep}\n"
    yield _text("sheep.org", "org", content, "When is the flock shorn?", sheep, heading="Shearing")
    salt = "The salt pans of Learnish yield 40 tonnes in a dry summer."
    content = (
        f"<!doctype html><html><head><meta charset='utf-8'><title>Learnish</title><script>alert(1)</script></head>"
        f"<body><nav>Home</nav><h1>Learnish</h1><h2>Salt</h2><p>{salt}</p></body></html>"
    )
    yield _text("salt.html", "html", content, "How much salt do the pans of Learnish yield?", salt, heading="Salt")
    organ = "The organ of Vels church has 1,212 pipes, of which nine are silent."
    content = f"<?xml version='1.0'?><church><organ><note>{organ}</note></organ></church>"
    yield _text("organ.xml", "xml", content, "How many pipes has the organ of Vels church?", organ)
    lamp = "The miners of Karst carried lamps that burned rapeseed oil."
    content = "{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Arial;}}\\f0 Mining.\\par " + lamp + "\\par}"
    yield _text("lamp.rtf", "rtf", content, "What did the lamps of the miners of Karst burn?", lamp)


def _data() -> Iterator[Sample]:
    rows = "Orchard,Apples picked,Ladder\nNorth slope,3180 kilograms,borrowed\nMill lane,2045 kilograms,own\n"
    yield _text("orchards.csv", "csv", rows, "How many apples were picked on the north slope?", "3180 kilograms")
    rows = "station\tsnowfall\nHoller ridge\t312 centimetres\nGrauer pass\t98 centimetres\n"
    yield _text("snow.tsv", "csv", rows, "snowfall at Holler ridge", "312 centimetres")
    kiln = "The brick kiln at Dornau fires for six days and cools for eight."
    yield _text("kiln.json", "json", json.dumps({"works": {"kiln": kiln}}), "How long does the brick kiln fire?", kiln)
    buoy = "Buoy 17 off Cape Merrow blinks twice every eleven seconds."
    lines = "\n".join(json.dumps(record) for record in ({"note": "Lights of the coast."}, {"note": buoy}))
    yield _text("buoys.jsonl", "json", lines + "\n", "How often does buoy 17 blink?", buoy)
    yeast = "The starter of rye dough is fed at five in the morning."
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Baking\n", "\n", yeast]},
        {"cell_type": "code", "metadata": {}, "execution_count": 1, "outputs": [], "source": ["grams = 40"]},
    ]
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    yield _text("baking.ipynb", "ipynb", notebook, "When is the rye starter fed?", yeast, heading="Baking")


def _office() -> Iterator[Sample]:
    lift = "The goods lift of the warehouse carries 650 kilograms and is inspected every March."
    yield Sample(
        "warehouse.docx", "docx", make_docx("Lifts", ["About the building.", lift]),
        "How much does the goods lift carry?", lift, heading="Lifts",
    )  # fmt: skip
    turbine = "Turbine four is stopped when storks nest within 300 metres."
    slides = [("Wind farm", FILLER), ("Birds", f"{turbine} {MORE_FILLER}")]
    yield Sample(
        "wind.pptx", "pptx", make_pptx(slides), "When is turbine four stopped?", turbine, page=2, heading="Birds"
    )
    rows = [["Hive", "Keeper", "Frames"], ["Juniper", "Marta Oyelaran", 27], ["Sage", "Ivo", 19]]
    table = make_xlsx("Beehives", rows)
    yield Sample(
        "hives.xlsx", "xlsx", table, "Who keeps the hive Juniper?", "Juniper | Marta Oyelaran | 27", heading="Beehives"
    )
    otter = "Otters came back to the river Wend in 2009, below the paper mill."
    book = make_epub("The river", [("Source", FILLER), ("Animals", f"{otter} {MORE_FILLER}")])
    yield Sample("river.epub", "epub", book, "When did otters come back to the river Wend?", otter, heading="Animals")
    valve = "Valve K9 of the boiler is replaced after 4,000 hours of operation."
    manual = make_pdf([("Safety", textwrap.wrap(FILLER, 88)), ("Boiler", [valve, *textwrap.wrap(MORE_FILLER, 88)])])
    yield Sample("boiler.pdf", "pdf", manual, "When is valve K9 replaced?", valve, page=2, heading="Boiler")


def _messages() -> Iterator[Sample]:
    goat = "The goats of the dairy are milked at half past four, before the hay is turned."
    yield Sample(
        "goats.eml", "eml", _email("Dairy rota", goat, html=False), "When are the goats of the dairy milked?", goat
    )
    canal = "The lock keeper of Canal Nine opens the gates for barges under 24 metres."
    yield Sample(
        "canal.mht", "eml", _email("Canal Nine", canal, html=True), "For which barges does the lock keeper open?", canal
    )


def _text(
    name: str, format_name: str, content: str, question: str, sentence: str, *, heading: str | None = None
) -> Sample:
    return Sample(name, format_name, content.encode(), question, sentence, heading=heading)


def _email(subject: str, text: str, *, html: bool) -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "Bo <bo@example.org>"
    message["Date"] = "Mon, 06 Jan 2025 08:00:00 +0000"
    if html:
        message.set_content(f"<html><body><p>{text}</p></body></html>", subtype="html")
    else:
        message.set_content(f"{text}\n")
    return message.as_bytes()
