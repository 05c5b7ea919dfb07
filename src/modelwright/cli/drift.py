"""``modelwright drift``: whether rows in a file are distributed as the training data was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_option, rows_form_option, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelwright.cli.drift_rows import Collected
    from modelwright.monitor.drift import Finding, WindowDrift
    from modelwright.monitor.together import Separation

_SHOWN = 15


@verb(
    "drift",
    examples=[
        ("modelwright drift march.csv", "against the training data of the live version"),
        ("modelwright drift march.csv --plot march.png", "the same, with a picture"),
        ("modelwright drift march.csv --against february.csv", "also all features together"),
        ("modelwright drift - --from jsonl --bundle v3 --json | jq .drifted", "for programs"),
    ],
)
@click.argument("file", type=click.Path(allow_dash=True))
@project_option
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Compare with this bundle's training data; no project needed.",
)
@click.option(
    "--version", type=click.IntRange(1), metavar="N", help="With this version's, not the live one's."
)
@rows_form_option
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Earlier rows: also tell whether a classifier can tell the two files apart.",
)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draw the result (PNG, SVG or PDF)."
)
@click.option(
    "--psi",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="Population stability index that counts as drift. Default: the project's monitor.drift.psi, or 0.2.",
)
def command(
    terminal: Terminal,
    *,
    file: str,
    project: str | None,
    bundle: Path | None,
    version: int | None,
    source_form: str | None,
    against: str | None,
    plot: Path | None,
    psi: float | None,
) -> None:
    """Tell whether rows are distributed as the training data was.

    FILE is CSV, TSV, JSON, JSON lines or Parquet (also .gz), or "-" for standard input; it needs no
    target column. Every feature's values, missing share and unseen values are compared with the
    profile in the bundle, and so are the answers the model gives to these rows.

    The exit status is 12 where drift was found and 0 where it was not.
    """
    from modelwright.bundle.answers import called
    from modelwright.bundle.read import open_bundle
    from modelwright.cli.drift_rows import collect
    from modelwright.cli.live import live_bundle
    from modelwright.cli.rows_in import read_file
    from modelwright.errors import ExitCode
    from modelwright.monitor.drift import DriftSettings, read_profile, window_drift
    from modelwright.monitor.together import separation

    if bundle is not None and (version is not None or project is not None):
        raise click.UsageError("--bundle stands alone, without --version and --project.")
    if plot is not None and plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise click.UsageError(f"--plot {plot}: the name must end in .png, .svg or .pdf.")
    found = None if bundle is not None else live_bundle(terminal, project, version)
    opened = open_bundle(bundle or Path()) if found is None else found.open()
    profile = read_profile(opened.reference)
    limit = psi or (found.project.file.monitor.drift.psi if found is not None else DriftSettings().psi)
    missing = None if found is None else found.project.file.data.missing
    schema = opened.schema.inputs
    with working(terminal, f"Reading {'standard input' if file == '-' else file}") as work:
        rows = collect(read_file(file, source_form, schema, missing, work.at), opened)
        _tell_left_out(terminal, file, rows)
        work.step("Comparing with the training data")
        drift = window_drift(
            profile,
            rows.columns,
            predictions=rows.predictions,
            schema=opened.schema.features,
            settings=DriftSettings(
                psi=limit, names={entry.name: called(entry) for entry in opened.manifest.models}
            ),
        )
        apart = None
        if against is not None:
            work.step(f"Reading {against}")
            earlier = collect(read_file(against, None, schema, missing, work.at), opened, answer=False)
            _tell_left_out(terminal, against, earlier)
            work.step("Telling the two files apart")
            apart = separation(earlier.columns, rows.columns)
        if plot is not None:
            from modelwright.cli.drift_plot import draw

            work.step(f"Drawing {plot}")
            draw(plot, profile, rows, drift)
    drifted = bool(drift.drifted) or (apart is not None and apart.drifted)
    terminal.result(_as_json(drift, apart, rows, drifted), lambda: _show(terminal, drift, apart))
    if plot is not None:
        terminal.say(f"Wrote the picture to {plot}.")
    if drifted:
        raise click.exceptions.Exit(ExitCode.DRIFT)


def _tell_left_out(terminal: Terminal, name: str, rows: Collected) -> None:
    """Warn of rows that could not be read.

    Raises:
        RowsInvalid: None could.
    """
    from modelwright.cli.answering import RowsInvalid

    if not rows.rows:
        raise RowsInvalid(
            f"{name} has no row that can be compared.",
            "Check that it is the right file.",
            details=rows.unreadable,
        )
    if rows.left_out:
        terminal.warn(f"{rows.left_out:,} rows of {name} could not be read and were left out:")
        for problem in rows.unreadable:
            terminal.say(f"  {problem}")
    if rows.refused:
        terminal.warn(f"The service would refuse {rows.refused:,} of the {rows.rows:,} rows of {name}.")


def _show(terminal: Terminal, drift: WindowDrift, apart: Separation | None) -> None:
    from modelwright.monitor import wording

    if drift.judged:
        lines = _told(drift)
        cells = [_cells(finding) for finding in lines]
        titles = ("", "drift", "size", "p", "what")
        terminal.table(plain_table(titles, cells, right=("size", "p")))
        hidden = _quiet(drift) - sum(not finding.drifted for finding in lines)
        if hidden > 0:
            terminal.print(f"and {hidden:,} more features without drift")
        if drift.untested:
            names = ", ".join(drift.untested[:5]) + (", …" if len(drift.untested) > 5 else "")
            terminal.print(f"Only missing values were compared of: {names}")
        terminal.print()
    terminal.print(wording.summary(drift))
    if apart is not None:
        terminal.print(_apart(apart))


def _told(drift: WindowDrift) -> list[Finding]:
    """Everything that drifted, then the largest of the others' values, up to a screenful."""
    drifted = list(drift.drifted)
    others = [each for each in drift.findings if not each.drifted and each.topic == "values"]
    return [*drifted, *others[: max(0, _SHOWN - len(drifted))]]


