-- title: Predictions that the model is least sure of
-- title.fr: Prédictions dont le modèle est le moins sûr
SELECT id, predicted, ROUND(confidence, 3) AS confidence, modality
FROM predict_predictions
ORDER BY confidence, id
LIMIT 15
