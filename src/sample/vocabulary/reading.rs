//! Used books (10), new books (2705), magazines (2403) and posters (2280).

use super::{Vocabulary, Wording};

/// What any reading matter may be called.
pub(in crate::sample) const READING: &[Wording] = &[
    "livre illustré|illustrated book|illustriertes Buch|libro ilustrado",
    "album|album|Album|álbum",
    "recueil|collection of texts|Sammelband|recopilación",
    "ouvrage|volume|Band|obra",
    "édition originale|first edition|Erstausgabe|edición original",
    "histoire de France|history of France|Geschichte Frankreichs|historia de Francia",
    "voyages et découvertes|travels and discoveries|Reisen und Entdeckungen|viajes y descubrimientos",
    "guerre et paix en Europe|war and peace in Europe|Krieg und Frieden in Europa|guerra y paz en Europa",
];

pub(in crate::sample) const USED_BOOK: Vocabulary = Vocabulary {
    nouns: &[
        "roman d'occasion|second-hand novel|gebrauchter Roman|novela de segunda mano",
        "livre de poche|paperback|Taschenbuch|libro de bolsillo",
        "mémoires d'un médecin|memoirs of a physician|Erinnerungen eines Arztes|memorias de un médico",
        "traité de botanique|treatise on botany|Abhandlung über Botanik|tratado de botánica",
        "grammaire latine|Latin grammar|lateinische Grammatik|gramática latina",
        "essai philosophique|philosophical essay|philosophischer Aufsatz|ensayo filosófico",
        "contes populaires|folk tales|Volksmärchen|cuentos populares",
        "théâtre complet|complete plays|gesammelte Dramen|teatro completo",
        "atlas ancien|antique atlas|antiker Atlas|atlas antiguo",
        "correspondance inédite|unpublished letters|unveröffentlichte Briefe|cartas inéditas",
    ],
    traits: &[
        "relié cuir|leather bound|in Leder gebunden|encuadernado en piel",
        "pages jaunies|yellowed pages|vergilbte Seiten|páginas amarillentas",
        "broché ancien|old softcover|alte Broschur|rústica antigua",
        "annoté au crayon|pencil notes|mit Bleistift kommentiert|anotado a lápiz",
        "troisième édition|third edition|dritte Auflage|tercera edición",
        "avec dos abîmé|with damaged spine|mit beschädigtem Rücken|con lomo dañado",
    ],
    brands: &[
        "Éditions Vauclerc",
        "Librairie Montessan",
        "Orlac et fils",
        "Presses du Lendit",
    ],
    sentences: &[
        "Exemplaire déjà lu, couverture frottée, intérieur propre sans déchirure.|\
         Previously read copy, rubbed cover, clean inside without tears.|\
         Bereits gelesenes Exemplar, Einband berieben, innen sauber und ohne Risse.|\
         Ejemplar ya leído, cubierta rozada, interior limpio y sin roturas.",
        "Reliure solide, tranche poussiéreuse et ex-libris de l'ancien propriétaire.|\
         Sturdy binding, dusty edges and bookplate of the former owner.|\
         Feste Bindung, staubiger Schnitt und Exlibris des früheren Besitzers.|\
         Encuadernación sólida, canto con polvo y exlibris del antiguo dueño.",
        "Parution de {n} chez {brand}, tirage épuisé depuis longtemps.|\
         Published in {n} by {brand}, long out of print.|\
         Erschienen {n} bei {brand}, seit langem vergriffen.|\
         Publicado en {n} por {brand}, agotado desde hace tiempo.",
    ],
};

pub(in crate::sample) const NEW_BOOK: Vocabulary = Vocabulary {
    nouns: &[
        "roman policier|crime novel|Kriminalroman|novela policíaca",
        "bande dessinée|comic book|Comicband|cómic",
        "manga tome 4|manga volume 4|Manga Band 4|manga tomo 4",
        "guide pratique|practical guide|praktischer Ratgeber|guía práctica",
        "manuel scolaire|school textbook|Schulbuch|libro de texto",
        "livre de recettes|cookbook|Kochbuch|libro de recetas",
        "dictionnaire de poche|pocket dictionary|Taschenwörterbuch|diccionario de bolsillo",
        "biographie|biography|Biografie|biografía",
        "saga fantastique|fantasy saga|Fantasysaga|saga fantástica",
        "cahier d'exercices|workbook|Übungsheft|cuaderno de ejercicios",
    ],
    traits: &[
        "nouvelle édition|new edition|Neuausgabe|nueva edición",
        "grand format|large format|Großformat|gran formato",
        "préfacé par l'auteur|with a preface by the author|mit Vorwort des Autors|prólogo del autor",
        "texte intégral|unabridged text|ungekürzter Text|texto íntegro",
        "à paraître|forthcoming|erscheint demnächst|próxima publicación",
        "prix des lecteurs|readers' prize|Leserpreis|premio de los lectores",
    ],
    brands: &[
        "Plume Boréale",
        "Éditions du Carrelet",
        "Grand Héron",
        "Folio Mirabelle",
    ],
    sentences: &[
        "Un récit haletant que l'auteur mène jusqu'à la dernière page.|\
         A gripping story that the author carries to the very last page.|\
         Eine packende Erzählung, die der Autor bis zur letzten Seite führt.|\
         Un relato trepidante que el autor lleva hasta la última página.",
        "Ce nouveau tome de {n} pages poursuit la série à succès de {brand}.|\
         This new volume of {n} pages continues the successful series from {brand}.|\
         Dieser neue Band mit {n} Seiten setzt die Erfolgsreihe von {brand} fort.|\
         Este nuevo tomo de {n} páginas continúa la exitosa serie de {brand}.",
        "Chapitres courts, exercices corrigés et index pour les étudiants.|\
         Short chapters, exercises with answers and an index for students.|\
         Kurze Kapitel, Übungen mit Lösungen und ein Register für Studierende.|\
         Capítulos breves, ejercicios resueltos e índice para estudiantes.",
    ],
};