def _quiet(drift: WindowDrift) -> int:
    return sum(not each.drifted and each.topic == "values" for each in drift.findings)


def _cells(finding: Finding) -> Sequence[str]:
    from modelwright.monitor import wording

    name = f"prediction: {finding.name}" if finding.prediction else finding.name
    size = f"{finding.size:.3f}" if finding.measure == "psi" else f"{100 * finding.size:+.1f} %"
    p = f"{finding.p_value:.1g}" if finding.p_value >= 1e-9 else "<1e-9"
    quiet = f"as in training (largest gap {wording.percent(finding.distance)})"
    return (
        name,
        "yes" if finding.drifted else "",
        size,
        p,
        wording.change(finding) if finding.drifted else quiet,
    )


def _apart(apart: Separation) -> str:
    if not apart.drifted:
        return f"All features together: a classifier cannot tell the two files apart (AUC {apart.auc:.2f})."
    names = ", ".join(f"'{name}'" for name in apart.leading)
    found = f"a classifier tells the two files apart (AUC {apart.auc:.2f}), most by {names}"
    return f"All features together: {found}."


def _as_json(drift: WindowDrift, apart: Separation | None, rows: Collected, drifted: bool) -> dict[str, Any]:
    import msgspec

    from modelwright.monitor import wording

    findings = [
        {**msgspec.structs.asdict(finding), "message": wording.sentence(finding)}
        for finding in drift.findings
    ]
    return {
        "drifted": drifted,
        "judged": drift.judged,
        "message": wording.summary(drift),
        "rows": drift.rows,
        "left_out": rows.left_out,
        "refused": rows.refused,
        "features": list(dict.fromkeys(each.name for each in drift.drifted if not each.prediction)),
        "findings": findings,
        "untested": list(drift.untested),
        "together": None if apart is None else msgspec.structs.asdict(apart),
    }
