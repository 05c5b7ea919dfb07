"""The documentation page works without a network and under a strict content security policy."""

import re
from importlib.resources import files

from modelwright.serve.routes import docs

PAGE = {name: (files("modelwright.serve") / "page" / name).read_text("utf-8") for name in docs._ASSETS}


def test_it_loads_nothing_from_elsewhere():
    """No address of another host in any of its parts."""
    for name, text in PAGE.items():
        assert not re.search(r"https?://|//[a-z]+\.[a-z]", text.replace("// ", "")), name


def test_nothing_is_inline():
    """No script, handler or style that the policy would have to allow."""
    html = PAGE["docs.html"]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", html)
    assert "'unsafe" not in docs._POLICY


def test_text_of_others_is_only_ever_text():
    """Column names and answers may hold markup; none of it is parsed."""
    for name in ("docs.js", "form.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", PAGE[name])


def test_its_parts_are_there():
    """Files that are named are served, and elements that are looked for are in the page."""
    html = PAGE["docs.html"]
    named = {name for name in re.findall(r'(?:href|src)="([^":]+)"', html) if name != "openapi.json"}
    assert named == set(PAGE) - {"docs.html"}
    wanted = set(re.findall(r'byId\("([a-z-]+)"\)', PAGE["docs.js"]))
    assert wanted <= set(re.findall(r'id="([a-z-]+)"', html))
