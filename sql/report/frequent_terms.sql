-- title: Terms that stand in most texts
-- title.fr: Termes présents dans le plus de textes
SELECT term, document_frequency AS texts, total_count AS occurrences, ROUND(idf, 3) AS idf
FROM fit_tfidf_vocabulary
ORDER BY document_frequency DESC, term
LIMIT 20
