"""Keeps the figures in docs/reference/benchmarks.md: a section a benchmark, with its machine and date."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.rows import Benchmark, Row
from modelwright import __version__

REPORT = Path(__file__).resolve().parent.parent / "docs" / "reference" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`; each section says when and where it was measured. Figures from different machines or
days do not compare, ratios do: both sides of a ratio were measured in the same run, unless one is a budget.
"""


def write(name: str, benchmark: Benchmark, rows: list[Row]) -> None:
    """Replace the benchmark's section and leave the others as they are."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{_section(benchmark, rows)}\n{end}\n"
    text = REPORT.read_text(encoding="utf-8") if REPORT.exists() else HEAD
    existing = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}\n", re.DOTALL)
    text, replaced = existing.subn(lambda _: section, text)
    if not replaced:
        text = f"{text.rstrip()}\n\n{section}"
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text, encoding="utf-8")


def _section(benchmark: Benchmark, rows: list[Row]) -> str:
    lines = [f"## {benchmark.title}", "", benchmark.how, ""]
    lines += [
        "| what | figure | compared with | ratio | goal | |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    for row in rows:
        verdict = "" if row.goal is None else ("met" if row.holds else "**missed**")
        lines.append(
            f"| {row.what} | {row.value:,.4g} {row.unit} | {row.against}: {row.reference:,.4g} {row.unit} "
            f"| {row.ratio:.3f} | {row.aim} | {verdict} |"
        )
    return "\n".join(
        [*lines, "", f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine()}; {_versions(benchmark)}."]
    )


def machine() -> str:
    """The machine in a few words: processor, cores this process may use, memory, system."""
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {gibibytes:.0f} GiB, "
        f"{platform.system()} {platform.machine()}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _versions(benchmark: Benchmark) -> str:
    named = [f"{package} {_version(package)}" for package in benchmark.packages]
    return ", ".join([f"Python {platform.python_version()}", *named])


def _version(package: str) -> str:
    """What is measured may run from its folder, uninstalled."""
    return __version__ if package == "modelwright" else version(package)
