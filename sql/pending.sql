-- Each distinct text that has no translation yet, once, the most frequent first. Texts of one key (Unicode NFC, white space
-- folded) are one to the lookup; shown is the least of their spellings.
-- Tables: missing (source_lang, source_text, text_key)
SELECT
    MIN(source_lang) AS source_lang,
    MIN(source_text) AS source_text,
    COUNT(*) AS rows
FROM missing
GROUP BY text_key
ORDER BY rows DESC, source_lang, source_text
