-- stage: ingest
-- severity: warn
-- A product without title and description can be predicted from its image alone.
SELECT id, product_id FROM labelled WHERE TRIM(title) = '' AND TRIM(description) = ''
ORDER BY id
