-- stage: ingest
-- severity: fail
-- A labelled product without a label would teach the models an empty category.
SELECT id, label FROM labelled WHERE TRIM(label) = ''
ORDER BY id
