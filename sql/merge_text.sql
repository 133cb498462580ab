-- The two text fields of a product as one text, title first.
-- Tables: products (id, title, description, …)
SELECT
    id,
    CASE
        WHEN description = '' THEN title
        WHEN title = '' THEN description
        ELSE CONCAT_WS(' ', title, description)
    END AS text
FROM products
ORDER BY id
