-- Each distinct text that has no translation yet, once, the most frequent first.
-- Tables: missing (source_lang, source_text)
SELECT
    source_lang,
    source_text,
    COUNT(*) AS rows
FROM missing
GROUP BY source_lang, source_text
ORDER BY rows DESC, source_lang, source_text