pub(in crate::sample) const MAGAZINE: Vocabulary = Vocabulary {
    nouns: &[
        "revue mensuelle|monthly review|Monatszeitschrift|revista mensual",
        "magazine hebdomadaire|weekly magazine|Wochenmagazin|semanario",
        "numéro spécial|special issue|Sonderheft|número especial",
        "lot de revues|bundle of magazines|Zeitschriftenpaket|lote de revistas",
        "bulletin municipal|town bulletin|Gemeindeblatt|boletín municipal",
        "cahiers de la marine|naval notebooks|Marinehefte|cuadernos de la marina",
        "annuaire|yearbook|Jahrbuch|anuario",
        "fascicule|booklet|Faszikel|fascículo",
        "intégrale de la série|complete series|Gesamtausgabe der Reihe|serie completa",
        "partition de piano|piano score|Klaviernoten|partitura de piano",
    ],
    traits: &[
        "n° 12|no. 12|Nr. 12|n.º 12",
        "hors-série|special edition|Sonderausgabe|número extraordinario",
        "année complète|full year|ganzer Jahrgang|año completo",
        "premier trimestre|first quarter|erstes Quartal|primer trimestre",
        "avec supplément|with supplement|mit Beilage|con suplemento",
        "du no 1 au no 24|from no. 1 to no. 24|von Nr. 1 bis Nr. 24|del n.º 1 al 24",
    ],
    brands: &[
        "Le Courrier d'Aubrac",
        "Sciences Vives",
        "Moto Rétive",
        "Archives Populaires",
    ],
    sentences: &[
        "Au sommaire : dossier, entretien, courrier des lecteurs et petites annonces.|\
         In this issue: feature, interview, readers' letters and classified ads.|\
         Im Heft: Dossier, Gespräch, Leserbriefe und Kleinanzeigen.|\
         En este número: reportaje, entrevista, cartas de los lectores y anuncios.",
        "Numéro {n} de la revue {brand}, agrafes un peu rouillées.|\
         Issue {n} of the review {brand}, slightly rusty staples.|\
         Heft {n} der Zeitschrift {brand}, Klammern leicht rostig.|\
         Número {n} de la revista {brand}, grapas algo oxidadas.",
        "Abonnés, collectionneurs, complétez votre série avec ce lot de numéros.|\
         Subscribers and collectors, complete your run with this bundle of issues.|\
         Abonnenten und Sammler, vervollständigen Sie Ihre Reihe mit diesen Heften.|\
         Suscriptores y coleccionistas, completen su serie con este lote de números.",
    ],
};

pub(in crate::sample) const POSTER: Vocabulary = Vocabulary {
    nouns: &[
        "affiche de cinéma|film poster|Filmplakat|cartel de cine",
        "journal ancien|old newspaper|alte Zeitung|periódico antiguo",
        "gravure sur bois|woodcut|Holzschnitt|grabado en madera",
        "une de quotidien|daily front page|Titelseite einer Tageszeitung|portada de diario",
        "publicité ancienne|vintage advertisement|alte Werbung|publicidad antigua",
        "reproduction lithographiée|lithograph reproduction|Lithografie|reproducción litográfica",
        "programme d'opéra|opera programme|Opernprogramm|programa de ópera",
        "carte postale|postcard|Ansichtskarte|tarjeta postal",
        "caricature politique|political cartoon|politische Karikatur|caricatura política",
        "plan de ville|city map|Stadtplan|plano de ciudad",
    ],
    traits: &[
        "format 40 x 60|size 40 x 60|Format 40 x 60|formato 40 x 60",
        "entoilée|linen backed|auf Leinen aufgezogen|entelado",
        "plis d'origine|original folds|originale Faltspuren|pliegues originales",
        "tirage limité|limited print|limitierte Auflage|tirada limitada",
        "du 14 mars|of 14 March|vom 14. März|del 14 de marzo",
        "à encadrer|ready to frame|zum Einrahmen|para enmarcar",
    ],
    brands: &[
        "Imprimerie Daurel",
        "L'Écho du Midi",
        "Atelier Fresnaye",
        "Le Petit Ligérien",
    ],
    sentences: &[
        "Affiche roulée dans un tube, bords intacts, quelques traces de punaises.|\
         Poster rolled in a tube, intact edges, a few pin marks.|\
         Plakat gerollt in einer Röhre, Ränder unversehrt, einige Nadelspuren.|\
         Cartel enrollado en un tubo, bordes intactos, algunas marcas de chinchetas.",
        "Journal du jour de naissance, première page avec gravure et feuilleton.|\
         Newspaper of the day of birth, front page with engraving and serial.|\
         Zeitung vom Tag der Geburt, Titelseite mit Stich und Fortsetzungsroman.|\
         Periódico del día de nacimiento, primera página con grabado y folletín.",
        "Papier d'époque imprimé en {n} par {brand}, à encadrer au mur.|\
         Period paper printed in {n} by {brand}, to frame on the wall.|\
         Zeitgenössisches Papier, gedruckt {n} von {brand}, für die Wand.|\
         Papel de época impreso en {n} por {brand}, para enmarcar en la pared.",
    ],
};
