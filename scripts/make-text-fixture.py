#!/usr/bin/env python3
"""Writes tests/fixtures/text_clean.json and text_tfidf.json: what the Python libraries make of known texts.

Usage: make-text-fixture.py SAMPLE      SAMPLE: a folder written by `rayonnage sample SAMPLE --rows 1000`

`make text-fixture` does all of it. The output depends on the sample catalogue, whose bytes are the same on any machine, and on
the versions of scripts/text-requirements.txt, which each file repeats. tests/parity.rs reads the files.
"""

import csv
import importlib.metadata
import json
import pathlib
import sys

import text_reference as reference

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures"
SAMPLE_ROWS = 260
# Long descriptions are cut, often inside a tag or an entity: broken markup of the kind that catalogues hold.
MOST_CHARACTERS = 360

# Texts that have gone wrong somewhere, or might.
NASTY = [
    "L&#39;&eacute;t&eacute; &#xE0; l&rsquo;&icirc;le d&#8217;Ol&eacute;ron &amp; R&eacute;",
    "caf&amp;eacute; cr&amp;egrave;me &amp;amp;eacute; &lt;b&gt;gras&lt;/b&gt; &amp;lt;i&amp;gt;penché&amp;lt;/i&amp;gt;",
    "&eacute sans point-virgule &copy 2020 &notit; &inconnue; &; & seul &#; &#x; &#1114112; &#0; &#128;uro",
    "&Eacute;TAG&Egrave;RE &OElig;UVRE &AElig;THER &szlig; &nbsp;&nbsp;espaces&emsp;larges&thinsp;fines",
    "<!-- commentaire --> visible <!-- <b>caché</b> > encore --> visible aussi <!--> vide <!---> vide",
    "avant <!-- jamais fermé > texte <b>gras</b> &eacute;crit",
    "<p class='a>b'>attribut</p> <p class=\"x>jamais fermé</p> <b>gras</b> mot",
    "<p>un<br>deux<br/>trois</p >quatre</ p>cinq</>six<>sept< huit<9 <é neuf",
    "prix<5 et taille>3 puis a<b sans fin",
    "texte <a href='http://example.org/?a=1&b=2&eacute=3' title=\"l'été\">lien</a> suite",
    "un<![CDATA[ deux <b>trois</b> ]]> quatre",
    "<?xml version='1.0'?> prologue <!DOCTYPE html PUBLIC \"-//W3C//DTD\"> doctype <!ELEMENT a> élément",
    "a<script>if (x < y && z > 1) { t = '<b>non'; }</script>b<SCRIPT src=x></SCRIPT>c<script>jamais fermé",
    "<style media=all>p > b { color: red }</style>stylé<style>x</stylex></style >fini",
    "<textarea><b>zone</b></textarea> <title>titre</title> <noscript>sans</noscript> <xmp><i>brut</i></xmp>",
    "<div><span>im<b>bri</b>qués</span></div><td>cellule</td><li>puce",
    "<IMG ALT=\"Étagère > murale\" SRC='x.jpg'>image<img/src=y/>collée",
    "Été ÉTÉ e\u0301te\u0301 E\u0301TE\u0301 a\u0300 c\u0327a n\u0303 o\u0302te\u0301 \u0301seul i\u0308le",
    "co\u00adton zé\u200bro zé\u200cro zé\u200dro zé\u2060ro \ufeffdébut in\u200d\u00addice",
    "Größe STRASSE straße ẞ IJsland ijs ŒUVRE œuvres Æther fﬁne oﬀre ﬂeur ﬅ",
    "İstanbul ISTANBUL ıspanak Iğdır DİYARBAKIR",
    "ΣΊΣΥΦΟΣ ΟΔΟΣ Σ ΑΣ. ΑΣΑ Привет МИР Ёлка україна",
    "日本語 テスト ｶﾀｶﾅ 한국어 हिन्दी नमस्ते ไทย العَرَبِيَّة עִבְרִית",
    "😀emoji👍🏽mot👨‍👩‍👧famille🇫🇷drapeau ❤️cœur ☎️téléphone ™marque® ©droit",
    "m² cm³ ½ ¼litre Ⅷ ⅷ ٣ ३ 1er 2ème 3e H2O mp3 4x4 PS4 2en1 n°5 5€ 10% a1b2c",
    "aujourd'hui jusqu'à l'homme d’été qu´il c`est entr'ouvert presqu‘île ʼseul rock'n'roll",
    "arc-en-ciel porte-monnaie_rouge soi-disant/peut-être chou+fleur e.g. S.A.R.L. www.site.fr a@b.fr",
    "t-shirt XXL T-SHIRT xxl TéLéPHONE iPhone McDonald’s naïve maïs Noël aiguë ambiguïté",
    "tab\tligne\nretour\r\nverticale\x0bpage\x0cfin\x1csép\x85nel\u2028ligne\u2029para\u3000idéo\u00a0ins",
    "nul\x00milieu bell\x07 échap\x1b[31mrouge \x7fdel \ufffdremplacé \ud7ff\ue000privé",
    "ⒶⒷⒸ ⓐⓑ ➊ ① ㊗ ℀ ℃ Ω K Å ª º µ ǅ ﷺ",
    "a\u0363 q\u0307 z\u0335\u0336algo t\u0301\u0302\u0303 \u0489",
    "chaise chaises cheval chevaux journal journaux gâteau gâteaux travail travaux bijou bijoux",
    "manger mangeons mangeait mangèrent mangeassions finir finissons finissait finirait fabriquer fabriquant",
    "rapidement constamment évidemment patiemment heureusement gentiment précisément énormément",
    "nationalité activité rapidité publicité possibilité sensibilité créativité électricité",
    "beauté première dernières lumière entier cahier janvier papier quatrième onzième",
    "opération solution conclusion institution psychologie technologies présence différences prudents",
    "royaume voyageur pays payer payé essuyer envoyé crayon moyen joyeux yeux",
    "quoique quatre quelque équipe équateur liquide tranquille coquille squelette",
    "nouvelle nouvelles bonne bonnes ancienne musette violette vermeille abeille ville",
    "le la les un une des du de au aux ce cette ces mon ton son je tu il elle nous vous ils elles",
    "LES Chaises DE LA Maison et SES Tables",
    "   ",
    "",
    "<p></p>",
    "123 456 !?",
    "x",
    "&lt;",
    "<",
    "a" * 300,
    "é" * 50 + " " + "mot-clé" * 40,
    "mot " * 499 + "avantdernier cinqcentunième <b>jamais</b>",
    "la " * 499 + "cinqcentième cinqcentunième",
]

