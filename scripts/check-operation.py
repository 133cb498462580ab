"""Holds what a run tells its operators to the clients that others read it with.

    check-operation.py RAYONNAGE SOURCE WORK

Three runs on a catalogue: one that ends well, one with nothing to do, one that a check fails. The metrics of each are read by
Prometheus' own parser. Every lineage event is made again of the classes of OpenLineage's own client, which check identities, times and
URIs, take no field that they do not know and miss none that they need; the result has to be the event.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import attr
from openlineage.client import event_v2, facet_v2
from openlineage.client.serde import Serde
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parent.parent

# Key of a facet → its class, and the classes of what it holds.
RUN_FACETS = {
    "parent": facet_v2.parent_run.ParentRunFacet,
    "nominalTime": facet_v2.nominal_time_run.NominalTimeRunFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
}
JOB_FACETS = {"jobType": facet_v2.job_type_job.JobTypeJobFacet, "sql": facet_v2.sql_job.SQLJobFacet}
DATASET_FACETS = {
    "schema": facet_v2.schema_dataset.SchemaDatasetFacet,
    "dataSource": facet_v2.datasource_dataset.DatasourceDatasetFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
}
OUTPUT_FACETS = {"outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet}
INNER = {
    "parent": {
        "run": facet_v2.parent_run.Run,
        "job": facet_v2.parent_run.Job,
        "root": lambda run, job: facet_v2.parent_run.Root(facet_v2.parent_run.RootRun(**run), facet_v2.parent_run.RootJob(**job)),
    },
    "schema": {"fields": facet_v2.schema_dataset.SchemaDatasetFacetFields},
}


def facets(given, classes):
    made = {}
    for key, fields in given.items():
        fields = dict(fields)
        producer, schema = fields.pop("_producer"), fields.pop("_schemaURL")
        for name, build in INNER.get(key, {}).items():
            value = fields[name]
            fields[name] = [build(**item) for item in value] if isinstance(value, list) else build(**value)
        facet = classes[key](**fields, producer=producer)
        assert facet._schemaURL == schema, f"{key}: {schema} is not {facet._schemaURL}"
        made[key] = facet
    return made


def datasets(given, build, own):
    key, classes = own
    for dataset in given:
        dataset = dict(dataset)
        dataset["facets"] = facets(dataset["facets"], DATASET_FACETS)
        if key in dataset:
            dataset[key] = facets(dataset[key], classes)
        yield build(**dataset)


def rebuild(event):
    """The event, of the classes of the client."""
    uuid.UUID(event["run"]["runId"])
    return event_v2.RunEvent(
        eventType=event_v2.RunState[event["eventType"]],
        eventTime=event["eventTime"],
        run=event_v2.Run(event["run"]["runId"], facets(event["run"]["facets"], RUN_FACETS)),
        job=event_v2.Job(event["job"]["namespace"], event["job"]["name"], facets(event["job"]["facets"], JOB_FACETS)),
        inputs=list(datasets(event["inputs"], event_v2.InputDataset, ("inputFacets", {}))),
        outputs=list(datasets(event["outputs"], event_v2.OutputDataset, ("outputFacets", OUTPUT_FACETS))),
        producer=event["producer"],
    )


def without_empty(value):
    """The client leaves empty lists and objects out, or puts them in."""
    if isinstance(value, dict):
        kept = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [], None)}
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return value


def check_events(path):
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        again = json.loads(Serde.to_json(rebuild(event)))
        assert without_empty(again) == without_empty(event), f"{again}\n{event}"
    kinds = {event["eventType"] for event in events}
    assert kinds == {"START", "COMPLETE", "FAIL"}, kinds
    return len(events)


def check_metrics(path):
    families = list(text_string_to_metric_families(path.read_text()))
    samples = [sample for family in families for sample in family.samples]
    assert len(families) >= 12 and all(family.documentation and family.type == "gauge" for family in families), families
    series = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples]
    assert len(set(series)) == len(series)
    return {sample.name: sample.value for sample in samples if set(sample.labels) == {"pipeline"}}, len(samples)


def main():
    rayonnage, source, work = sys.argv[1], str(Path(sys.argv[2]).resolve()), Path(sys.argv[3])
    shutil.copy(ROOT / "pipeline.yaml", work)
    shutil.copytree(ROOT / "sql", work / "sql")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("RAYONNAGE_", "OPENLINEAGE_"))}
    environment |= {
        "RAYONNAGE_SOURCE": source,
        "RAYONNAGE_DATE": "2026-11-20",
        "RAYONNAGE_PROFILE": "text",
        "RAYONNAGE_METRICS": "night.prom",
        "RAYONNAGE_LINEAGE": "lineage.ndjson",
        "OPENLINEAGE_NAMESPACE": "nights",
    }

    def run(code):
        ended = subprocess.run([rayonnage, "run", "--log-format", "json"], cwd=work, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert ended.returncode == code, ended.stderr.decode()
        for line in ended.stderr.decode().splitlines():
            json.loads(line)
        metrics, samples = check_metrics(work / "night.prom")
        assert metrics["rayonnage_run_exit_code"] == code, metrics
        return metrics, samples

    first, samples = run(0)
    run(0)
    (work / "sql/checks/never.sql").write_text("-- stage: split\nSELECT id FROM labelled ORDER BY id\n")
    failed, _ = run(11)
    assert failed["rayonnage_last_success_timestamp_seconds"] >= first["rayonnage_last_success_timestamp_seconds"]
    print(f"check-operation: {samples} samples and {check_events(work / 'lineage.ndjson')} events are what the clients make of them")


if __name__ == "__main__":
    main()
