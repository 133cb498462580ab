"""The text path in Python, on its usual libraries: what the tokens and TF-IDF values of the crate are compared with.

Each step says which rule of `src/text/` it stands for. Markup is read by html5lib's tokenizer, a second implementation of the
WHATWG rules that html5gum follows (Python's html.parser reads broken markup differently from one patch release to the next);
letters are those of the regex module; stems are NLTK's, stop words those of stopwords-iso, which the crate has too. TF-IDF is
scikit-learn's and Keras' own. Versions: scripts/text-requirements.txt.
"""

import functools
import re
import unicodedata

import numpy as np
import regex
import scipy.sparse
import snowballstemmer
import stopwordsiso
from html5lib._tokenizer import HTMLTokenizer
from html5lib.constants import tokenTypes
from keras_preprocessing.text import Tokenizer
from nltk.stem.snowball import SnowballStemmer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

# --- Markup: src/text/html.rs ---------------------------------------------------------------------------------------------

OPENS_MARKUP = re.compile(r"<[A-Za-z/!?]")
PLAIN_TAG = re.compile(r"<[A-Za-z/!?][^>]*>")
# html5lib's names for what the standard calls eof-in-tag and eof-in-comment.
UNCLOSED = re.compile(r"eof-in-(tag|attribute|comment)|expected-(attribute|end-of-tag).*-eof|unexpected-EOF-after-")
TEXT = {tokenTypes["Characters"], tokenTypes["SpaceCharacters"]}
START, END, ERROR = tokenTypes["StartTag"], tokenTypes["EndTag"], tokenTypes["ParseError"]


def may_hold_markup(text):
    return "&" in text or OPENS_MARKUP.search(text) is not None


def read_markup(text):
    """Tags, comments and declarations to spaces, contents of scripts and styles out, entities decoded.

    None where the text ends inside a tag or comment, of which the tokenizer then drops a part.
    """
    pieces, inside, tokenizer = [], None, HTMLTokenizer(text)
    for token in tokenizer:
        kind = token["type"]
        if kind == ERROR:
            if UNCLOSED.match(token["data"]):
                return None
        elif kind in TEXT:
            if inside is None:
                pieces.append(token["data"])
        else:
            pieces.append(" ")
            if kind == START:
                # A parser would switch the tokenizer; here there is none.
                inside = token["name"] if token["name"] in ("script", "style") else None
                if inside == "script":
                    tokenizer.state = tokenizer.scriptDataState
                elif inside == "style":
                    tokenizer.state = tokenizer.rawtextState
            elif kind == END:
                inside = None
    return "".join(pieces)


def strip_once(text):
    """One pass over markup. What no `>` ever closes is text; where a tag or comment stays open, a tag is `<` up to `>`."""
    head = text.rfind(">") + 1
    read = read_markup(text[:head] + text[head:].replace("<", "&lt;"))
    if read is None:
        read = read_markup(PLAIN_TAG.sub(" ", text).replace("<", "&lt;"))
    return read


def plain_text(text):
    """Markup out, twice, since catalogues hold HTML that was escaped once more."""
    for _ in range(2):
        if may_hold_markup(text):
            text = strip_once(text)
    return text


# --- Words, stop words, stems: src/text/clean.rs --------------------------------------------------------------------------

# Invisible joiners: soft hyphen, zero-width joiners, word joiner, byte-order mark.
JOINERS = r"\u00ad\u200c\u200d\u2060\ufeff"
# A letter of any script that is no number, then letters, combining marks and joiners.
WORD = regex.compile(rf"(?V1)[\p{{Alphabetic}}--[\p{{M}}\p{{N}}]][[\p{{Alphabetic}}\p{{M}}{JOINERS}]--\p{{N}}]*")
JOINER = re.compile(f"[{JOINERS}]")
STOP_WORDS = {unicodedata.normalize("NFC", word) for word in stopwordsiso.stopwords("fr")}
MAX_WORDS = 500

NLTK = SnowballStemmer("french")
SNOWBALL = snowballstemmer.stemmer("french")

nltk_stem = functools.cache(NLTK.stem)


@functools.cache
def snowball_stem(word):
    """The stem by the Snowball project's own program, as generated for Python from the sources that rust-stemmers has."""
    return SNOWBALL.stemWord(word)


def words(text):
    """The words that are stemmed: lower case, NFC, the first 500, stop words out."""
    found = (match.group() for match in WORD.finditer(plain_text(text)))
    first = [word for word, _ in zip(found, range(MAX_WORDS))]
    folded = (unicodedata.normalize("NFC", JOINER.sub("", word).lower()) for word in first)
    return [word for word in folded if word not in STOP_WORDS]


def tokens(text, stem=nltk_stem):
    """The tokens of a text, joined by one space."""
    return " ".join(filter(None, map(stem, words(text))))


# --- TF-IDF: src/text/tfidf.rs, src/text/vocabulary.rs --------------------------------------------------------------------


def vectorizer_options(options):
    """Options of a `fit_tfidf` stage in the words of scikit-learn, which prunes only where no vocabulary is given."""
    return {"analyzer": options["analyzer"], "ngram_range": tuple(options["ngrams"])}


def vocabulary(documents, options):
    """The terms in column order. Of terms with equal counts the first by name are kept: the Python libraries leave that open."""
    if options["variant"] == "keras":
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(documents)
        counts = tokenizer.word_counts
    else:
        counter = CountVectorizer(**vectorizer_options(options), min_df=options["min_df"], max_df=options["max_df"])
        totals = np.asarray(counter.fit_transform(documents).sum(axis=0)).ravel()
        counts = dict(zip(counter.get_feature_names_out(), totals))
    by_count = sorted(counts, key=lambda term: (-counts[term], term))[: options["max_features"]]
    return by_count if options["variant"] == "keras" else sorted(by_count)


def rows(fitted_on, documents, terms, options):
    """The TF-IDF rows of documents as CSR, columns in the order of `terms`."""
    if options["variant"] == "keras":
        return keras_rows(fitted_on, documents, terms)
    vectorizer = TfidfVectorizer(
        **vectorizer_options(options), sublinear_tf=options["sublinear_tf"], vocabulary=list(terms)
    )
    matrix = vectorizer.fit(fitted_on).transform(documents).tocsr()
    matrix.sort_indices()
    return matrix


def keras_rows(fitted_on, documents, terms):
    """Keras' `texts_to_matrix(mode="tfidf")`: (1 + ln count) · ln(1 + documents / (1 + document frequency)).

    The tokenizer's numbering is replaced by ours, since among equal counts it goes by order of appearance.
    """
    tokenizer = Tokenizer(num_words=len(terms) + 1)
    tokenizer.fit_on_texts(fitted_on)
    tokenizer.word_index = {term: number for number, term in enumerate(terms, 1)}
    tokenizer.index_docs = {number: tokenizer.word_docs[term] for term, number in tokenizer.word_index.items()}
    blocks = []
    for start in range(0, len(documents), 256):
        dense = tokenizer.texts_to_matrix(documents[start : start + 256], mode="tfidf")
        # Keras leaves column 0 to no word.
        blocks.append(scipy.sparse.csr_matrix(dense[:, 1:]))
    return scipy.sparse.vstack(blocks).tocsr()
