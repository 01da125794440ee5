# SPDX-License-Identifier: MIT
# necropy: lxml trees, proxies, parsers and transformations.
"""lxml_trees.py: elements that have Python proxies and ones that have none."""
import gc
import io
import os
import sys

from lxml import etree, html, objectify

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

KEPT = {}


class Target:
    def __init__(self):
        self.seen = []

    def start(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def end(self, tag):
        self.seen.append(tag)

    def close(self):
        return self.seen


def main():
    root = etree.Element("{urn:shop}shop", nsmap={"s": "urn:shop"})
    for number in range(500):
        book = etree.SubElement(root, "book", id=str(number), lang="en")
        book.text, book.tail = "Title %d" % number, "\n"
        etree.SubElement(book, "price").text = "%d.5" % number
    KEPT["root"], KEPT["some"] = root, list(root)[::3]
    KEPT["found"] = root.xpath("//book[@id > 400]/price/text()")
    KEPT["xpath"], KEPT["evaluator"] = etree.XPath("//book[price > 3]"), etree.XPathEvaluator(root)
    KEPT["hits"] = KEPT["xpath"](root), KEPT["evaluator"]("count(//book)")
    style = etree.XML('<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
                      '<out><xsl:value-of select="count(//book)"/></out></xsl:template></xsl:stylesheet>')
    KEPT["transform"] = etree.XSLT(style)
    KEPT["result"] = KEPT["transform"](root)
    KEPT["schema"] = etree.RelaxNG(etree.XML('<element name="a" xmlns="http://relaxng.org/ns/structure/1.0"><text/></element>'))
    KEPT["page"] = html.fromstring("<html><body>" + "<p class='x'>one <a href='#'>two</a></p>" * 200 + "</body></html>")
    KEPT["links"] = list(KEPT["page"].iterlinks())
    KEPT["objects"] = objectify.fromstring("<a><b>1</b><b>2</b><c><d>text</d></c></a>")
    KEPT["values"] = KEPT["objects"].b, KEPT["objects"].c.d, [thing for thing in KEPT["objects"].b]
    KEPT["iterparse"] = etree.iterparse(io.BytesIO(etree.tostring(root)), events=("start", "end"))
    KEPT["events"] = [next(KEPT["iterparse"]) for _ in range(50)]
    KEPT["walk"] = etree.iterwalk(root, events=("start", "end", "comment"))
    next(KEPT["walk"])
    KEPT["parser"] = etree.XMLParser(target=Target(), remove_blank_text=True)
    KEPT["parsed"] = etree.XML("<a><b c='d'/></a>", KEPT["parser"])
    pull = KEPT["pull"] = etree.XMLPullParser(events=("end",))
    pull.feed("<r>" + "<i/>" * 20)
    KEPT["pulled"] = [event for event in pull.read_events()]
    lookup = KEPT["lookup"] = etree.ElementNamespaceClassLookup(objectify.ObjectifyElementClassLookup())
    KEPT["parser2"] = etree.XMLParser()
    KEPT["parser2"].set_element_class_lookup(lookup)
    KEPT["attributes"] = [(thing.attrib, thing.itersiblings(), thing.iterancestors()) for thing in list(root)[:40]]
    try:
        etree.XML("<a><b></a>")
    except etree.XMLSyntaxError as error:
        KEPT["error"] = error, error.error_log
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