# Words whose stems NLTK gets wrong, one or two of each kind; the kinds stand in src/text/clean.rs.
STEMS = ["yogis", "yami", "yuki", "yétis", "éd", "ép", "ès", "éc", "indicatrice", "masticatrices", "momentanément", "aiguë", "stégomyie"]

BASE = {"variant": "sklearn", "analyzer": "word", "ngrams": [1, 1], "max_features": None, "min_df": 1, "max_df": 1.0, "sublinear_tf": False}
CASES = {
    "words": {},
    "frequent words": {"max_features": 60},
    "words and pairs, sublinear": {"ngrams": [1, 2], "sublinear_tf": True, "min_df": 2},
    "neither rare nor common": {"min_df": 2, "max_df": 0.3},
    "characters": {"analyzer": "char_wb", "ngrams": [2, 4], "max_features": 250},
    "characters, sublinear": {"analyzer": "char_wb", "ngrams": [3, 3], "max_features": 250, "sublinear_tf": True},
    "keras": {"variant": "keras"},
    "keras, frequent words": {"variant": "keras", "max_features": 60},
}
FITTED_ROWS, OTHER_ROWS = 50, 12


def sample_texts(folder):
    """Titles and descriptions of the first rows, as the pipeline merges them."""
    with open(folder / "X_train_update.csv", encoding="utf-8", newline="") as file:
        for _, row in zip(range(SAMPLE_ROWS), csv.DictReader(file)):
            yield " ".join(filter(None, [row["designation"], row["description"]]))[:MOST_CHARACTERS]


def cleaned(text):
    line = {"text": text, "tokens": reference.tokens(text)}
    snowball = reference.tokens(text, reference.snowball_stem)
    # Only the few texts with a word that NLTK gets wrong have this.
    return line | ({"snowball": snowball} if snowball != line["tokens"] else {})


def stemmed(word):
    return {"word": word, "nltk": reference.nltk_stem(word), "snowball": reference.snowball_stem(word)}


def tfidf_case(name, changes, fitted_on, others):
    options = BASE | changes
    terms = reference.vocabulary(fitted_on, options)
    matrix = reference.rows(fitted_on, others, terms, options)
    rows = []
    for start, end in zip(matrix.indptr, matrix.indptr[1:]):
        rows.append([[int(column), round(float(value), 8)] for column, value in zip(matrix.indices[start:end], matrix.data[start:end])])
    return {"name": name, "options": options, "terms": terms, "rows": rows}


def main(sample):
    versions = {name: importlib.metadata.version(name) for name in ("nltk", "snowballstemmer", "stopwordsiso", "html5lib", "scikit-learn", "keras-preprocessing")}
    about = {"made_by": "scripts/make-text-fixture.py", "versions": versions}
    FIXTURES.mkdir(exist_ok=True)
    texts = list(sample_texts(pathlib.Path(sample)))
    write("text_clean.json", about | {"texts": list(map(cleaned, texts + NASTY)), "stems": list(map(stemmed, STEMS))})
    documents = [tokens for tokens in map(reference.tokens, texts) if tokens]
    fitted_on, others = documents[:FITTED_ROWS], documents[FITTED_ROWS : FITTED_ROWS + OTHER_ROWS]
    cases = [tfidf_case(name, changes, fitted_on, others) for name, changes in CASES.items()]
    write("text_tfidf.json", about | {"fitted_on": fitted_on, "documents": others, "cases": cases})


def write(name, fixture):
    """Writes JSON with one item of each list on a line, so that a change shows which."""
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    fields = []
    for key, value in fixture.items():
        if isinstance(value, list):
            fields.append(f"{dump(key)}:[\n" + ",\n".join(map(dump, value)) + "\n]")
        else:
            fields.append(f"{dump(key)}:{dump(value)}")
    (FIXTURES / name).write_text("{" + ",\n".join(fields) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
