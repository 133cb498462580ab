-- stage: split
-- severity: fail
-- Every labelled row is in one of the three folds; anything else would leak or be lost.
SELECT id, fold FROM labelled WHERE fold NOT IN ('train', 'validation', 'test')
ORDER BY id
