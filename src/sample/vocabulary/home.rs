//! Living room (1560), bedding (1920), children's room (2060) and office supplies (2522).

use super::{Vocabulary, Wording};

/// What anything for the house may be called.
pub(in crate::sample) const HOME: &[Wording] = &[
    "décoration de maison|home decoration|Wohndekoration|decoración del hogar",
    "rangement|storage unit|Aufbewahrung|mueble de almacenaje",
    "ensemble pour chambre|bedroom set|Schlafzimmerset|conjunto para dormitorio",
    "tapis doux|soft rug|weicher Teppich|alfombra suave",
    "rideau|curtain|Vorhang|cortina",
    "lampe d'ambiance|mood lamp|Stimmungslampe|lámpara ambiental",
    "miroir mural|wall mirror|Wandspiegel|espejo de pared",
    "coussin de chaise|chair cushion|Stuhlkissen|cojín de silla",
];

pub(in crate::sample) const LIVING_ROOM: Vocabulary = Vocabulary {
    nouns: &[
        "canapé d'angle|corner sofa|Ecksofa|sofá rinconera",
        "table basse|coffee table|Couchtisch|mesa de centro",
        "meuble TV|TV stand|Fernsehschrank|mueble de televisión",
        "matelas à mémoire de forme|memory foam mattress|Memory-Schaum-Matratze|colchón viscoelástico",
        "chaise de salle à manger|dining chair|Esszimmerstuhl|silla de comedor",
        "étagère murale|wall shelf|Wandregal|estantería de pared",
        "lit coffre|storage bed|Stauraumbett|cama con canapé",
        "fauteuil scandinave|Scandinavian armchair|skandinavischer Sessel|sillón escandinavo",
        "buffet deux portes|two-door sideboard|Sideboard mit zwei Türen|aparador de dos puertas",
        "tabouret de bar|bar stool|Barhocker|taburete de bar",
    ],
    traits: &[
        "en chêne massif|solid oak|massive Eiche|de roble macizo",
        "convertible|convertible|ausziehbar|convertible",
        "blanc laqué|lacquered white|weiß lackiert|lacado blanco",
        "pieds métal|metal legs|Metallbeine|patas de metal",
        "style industriel|industrial style|Industriestil|estilo industrial",
        "simili cuir|faux leather|Kunstleder|polipiel",
    ],
    brands: &["Nordalys", "Maison Carlane", "Tikamoa", "Vidaluz"],
    sentences: &[
        "Structure en panneaux de particules, assise garnie de mousse haute densité.|\
         Particle board frame, seat filled with high density foam.|\
         Gestell aus Spanplatte, Sitz mit Schaumstoff hoher Dichte.|\
         Estructura de aglomerado, asiento relleno de espuma de alta densidad.",
        "Le meuble est livré à monter soi-même, charge maximale de {n} kg.|\
         The furniture comes for self-assembly, maximum load {n} kg.|\
         Das Möbel wird zum Selbstaufbau geliefert, Tragkraft {n} kg.|\
         El mueble se entrega para montar, carga máxima de {n} kg.",
        "Ses lignes sobres habillent le salon comme la salle à manger.|\
         Its sober lines suit the living room as well as the dining room.|\
         Die schlichten Linien passen ins Wohnzimmer wie ins Esszimmer.|\
         Sus líneas sobrias visten el salón y el comedor.",
    ],
};

pub(in crate::sample) const BEDDING: Vocabulary = Vocabulary {
    nouns: &[
        "housse de couette|duvet cover|Bettbezug|funda nórdica",
        "taie d'oreiller|pillowcase|Kissenbezug|funda de almohada",
        "housse de coussin|cushion cover|Kissenhülle|funda de cojín",
        "drap housse|fitted sheet|Spannbettlaken|sábana bajera",
        "parure de lit|bedding set|Bettwäsche-Set|juego de cama",
        "plaid en polaire|fleece throw|Fleecedecke|manta polar",
        "couvre-lit matelassé|quilted bedspread|gesteppte Tagesdecke|colcha acolchada",
        "traversin|bolster|Nackenrolle|almohada larga",
        "protège-matelas|mattress protector|Matratzenschoner|protector de colchón",
        "couette légère|light duvet|leichte Bettdecke|edredón ligero",
    ],
    traits: &[
        "100 % coton|100% cotton|100 % Baumwolle|100 % algodón",
        "45 x 45 cm|45 x 45 cm|45 x 45 cm|45 x 45 cm",
        "lin lavé|washed linen|gewaschenes Leinen|lino lavado",
        "fermeture éclair invisible|hidden zip|verdeckter Reißverschluss|cremallera invisible",
        "motif fleuri|floral pattern|Blumenmuster|estampado de flores",
        "bonnet de 30 cm|30 cm deep|30 cm Steghöhe|alto de 30 cm",
    ],
    brands: &["Dormelune", "Linoucha", "Cotonelle", "Blanc d'Edredon"],
    sentences: &[
        "Tissu doux de {n} fils, lavable en machine à quarante degrés.|\
         Soft {n} thread fabric, machine washable at forty degrees.|\
         Weiches Gewebe mit {n} Fäden, maschinenwaschbar bei vierzig Grad.|\
         Tejido suave de {n} hilos, lavable a máquina a cuarenta grados.",
        "Le coussin n'est pas fourni, seule la taie imprimée est vendue.|\
         The cushion is not supplied, only the printed cover is sold.|\
         Das Kissen gehört nicht dazu, verkauft wird nur der bedruckte Bezug.|\
         El relleno no está incluido, solo se vende la funda estampada.",
        "Des nuits douces grâce à une literie respirante et sans froissage.|\
         Gentle nights thanks to breathable, crease-free bedding.|\
         Sanfte Nächte dank atmungsaktiver, knitterfreier Bettwäsche.|\
         Noches suaves gracias a una ropa de cama transpirable y sin arrugas.",
    ],
};

