-- Which translations each product gets: of the merged text if there is one, else of each field.
-- Keys are normalised texts (Unicode NFC, white space folded); the lookup has each key once.
-- Tables: texts (id, text_key, title_key, description_key), lookup (key, text_fr)
SELECT
    texts.id AS id,
    whole.text_fr AS text_fr,
    title.text_fr AS title_fr,
    description.text_fr AS description_fr
FROM texts
LEFT JOIN lookup AS whole ON texts.text_key = whole.key
LEFT JOIN lookup AS title ON texts.title_key = title.key
LEFT JOIN lookup AS description ON texts.description_key = description.key
ORDER BY id
