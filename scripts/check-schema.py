"""Holds the JSON Schema of the configuration against the reference library of Python.

    check-schema.py SCHEMA PIPELINE

The schema is one (draft 7), the shipped configuration is valid by it, and each of some typical mistakes is found, at its place. The
tests of the program judge by a small validator of their own; this says that it judges right.
"""

import json
import sys
from pathlib import Path

import yaml
from jsonschema import Draft7Validator

# What stands in the file, what is written in its place, and the key that the mistake is at.
MISTAKES = [
    ("seed: 123  ", "sead: 123  ", ""),
    ("seed: 123  ", "seed: many  ", "seed"),
    ("rows_per_part: 512", "rows_per_part: 0", "rows_per_part"),
    ("max_reject_ratio: 0.01", "max_reject_ratio: 7", "max_reject_ratio"),
    ("\nsource:\n", "\nsources:\n", ""),
    ("backbone: vgg16", "backbone: vgg19", "weights.vgg16.backbone"),
    ("kind: clean_text\n", "kind: claen_text\n", "stages.clean_text.kind"),
    ("needs: [translate]", "needs: translate", "stages.clean_text.needs"),
    ("max_words: 500", "max_wrods: 500", "stages.clean_text.params"),
    ("stem: french", "stem: frnech", "stages.clean_text.params.stem"),
    ("margin: 0.10", "margin: 0.5", "stages.decode_images.params.margin"),
    ("params: { weights: mobilenet_v2 }", "params: {}", "stages.embed_mobilenet_v2.params"),
    ("model: linear_svm", "model: linear_svn", "stages.linear_svm.params.model"),
    ("trees: 100", "tress: 100", "stages.random_forest.params"),
    ("cv: { folds: 3 }", "cv: { folds: 1 }", "stages.pixels_logistic_regression.params.cv.folds"),
]


def places(validator: Draft7Validator, text: str) -> list[str]:
    errors = validator.iter_errors(yaml.safe_load(text))
    return [".".join(str(key) for key in error.absolute_path) for error in errors]


def main() -> None:
    schema, pipeline = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:3])
    schema = json.loads(schema)
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)
    if found := places(validator, pipeline):
        sys.exit(f"the shipped configuration is not valid: {found}")
    for before, after, place in MISTAKES:
        if before not in pipeline:
            sys.exit(f"{before!r} is not in the shipped configuration")
        found = places(validator, pipeline.replace(before, after, 1))
        if place not in found:
            sys.exit(f"{after!r}: {found}, not {place!r}")
    print(f"schema: valid, takes the shipped configuration, and finds {len(MISTAKES)} of {len(MISTAKES)} mistakes")


if __name__ == "__main__":
    main()
