//! Several TF-IDFs side by side: one row out of several texts of a product, or of several ways to cut one.
//!
//! Each block has terms, idf and scale of its own, as if it stood alone; then its values are multiplied by its weight, and the
//! blocks are put next to each other in their order.
//!
//! Invariant: the columns of a block are those of its own [`TfidfVectorizer`], moved by the widths of the blocks before it.

use super::{SparseRow, TextError, TfidfOptions, TfidfVectorizer, Vocabulary};

/// How the columns of one block are made, and how much they weigh.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockOptions {
    /// Terms, idf and scale.
    pub tfidf: TfidfOptions,
    /// What the values are multiplied by: how much the block counts beside the others.
    pub weight: f64,
}

impl Default for BlockOptions {
    fn default() -> Self {
        Self {
            tfidf: TfidfOptions::default(),
            weight: 1.0,
        }
    }
}

impl BlockOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// [`TextError::OptionOutOfRange`], for the first option that is.
    pub fn validate(&self) -> Result<(), TextError> {
        self.tfidf.validate()?;
        if self.weight > 0.0 && self.weight.is_finite() {
            Ok(())
        } else {
            Err(TextError::OptionOutOfRange {
                option: "weight",
                expected: "above 0, and finite",
                found: self.weight.to_string(),
            })
        }
    }
}

/// Turns the texts of a product into one TF-IDF row; shared by any number of threads.
///
/// # Source
///
/// scikit-learn's `ColumnTransformer` or `FeatureUnion` of `TfidfVectorizer`s with `transformer_weights`.
#[derive(Debug, Clone)]
pub struct BlockVectorizer {
    blocks: Vec<Block>,
    width: u32,
}

#[derive(Debug, Clone)]
struct Block {
    vectorizer: TfidfVectorizer,
    weight: f64,
    /// The block's first column.
    offset: u32,
}

