"""What the code imports and what pyproject.toml declares are the same thing."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# pinned closely by the package whose inner part they are, or an outer word of it (Jinja's escaping)
PART_OF = {"pydantic-core": "pydantic", "dvc-data": "dvc", "markupsafe": "jinja2"}


def imports_of(package: Path) -> dict[str, set[str]]:
    """Top-level names of others that the package imports anywhere, each with the modules that do."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found[name.partition(".")[0]].add(path.relative_to(package).as_posix())
    return {
        name: users
        for name, users in found.items()
        if name not in sys.stdlib_module_names and name != package.name
    }


def test_every_import_is_declared(repository: Path) -> None:
    """Nothing works only because some other package happens to bring it."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = chain(project["dependencies"], *project["optional-dependencies"].values())
    declared = {canonicalize_name(Requirement(text).name) for text in requirements}
    owners = packages_distributions()
    missing = {}
    for name, users in imports_of(repository / "src" / "modelwright").items():
        distributions = {canonicalize_name(owner) for owner in owners.get(name, [name])}
        if not {PART_OF.get(distribution, distribution) for distribution in distributions} & declared:
            missing[name] = sorted(users)
    assert missing == {}
