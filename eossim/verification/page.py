"""The report as one HTML file that needs nothing beside it."""

from __future__ import annotations

import html
import io

from matplotlib.figure import Figure

from .report import COLUMNS, Report

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem; vertical-align: top }
thead th { border-bottom: 2px solid #444 } tbody tr { border-bottom: 1px solid #ddd }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap } .FAILED { color: #b00020; font-weight: 600 }
.confirmed { color: #1b6e3c } code { font-size: .92em } small { color: #555 }
figure { margin: 1.5rem 0 } svg { max-width: 100%; height: auto }
"""


def html_page(report: Report) -> str:
    """Return the report as a self-contained page: summary, figures, table, and every check in words."""
    from ..plot.report import agreement, error_overview

    rows = []
    for verdict, cells in zip(report, report.rows, strict=True):
        claim = f"<code>{html.escape(cells[0])}</code><br><small>{html.escape(verdict.statement)}</small>"
        numbers = "".join(f'<td class="number">{html.escape(c)}</td>' for c in cells[1:5])
        checks = " · ".join(
            f"{html.escape(c.name)} {'✓' if c.passed else '<b class=FAILED>failed</b>'} {c.cases}"
            + (f" <small>{html.escape(c.detail)}</small>" if not c.passed else "")
            for c in verdict.checks
        )
        rows.append(f"<tr><td>{claim}</td>{numbers}<td>{checks}</td><td class={cells[6]}>{cells[6]}</td></tr>")
    head = "".join(f"<th>{c}</th>" for c in COLUMNS)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>eossim verify</title>"
        f"<style>{_STYLE}</style><h1>eossim verify</h1><p>{html.escape(report.summary)}</p>"
        f"<figure>{_svg(error_overview(report))} {_svg(agreement(report))}</figure>"
        "<p>Predicted and measured are the first case of a claim that is measured, at random hyper-parameters; the "
        "worst error is over all cases. Each check is followed by the number of cases tried. <b>proof</b>: every "
        "step of the derivation in sympy. <b>50 digits</b>: the float64 formula against the textbook form. "
        "<b>bisection</b>: the spectral radius of the literal step. <b>search</b>: a counterexample, looked for and "
        "shrunk. <b>measurement</b>: a simulation. A data set: runs below and above the edge on its Hessian.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></html>"
    )


def _svg(figure: Figure) -> str:
    """Return a figure as inline SVG."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
