#!/usr/bin/env python3
"""Writes tests/fixtures/pca.json: principal components of scikit-learn.

Usage: make-pca-fixture.py

`make pca-fixture` does all of it. The rows come from a formula, which src/model/pca/tests.rs repeats and whose test reads the file.
The output depends on the versions of scripts/text-requirements.txt.
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.decomposition import PCA

FIXTURE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "pca.json"
# Rows, columns, components: more columns than rows, and more rows than columns.
CASES = [(24, 64, 6), (80, 24, 6)]
TRANSFORMED = 4


def pictures(rows, columns):
    """Smooth hills at places and of heights that depend on the row, with some noise."""
    place = np.arange(rows * columns, dtype=np.uint32)
    bits = place ^ (place >> np.uint32(16))
    bits *= np.uint32(0x85EBCA6B)
    bits ^= bits >> np.uint32(13)
    noise = (bits % np.uint32(24)).astype(np.int64).reshape(rows, columns)
    row = np.arange(rows).reshape(-1, 1)
    column = np.arange(columns).reshape(1, -1)

    def hill(centre, height):
        far = np.abs(centre - column) * 16 // columns
        return height * np.maximum(16 - far * far, 0) // 16

    hills = hill(row * 7 % columns, 40 + row * 31 % 120) + hill(row * row * 3 % columns, 30)
    return np.minimum(noise + hills, 255).astype(np.uint8)


def rounded(values):
    """Numbers with as many digits as tests look at."""
    return [[float(f"{x:.10g}") for x in row] for row in values] if values.ndim == 2 else [float(f"{x:.12g}") for x in values]


def main():
    cases = []
    for rows, columns, components in CASES:
        given = pictures(rows, columns) / 255.0
        pca = PCA(n_components=components, svd_solver="full").fit(given)
        cases.append(
            {
                "rows": rows,
                "columns": columns,
                "components": components,
                "mean": rounded(pca.mean_),
                "entries": rounded(pca.components_),
                "explained_variance": rounded(pca.explained_variance_),
                "explained_variance_ratio": rounded(pca.explained_variance_ratio_),
                "transformed": rounded(pca.transform(given[:TRANSFORMED])),
            }
        )
    fixture = {"scikit-learn": sklearn.__version__, "cases": cases}
    FIXTURE.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
