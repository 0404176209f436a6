"""The reference cases: what is true, what is proved, by which rule, and in how many seconds.

``python -m benchmarks.cases docs/cases.md`` writes the page of the documentation. The cases of the
folder beside the repository are read from there where it is; the further ones are our own.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from riemannian_modules.certify import Estimated, Proved, Refuted, certify, verify

Row = dict[str, Any]


def positive_row(name: str, title: str, truth: float, prove: Any) -> Row:
    """A case that has to be proved: its numbers, the rule, whether its certificate verifies."""
    start = time.perf_counter()
    answer = prove()
    took = time.perf_counter() - start
    row: Row = {"name": name, "title": title, "true": truth, "ours_s": took}
    if not isinstance(answer, Proved):
        return {**row, "said": type(answer).__name__.lower()}
    claim = answer.certificate.data["claim"]
    proved = answer.rate if claim["kind"] == "flow" else answer.factor
    start = time.perf_counter()
    again = verify(answer.certificate)
    return {
        **row, "norm": norm_in_words(claim["norm"]), "proved": proved,
        "ratio": proved / truth if claim["kind"] == "flow" else truth / proved,
        "rule": rule_in_words(answer.certificate.data["evidence"]), "kind": claim["kind"],
        "verified": isinstance(again, Proved), "verify_s": time.perf_counter() - start,
    }  # fmt: skip


def negative_row(name: str, title: str, answer: Any) -> Row:
    """A case that must not be proved: what was said instead."""
    row: Row = {"name": name, "title": title}
    if isinstance(answer, Refuted):
        point = ", ".join(f"{n} = {v:.4g}" for n, v in answer.witness.items())
        return {**row, "said": "refuted", "witness": point, "violation": answer.violation}
    return {**row, "said": "open" if isinstance(answer, Estimated) else "PROVED"}


def norm_in_words(norm: Mapping[str, Any]) -> str:
    """The kind of a certificate's norm."""
    if norm["type"] == "l2":
        kinds = {"metric": "constant", "metric_terms": "M(x)", "factor_terms": "coordinates"}
        kinds["entries"] = "constant, sparse"
        return f"l2, {next(word for key, word in kinds.items() if key in norm)}"
    return norm["type"] if norm["type"] != "blocks" else f"blocks, {norm['combine']}"


def rule_in_words(evidence: Mapping[str, Any]) -> str:
    """The rule of a certificate's evidence, and on how many boxes it was decided."""
    if "cuts" not in evidence:
        return str(evidence["rule"])
    boxes = sum(cut is None for cut in evidence["cuts"])
    return f"{evidence['rule']}, {boxes} box{'es' * (boxes > 1)}"


def reference_rows() -> tuple[list[Row], list[Row]]:
    """The cases of the folder beside the repository; nothing where it is absent."""
    try:
        from tests.cases import test_reference_cases as cases
    except BaseException as absent:  # pytest skips by one of its own
        if type(absent).__name__ != "Skipped":
            raise
        return [], []
    proved: list[Row] = []
    for case in sorted(cases.POSITIVE):
        module, region, norm = cases.POSITIVE[case](case)
        told = cases.TABLE[case]
        proved.append(
            positive_row(
                case, told["title"], told["truth"],
                lambda m=module, r=region, n=norm: certify(m, r, norm=n),
            )
        )  # fmt: skip
    refused = [
        negative_row(case, cases.TABLE[case]["title"], certify(*cases.NEGATIVE[case](case)))
        for case in sorted(cases.NEGATIVE)
    ]
    return proved, refused


def further_rows() -> list[Row]:
    """Our own cases of the same kinds."""
    from tests.cases import test_further_cases, test_more_metrics, test_more_regions

    rows: list[Row] = []
    tables = (test_further_cases.POSITIVE, test_more_regions.PROVED, test_more_metrics.POSITIVE)
    for name, make in (pair for table in tables for pair in table.items()):
        case = make()
        rows.append(positive_row(name, "", case.truth, case.certify))
    return rows


def run() -> dict[str, Any]:
    """All cases, as ``python -m benchmarks cases`` prints them."""
    proved, refused = reference_rows()
    return {"rows": [*proved, *refused, *further_rows()]}


def page(rows: Sequence[Row]) -> str:
    """The rows as a page of the documentation."""
    told = machine()
    proved = [r for r in rows if "true" in r and r["title"]]
    further = [r for r in rows if "true" in r and not r["title"]]
    refused = [r for r in rows if "true" not in r]
    parts = [
        "# Reference cases",
        "Written by `python -m benchmarks.cases docs/cases.md`, all through the public interface. "
        "A flow's number is its rate, a map's its Lipschitz constant; the ratio is the part of the "
        "truth that is proved, at most 1. Every certificate was verified again from its data.",
        f"Machine: {told['cores']} cores, Python {told['python']}, shared with other work.",
        f"Together {sum(r.get('ours_s', 0.0) for r in proved):.1f} s for the cases of the file, "
        f"{sum(r.get('ours_s', 0.0) for r in further):.1f} s for the further ones.",
    ]
    if proved:
        parts += ["## To be proved", table(proved, title=True)]
    if refused:
        lines = ["| Case | | Answer | Where |", "| --- | --- | --- | --- |"]
        lines += [f"| {r['name']} | {r['title']} | {r['said']} | {r.get('witness', '')} |"
                  for r in refused]  # fmt: skip
        parts += ["## Not to be proved", "\n".join(lines)]
    if further:
        parts += [
            "## Further cases",
            "Systems of the same kinds with known truths; `tests/cases` defines each.",
            table(further, title=False),
        ]
    return "\n\n".join(parts) + "\n"


def table(rows: Sequence[Row], *, title: bool) -> str:
    """A Markdown table of cases with their truths."""
    lines = [
        f"| Case |{' |' * title} Norm | True | Proved | Ratio | Rule | Seconds | Verified in |",
        f"| --- |{' --- |' * title} --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for r in rows:
        head = f"| {r['name']} |" + (f" {r['title']} |" if title else "")
        if "proved" not in r:
            lines.append(f"{head} | {r['true']:.7g} | {r['said']} | | | {r['ours_s']:.2f} | |")
            continue
        verified = f"{r['verify_s']:.2f}" if r["verified"] else "not"
        lines.append(
            f"{head} {r['norm']} | {r['true']:.7g} | {r['proved']:.7g} | {r['ratio']:.9f} | "
            f"{r['rule']} | {r['ours_s']:.2f} | {verified} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cases", description=__doc__)
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    parser.parse_args().page.write_text(page(run()["rows"]), encoding="utf-8")
