#!/usr/bin/env python3
"""Compares every token and every TF-IDF value of a catalogue with scripts/text_reference.py; prints counts.

Usage: check-text-parity.py RAYONNAGE CATALOGUE WORK

RAYONNAGE is the program, CATALOGUE a folder as pipeline.yaml expects it, WORK a folder for the checkpoints. The program runs up
to `tfidf`, once for each set of parameters in text-parity-cases.json (of one block each), and `show --format csv` hands over what it made. Tokens: those of the reference
from the same (translated) texts. TF-IDF: the Python libraries' values from our tokens, fitted on the same training rows, to 1e-6
(of values above 1: of the value, since ours are kept as f32). Exits with 1 where anything differs but the words that NLTK gets
wrong, which src/text/clean.rs lists by kind.
"""

import collections
import csv
import io
import itertools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import scipy.sparse

import text_reference as reference

TOLERANCE = 1e-6
# Parameters of `fit_tfidf`; a test of the crate holds them to be valid.
CASES = json.loads(pathlib.Path(__file__).with_name("text-parity-cases.json").read_text(encoding="utf-8"))


class Pipeline:
    def __init__(self, program, catalogue, work):
        self.program = program
        # The date is needed and decides nothing here.
        self.environment = os.environ | {"RAYONNAGE_SOURCE": catalogue, "RAYONNAGE_CHECKPOINTS": work, "RAYONNAGE_DATE": "2000-01-01"}

    def run(self, params):
        settings = [f"--set=fit_tfidf.params.{key}={json.dumps(value)}" for key, value in params.items()]
        command = [self.program, "run", "--until", "tfidf", *settings]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")

    def rows(self, stage, dataset):
        command = [self.program, "show", stage, dataset, "--format", "csv"]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE)
        yield from csv.DictReader(io.TextIOWrapper(process.stdout, encoding="utf-8", newline=""))
        if process.wait() != 0:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}")


def check_tokens(pipeline, dataset):
    """Compares the tokens of each row; returns the number of rows that differ for no known reason."""
    rows = equal = by_stem = 0
    departures, others = collections.Counter(), []
    for given, ours in zip(pipeline.rows("translate", dataset), pipeline.rows("clean_text", dataset), strict=True):
        assert given["id"] == ours["id"]
        rows += 1
        words = reference.words(given["text"])
        if ours["tokens"] == " ".join(filter(None, map(reference.nltk_stem, words))):
            equal += 1
        elif ours["tokens"] == " ".join(filter(None, map(reference.snowball_stem, words))):
            by_stem += 1
            departures.update(word for word in words if reference.nltk_stem(word) != reference.snowball_stem(word))
        else:
            others.append((given["id"], given["text"], ours["tokens"]))
    print(f"tokens, {dataset}: {rows} rows; {equal} equal; {by_stem} differ by a stem that NLTK gets wrong; {len(others)} otherwise")
    for word, count in departures.most_common():
        print(f"    {word} ({count} times): {reference.snowball_stem(word)}, NLTK {reference.nltk_stem(word)}")
    for row, text, tokens in others[:5]:
        print(f"    row {row}: {text!r}\n      ours      {tokens!r}\n      reference {reference.tokens(text)!r}")
    return len(others)


def our_matrix(pipeline, dataset, width):
    indptr, indices, values = [0], [], []
    for row in pipeline.rows("tfidf", dataset):
        indices += json.loads(row["indices"])
        values += json.loads(row["values"])
        indptr.append(len(indices))
    return scipy.sparse.csr_matrix((values, indices, indptr), shape=(len(indptr) - 1, width))


def check_tfidf(pipeline, name, params):
    """Compares terms and values; returns the number of those that differ."""
    pipeline.run(params)
    [block] = params["blocks"]
    options = block | {"variant": params["variant"]}
    folds = [row["fold"] for row in pipeline.rows("split", "labelled")]
    labelled = [row["tokens"] for row in pipeline.rows("clean_text", "labelled")]
    fitted_on = [text for text, fold in zip(labelled, folds, strict=True) if fold == "train"]
    terms = [row["term"] for row in pipeline.rows("fit_tfidf", "vocabulary")]
    expected = reference.vocabulary(fitted_on, options)
    wrong_terms = sum(ours != theirs for ours, theirs in itertools.zip_longest(terms, expected))
    wrong_values = 0
    for dataset in ("labelled", "unlabelled"):
        texts = [row["tokens"] for row in pipeline.rows("clean_text", dataset)]
        if not texts:
            continue
        ours = our_matrix(pipeline, dataset, len(terms))
        theirs = reference.rows(fitted_on, texts, terms, options)
        apart = abs(ours - theirs).tocoo()
        scale = np.maximum(1.0, abs(theirs[apart.row, apart.col]).A1 if apart.nnz else 1.0)
        wrong = int((apart.data > TOLERANCE * scale).sum())
        wrong_values += wrong
        farthest = float((apart.data / scale).max(initial=0.0))
        print(
            f"TF-IDF, {name}, {dataset}: {ours.shape[0]} rows, {len(terms)} terms of which {wrong_terms} differ; "
            f"{ours.nnz} values against {theirs.nnz}, {wrong} differ, none by more than {farthest:.1e}"
        )
        wrong_values += ours.nnz != theirs.nnz
    return wrong_terms + wrong_values


def main(program, catalogue, work):
    csv.field_size_limit(1 << 30)
    pipeline = Pipeline(program, catalogue, work)
    pipeline.run(CASES["words"])
    wrong = sum(check_tokens(pipeline, dataset) for dataset in ("labelled", "unlabelled"))
    wrong += sum(check_tfidf(pipeline, name, params) for name, params in CASES.items())
    if wrong:
        sys.exit(f"parity: {wrong} differences")
    print("parity: tokens and values are those of the Python libraries")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