pub(in crate::sample) const CHILD_ROOM: Vocabulary = Vocabulary {
    nouns: &[
        "sticker mural|wall sticker|Wandtattoo|vinilo de pared",
        "veilleuse étoiles|star night light|Sternen-Nachtlicht|luz nocturna de estrellas",
        "guirlande lumineuse|string lights|Lichterkette|guirnalda de luces",
        "boîte à musique|music box|Spieluhr|caja de música",
        "tableau sur toile|canvas picture|Leinwandbild|cuadro en lienzo",
        "sapin artificiel|artificial Christmas tree|künstlicher Weihnachtsbaum|árbol de Navidad artificial",
        "ballons de fête|party balloons|Partyballons|globos de fiesta",
        "horloge enfant|children's clock|Kinderuhr|reloj infantil",
        "mobile à suspendre|hanging mobile|Hängemobile|móvil colgante",
        "bougie parfumée|scented candle|Duftkerze|vela perfumada",
    ],
    traits: &[
        "motif licorne|unicorn pattern|Einhornmotiv|motivo de unicornio",
        "décor de Noël|Christmas decoration|Weihnachtsdekoration|adorno navideño",
        "autocollant repositionnable|removable adhesive|wieder ablösbar|adhesivo reposicionable",
        "à LED|LED powered|mit LED|con LED",
        "cinq panneaux|five panels|fünfteilig|cinco paneles",
        "couleurs changeantes|colour changing|mit Farbwechsel|cambia de color",
    ],
    brands: &["Petit Nimbus", "Lunaria", "Festilou", "Koala Bleu"],
    sentences: &[
        "Une lumière tamisée rassure l'enfant et décore sa chambre.|\
         A dimmed light reassures the child and decorates the bedroom.|\
         Gedämpftes Licht beruhigt das Kind und schmückt sein Zimmer.|\
         Una luz tenue tranquiliza al niño y decora su cuarto.",
        "Le sticker se colle sur un mur lisse et se retire sans trace.|\
         The sticker goes on a smooth wall and comes off without a trace.|\
         Der Aufkleber haftet auf glatter Wand und lässt sich spurlos lösen.|\
         El vinilo se pega en una pared lisa y se retira sin dejar rastro.",
        "Guirlande de {n} lampes pour fêtes, Noël et anniversaires.|\
         String of {n} lamps for parties, Christmas and birthdays.|\
         Kette mit {n} Lämpchen für Feste, Weihnachten und Geburtstage.|\
         Guirnalda de {n} luces para fiestas, Navidad y cumpleaños.",
    ],
};

pub(in crate::sample) const OFFICE: Vocabulary = Vocabulary {
    nouns: &[
        "stylo plume|fountain pen|Füllfederhalter|pluma estilográfica",
        "cahier à spirale|spiral notebook|Spiralheft|cuaderno de espiral",
        "cartouche d'encre|ink cartridge|Tintenpatrone|cartucho de tinta",
        "papier photo A4|A4 photo paper|Fotopapier A4|papel fotográfico A4",
        "classeur à levier|lever arch file|Ordner|archivador de palanca",
        "agrafeuse|stapler|Heftgerät|grapadora",
        "trousse d'écolier|pencil case|Federmäppchen|estuche escolar",
        "agenda semainier|weekly planner|Wochenkalender|agenda semanal",
        "étiquettes adhésives|adhesive labels|Klebeetiketten|etiquetas adhesivas",
        "roller à bille|rollerball pen|Tintenroller|bolígrafo roller",
    ],
    traits: &[
        "pointe fine|fine tip|feine Spitze|punta fina",
        "encre bleue|blue ink|blaue Tinte|tinta azul",
        "ramette de 500 feuilles|ream of 500 sheets|Pack mit 500 Blatt|resma de 500 hojas",
        "grands carreaux|squared paper|kariert|cuadriculado",
        "boîte de 50|box of 50|50 Stück|caja de 50",
        "compatible imprimante|printer compatible|druckerkompatibel|compatible con impresora",
    ],
    brands: &["Scribelle", "Papetor", "Encrissime", "Bürowolf"],
    sentences: &[
        "Écriture fluide, capuchon clipsé, recharge standard pour le bureau.|\
         Smooth writing, clip cap, standard refill for the office.|\
         Flüssiges Schreiben, Kappe mit Clip, Standardmine für das Büro.|\
         Escritura fluida, capuchón con clip, recambio estándar de oficina.",
        "Papier de {n} grammes, perforé, pour classer les documents.|\
         Paper of {n} grams, punched, to file your documents.|\
         Papier mit {n} Gramm, gelocht, zum Abheften von Dokumenten.|\
         Papel de {n} gramos, perforado, para archivar documentos.",
        "Fourniture scolaire et de bureau de la gamme {brand}.|\
         School and office supplies from the {brand} range.|\
         Schul- und Bürobedarf aus der Reihe {brand}.|\
         Material escolar y de oficina de la gama {brand}.",
    ],
};
