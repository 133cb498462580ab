-- The columns that consumers of the predictions read. Adding one at the end is safe; renaming one is not.
-- Tables: predictions, products (id, product_id), languages (id, language), categories (label, name)
SELECT
    predictions.id AS id,
    products.product_id AS product_id,
    predictions.predicted AS predicted,
    categories.name AS predicted_name,
    predictions.confidence AS confidence,
    predictions.top3 AS top3,
    predictions.modality AS modality,
    languages.language AS language,
    predictions.model AS model
FROM predictions
INNER JOIN products ON predictions.id = products.id
INNER JOIN languages ON predictions.id = languages.id
LEFT JOIN categories ON predictions.predicted = categories.label
ORDER BY id