impl BlockVectorizer {
    /// Makes a vectorizer of fitted blocks: vocabularies, with the options they were counted with. A vocabulary may be empty;
    /// its block has no columns.
    ///
    /// # Errors
    ///
    /// [`TextError::NoBlocks`] without any; as [`BlockOptions::validate`] and [`TfidfVectorizer::new`];
    /// [`TextError::TooManyTerms`] past 2³² - 1 columns in all.
    pub fn new<'a>(
        fitted: impl IntoIterator<Item = (&'a Vocabulary, &'a BlockOptions)>,
    ) -> Result<Self, TextError> {
        let mut blocks = Vec::new();
        let mut width = 0_u32;
        for (vocabulary, options) in fitted {
            options.validate()?;
            let vectorizer = TfidfVectorizer::new(vocabulary, &options.tfidf)?;
            let terms = width as usize + vectorizer.width();
            let offset = width;
            width = u32::try_from(terms).map_err(|_| TextError::TooManyTerms { terms })?;
            let weight = options.weight;
            blocks.push(Block {
                vectorizer,
                weight,
                offset,
            });
        }
        if blocks.is_empty() {
            return Err(TextError::NoBlocks);
        }
        Ok(Self { blocks, width })
    }

    /// Returns the number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width as usize
    }

    /// Returns the number of columns of each block.
    pub fn widths(&self) -> impl Iterator<Item = usize> {
        self.blocks.iter().map(|block| block.vectorizer.width())
    }

    /// Returns the row of a product, whose texts come in the order of the blocks. A text that lacks is an empty one.
    ///
    /// # Shapes
    ///
    /// Columns from 0 to [`BlockVectorizer::width`], ascending; with the `sklearn` variant each block that is not empty has the
    /// Euclidean length of its weight.
    #[must_use]
    pub fn transform<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> SparseRow {
        let mut row = SparseRow::default();
        for (block, text) in self.blocks.iter().zip(texts) {
            let Block {
                vectorizer,
                weight,
                offset,
            } = block;
            vectorizer.append(text, *weight, *offset, &mut row);
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Analyzer, TfidfVariant, VocabularyCounter};
    use proptest::prelude::*;

    const TITLES: [&str; 4] = ["table basse bois", "chaise bois", "lampe", "table chaise"];
    const DESCRIPTIONS: [&str; 4] = ["pour le jardin", "", "lampe de table", ""];

    fn fit(documents: &[&str], options: &TfidfOptions) -> Vocabulary {
        let mut counter = VocabularyCounter::new(options).unwrap();
        counter.add_all(documents);
        counter.finish().unwrap()
    }

    fn three_blocks() -> Vec<(&'static [&'static str], BlockOptions)> {
        let words = TfidfOptions {
            ngrams: (1, 2),
            ..TfidfOptions::default()
        };
        let characters = TfidfOptions {
            analyzer: Analyzer::CharWb,
            ngrams: (2, 4),
            sublinear_tf: true,
            max_features: Some(20),
            ..TfidfOptions::default()
        };
        let block = |tfidf, weight| BlockOptions { tfidf, weight };
        vec![
            (&TITLES, block(words, 1.0)),
            (&DESCRIPTIONS, block(TfidfOptions::default(), 0.25)),
            (&TITLES, block(characters, 2.0)),
        ]
    }

    /// The vectorizer of blocks, and each block's own with its weight.
    fn vectorizers(
        blocks: &[(&[&str], BlockOptions)],
    ) -> (BlockVectorizer, Vec<(TfidfVectorizer, f64)>) {
        let vocabularies: Vec<Vocabulary> = blocks
            .iter()
            .map(|(documents, options)| fit(documents, &options.tfidf))
            .collect();
        let options = blocks.iter().map(|(_, options)| options);
        let together = BlockVectorizer::new(vocabularies.iter().zip(options)).unwrap();
        let alone = blocks
            .iter()
            .zip(&vocabularies)
            .map(|((_, options), terms)| {
                let vectorizer = TfidfVectorizer::new(terms, &options.tfidf).unwrap();
                (vectorizer, options.weight)
            });
        (together, alone.collect())
    }

    /// What the rows of the blocks say about the row of them all.
    fn expected(alone: &[(TfidfVectorizer, f64)], texts: &[&str]) -> Vec<(u32, f64)> {
        let mut offset = 0;
        let mut entries = Vec::new();
        for ((vectorizer, weight), text) in alone.iter().zip(texts) {
            let row = vectorizer.transform(text);
            for (column, value) in row.indices.iter().zip(&row.values) {
                entries.push((offset + column, f64::from(*value) * weight));
            }
            offset += vectorizer.width() as u32;
        }
        entries
    }

    fn assert_row(row: &SparseRow, expected: &[(u32, f64)]) {
        let columns: Vec<u32> = expected.iter().map(|(column, _)| *column).collect();
        assert_eq!(row.indices, columns);
        assert_eq!(row.indices.len(), row.values.len());
        for (value, (column, wanted)) in row.values.iter().zip(expected) {
            assert!(
                (f64::from(*value) - wanted).abs() < 1e-6,
                "column {column}: {value}, not {wanted}"
            );
        }
    }

    #[test]
    fn blocks_are_what_they_are_alone_weighted_and_in_order() {
        let blocks = three_blocks();
        let (together, alone) = vectorizers(&blocks);
        let widths: Vec<usize> = together.widths().collect();
        assert_eq!(
            widths,
            alone.iter().map(|(one, _)| one.width()).collect::<Vec<_>>()
        );
        assert_eq!(together.width(), widths.iter().sum::<usize>());
        for (title, description) in TITLES.into_iter().zip(DESCRIPTIONS) {
            let texts = [title, description, title];
            let row = together.transform(texts);
            assert_row(&row, &expected(&alone, &texts));
            let second = widths[0] as u32..(widths[0] + widths[1]) as u32;
            let has_second = row.indices.iter().any(|column| second.contains(column));
            assert_eq!(has_second, !description.is_empty());
        }
        let reversed: Vec<_> = blocks.into_iter().rev().collect();
        let (reversed, _) = vectorizers(&reversed);
        assert!(reversed.widths().eq(widths.into_iter().rev()));
        let ours = together.transform(["table bois", "", "chaise"]);
        let theirs = reversed.transform(["chaise", "", "table bois"]);
        assert_eq!(ours.values.len(), theirs.values.len());
        assert_ne!(ours, theirs);
    }

    // scikit-learn 1.9: FeatureUnion([("w", TfidfVectorizer(ngram_range=(1, 2))), ("c", TfidfVectorizer(analyzer="char_wb",
    //     ngram_range=(2, 3), max_features=5))], transformer_weights={"w": 1.0, "c": 0.5}).fit(TITLES).transform(["table bois"])
    #[test]
    fn rows_are_those_of_a_feature_union() {
        let words = TfidfOptions {
            ngrams: (1, 2),
            ..TfidfOptions::default()
        };
        let characters = TfidfOptions {
            analyzer: Analyzer::CharWb,
            ngrams: (2, 3),
            max_features: Some(5),
            ..TfidfOptions::default()
        };
        let block = |tfidf, weight| BlockOptions { tfidf, weight };
        let (union, _) = vectorizers(&[
            (&TITLES, block(words, 1.0)),
            (&TITLES, block(characters, 0.5)),
        ]);
        let expected = [
            (2, 0.707_106_781_186_547_5),
            (6, 0.707_106_781_186_547_5),
            (9, 0.345_565_704_454_645_8),
            (10, 0.228_726_399_009_082_4),
            (11, 0.279_765_219_963_279_97),
        ];
        assert_row(&union.transform(["table bois"; 2]), &expected);
    }

    #[test]
    fn one_block_of_weight_one_is_a_plain_vectorizer() {
        for variant in [TfidfVariant::Sklearn, TfidfVariant::Keras] {
            let tfidf = TfidfOptions {
                variant,
                ..TfidfOptions::default()
            };
            let options = BlockOptions { tfidf, weight: 1.0 };
            let (together, alone) = vectorizers(&[(&TITLES, options)]);
            for text in TITLES.into_iter().chain(["", "inconnu"]) {
                assert_eq!(together.transform([text]), alone[0].0.transform(text));
            }
        }
    }

    #[test]
    fn an_empty_vocabulary_is_a_block_without_columns() {
        let options = BlockOptions::default();
        let nothing = Vocabulary {
            documents: 4,
            terms: Vec::new(),
        };
        let titles = fit(&TITLES, &options.tfidf);
        let vectorizer = BlockVectorizer::new([(&nothing, &options), (&titles, &options)]).unwrap();
        assert_eq!(vectorizer.widths().collect::<Vec<_>>(), [0, 5]);
        let alone = TfidfVectorizer::new(&titles, &options.tfidf).unwrap();
        let row = vectorizer.transform(["table", "table lampe"]);
        assert_eq!(row, alone.transform("table lampe"));
    }

    #[test]
    fn no_blocks_and_bad_weights_are_errors() {
        assert_eq!(BlockVectorizer::new([]).unwrap_err(), TextError::NoBlocks);
        for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let options = BlockOptions {
                weight,
                ..BlockOptions::default()
            };
            let error = options.validate().unwrap_err();
            assert!(
                error.to_string().starts_with("`weight` must be above 0"),
                "{error}"
            );
        }
        let mut vocabulary = fit(&TITLES, &TfidfOptions::default());
        vocabulary.terms[1] = vocabulary.terms[0].clone();
        let error = BlockVectorizer::new([(&vocabulary, &BlockOptions::default())]).unwrap_err();
        assert_eq!(error.to_string(), "the vocabulary holds \"basse\" twice");
    }

    proptest! {
        #[test]
        fn any_texts_have_the_row_of_their_blocks(
            texts in prop_oneof![any::<[String; 3]>(), proptest::array::uniform3("((table|bois|jardin|x) ){0,6}")],
        ) {
            let (together, alone) = vectorizers(&three_blocks());
            let texts = texts.each_ref().map(String::as_str);
            assert_row(&together.transform(texts), &expected(&alone, &texts));
        }
    }
}
