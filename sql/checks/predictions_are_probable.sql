-- stage: predict
-- severity: fail
-- A prediction has a category, and a confidence that is a probability.
SELECT id, predicted, confidence FROM predictions
WHERE predicted = '' OR confidence IS NULL OR confidence <= 0.0 OR confidence > 1.0001
ORDER BY id
