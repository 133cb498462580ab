//! Figurines (1140), cards (1160), board games (1180), costumes and toys (1280), boxed games (1281) and
//! technical toys (1300).

use super::{Vocabulary, Wording};

/// What any toy may be called.
pub(in crate::sample) const TOYS: &[Wording] = &[
    "jouet pour enfant|children's toy|Kinderspielzeug|juguete infantil",
    "coffret de jeu|play set|Spielset|set de juego",
    "cadeau d'anniversaire|birthday present|Geburtstagsgeschenk|regalo de cumpleaños",
    "jeu éducatif|educational game|Lernspiel|juego educativo",
    "personnage à collectionner|character to collect|Sammelfigur|personaje de colección",
    "super-héros|superhero|Superheld|superhéroe",
    "dragon fantastique|fantasy dragon|Fantasiedrache|dragón fantástico",
    "jouet en bois|wooden toy|Holzspielzeug|juguete de madera",
];

pub(in crate::sample) const FIGURINE: Vocabulary = Vocabulary {
    nouns: &[
        "figurine articulée|action figure|bewegliche Actionfigur|figura articulada",
        "statuette en résine|resin statue|Kunstharzstatue|estatua de resina",
        "buste peint|painted bust|bemalte Büste|busto pintado",
        "figurine vinyle|vinyl figure|Vinylfigur|figura de vinilo",
        "porte-clés manga|manga keyring|Manga-Schlüsselanhänger|llavero manga",
        "peluche du héros|plush hero|Plüschheld|peluche del héroe",
        "diorama miniature|miniature diorama|Miniaturdiorama|diorama en miniatura",
        "réplique d'épée|sword replica|Schwertreplik|réplica de espada",
        "mug de la série|series mug|Serientasse|taza de la serie",
        "figurine sur socle|figure on base|Figur auf Sockel|figura con peana",
    ],
    traits: &[
        "hauteur 18 cm|height 18 cm|Höhe 18 cm|altura 18 cm",
        "produit officiel|official merchandise|offizielles Produkt|producto oficial",
        "série limitée|limited series|limitierte Serie|serie limitada",
        "PVC peint à la main|hand-painted PVC|handbemaltes PVC|PVC pintado a mano",
        "échelle 1/8|1/8 scale|Maßstab 1:8|escala 1/8",
        "de l'animé|from the anime|aus dem Anime|del anime",
    ],
    brands: &["Kitsuneko", "Titanor", "Gardiens d'Ambre", "Poplot"],
    sentences: &[
        "Figurine finement sculptée, socle gravé et certificat numéroté.|\
         Finely sculpted figure, engraved base and numbered certificate.|\
         Fein modellierte Figur, gravierter Sockel und nummeriertes Zertifikat.|\
         Figura finamente esculpida, peana grabada y certificado numerado.",
        "Le héros de {brand} mesure {n} mm et rejoint votre vitrine.|\
         The hero of {brand} is {n} mm tall and joins your display case.|\
         Der Held von {brand} ist {n} mm groß und gehört in Ihre Vitrine.|\
         El héroe de {brand} mide {n} mm y completa tu vitrina.",
        "Bras et tête interchangeables, accessoires fournis sous blister.|\
         Interchangeable arms and head, accessories in a blister pack.|\
         Austauschbare Arme und Kopf, Zubehör in der Blisterverpackung.|\
         Brazos y cabeza intercambiables, accesorios en blíster.",
    ],
};

pub(in crate::sample) const CARD: Vocabulary = Vocabulary {
    nouns: &[
        "carte à collectionner|trading card|Sammelkarte|carta coleccionable",
        "carte rare holographique|holographic rare card|seltene Holokarte|carta rara holográfica",
        "booster de cartes|card booster|Kartenbooster|sobre de cartas",
        "deck de démarrage|starter deck|Starterdeck|mazo inicial",
        "carte de joueur|player card|Spielerkarte|cromo de jugador",
        "vignette autocollante|sticker|Sammelsticker|cromo adhesivo",
        "carte monstre|monster card|Monsterkarte|carta monstruo",
        "carte magie|spell card|Zauberkarte|carta mágica",
        "classeur pour cartes|card binder|Kartenalbum|carpeta para cartas",
        "carte ultra rare|ultra rare card|ultra seltene Karte|carta ultra rara",
    ],
    traits: &[
        "125/180 PV 90|125/180 HP 90|125/180 KP 90|125/180 PS 90",
        "en français|in French|auf Französisch|en francés",
        "première édition|1st edition|1. Auflage|primera edición",
        "reverse brillante|reverse foil|Reverse-Folie|reverse brillante",
        "état near mint|near mint condition|Zustand near mint|estado near mint",
        "commune non jouée|unplayed common|ungespielt, gewöhnlich|común sin jugar",
    ],
    brands: &["Draconia", "Yumegami", "Mystimon", "Panorix Foot"],
    sentences: &[
        "Carte {brand} numéro {n}, envoyée sous pochette rigide.|\
         {brand} card number {n}, sent in a rigid sleeve.|\
         {brand}-Karte Nummer {n}, Versand in fester Schutzhülle.|\
         Carta {brand} número {n}, enviada en funda rígida.",
        "Attaque, défense et rareté sont imprimées au bas de la carte.|\
         Attack, defence and rarity are printed at the bottom of the card.|\
         Angriff, Verteidigung und Seltenheit stehen unten auf der Karte.|\
         El ataque, la defensa y la rareza figuran al pie de la carta.",
        "Ni pliée ni cornée, elle complète l'extension de la saison.|\
         Neither bent nor creased, it completes this season's expansion.|\
         Weder geknickt noch bestoßen, ergänzt sie die Erweiterung der Saison.|\
         Ni doblada ni rozada, completa la expansión de la temporada.",
    ],
};

pub(in crate::sample) const BOARD_GAME: Vocabulary = Vocabulary {
    nouns: &[
        "jeu de plateau|board game|Brettspiel|juego de tablero",
        "figurine de wargame|wargame miniature|Tabletop-Figur|miniatura de wargame",
        "livre de règles|rule book|Regelbuch|libro de reglas",
        "jeu de rôle sur table|tabletop role-playing game|Pen-and-Paper-Rollenspiel|juego de rol de mesa",
        "dés à vingt faces|twenty-sided dice|zwanzigseitige Würfel|dados de veinte caras",
        "armée de gobelins|goblin army|Goblinarmee|ejército de goblins",
        "écran du maître|game master's screen|Spielleiterschirm|pantalla del máster",
        "échiquier|chessboard|Schachbrett|tablero de ajedrez",
        "extension de campagne|campaign expansion|Kampagnenerweiterung|expansión de campaña",
        "tapis de bataille|battle mat|Spielmatte|tapete de batalla",
    ],
    traits: &[
        "2 à 6 joueurs|2 to 6 players|2 bis 6 Spieler|2 a 6 jugadores",
        "à peindre|unpainted|zum Bemalen|para pintar",
        "règles en français|rules in French|Regeln auf Französisch|reglas en francés",
        "en métal 28 mm|28 mm metal|28 mm Metall|metal 28 mm",
        "partie de 90 minutes|90 minute game|Spieldauer 90 Minuten|partida de 90 minutos",
        "sous blister|in blister|im Blister|en blíster",
    ],
    brands: &[
        "Forgelune",
        "Citadelle Grise",
        "Table Ronde",
        "Kobold et Cie",
    ],
    sentences: &[
        "Chaque joueur lance les dés et déplace ses unités sur le plateau.|\
         Each player rolls the dice and moves units across the board.|\
         Jeder Spieler würfelt und bewegt seine Einheiten über das Spielbrett.|\
         Cada jugador lanza los dados y mueve sus unidades por el tablero.",
        "La boîte contient {n} pions, un livret de règles et des jetons.|\
         The box holds {n} pawns, a rule booklet and tokens.|\
         Die Schachtel enthält {n} Figuren, ein Regelheft und Marken.|\
         La caja contiene {n} peones, un reglamento y fichas.",
        "Scénario inédit pour la gamme {brand}, maître de jeu requis.|\
         New scenario for the {brand} range, game master required.|\
         Neues Szenario für die Reihe {brand}, Spielleiter erforderlich.|\
         Escenario inédito para la gama {brand}, requiere máster.",
    ],
};

pub(in crate::sample) const COSTUME: Vocabulary = Vocabulary {
    nouns: &[
        "déguisement de pirate|pirate costume|Piratenkostüm|disfraz de pirata",
        "voiture miniature|die-cast car|Modellauto|coche en miniatura",
        "poupée mannequin|fashion doll|Modepuppe|muñeca",
        "peluche géante|giant plush|Riesenplüschtier|peluche gigante",
        "masque de carnaval|carnival mask|Karnevalsmaske|máscara de carnaval",
        "briques de construction|building bricks|Bausteine|bloques de construcción",
        "circuit de train|train track|Eisenbahnset|circuito de tren",
        "camion de pompiers|fire engine|Feuerwehrauto|camión de bomberos",
        "dînette en bois|wooden tea set|Holz-Kaufladen|cocinita de madera",
        "robe de princesse|princess dress|Prinzessinnenkleid|vestido de princesa",
    ],
    traits: &[
        "dès 3 ans|from 3 years|ab 3 Jahren|desde 3 años",
        "échelle 1/43|1/43 scale|Maßstab 1:43|escala 1/43",
        "taille 6-8 ans|size 6-8 years|Größe 6-8 Jahre|talla 6-8 años",
        "en tissu doux|soft fabric|weicher Stoff|tela suave",
        "avec accessoires|with accessories|mit Zubehör|con accesorios",
        "à friction|friction powered|mit Schwungrad|de fricción",
    ],
    brands: &["Pimprenou", "Babilou", "Majolino", "Brickadoo"],
    sentences: &[
        "L'enfant se déguise et invente mille histoires avec ses poupées.|\
         Children dress up and invent a thousand stories with their dolls.|\
         Das Kind verkleidet sich und erfindet tausend Geschichten mit Puppen.|\
         El niño se disfraza e inventa mil historias con sus muñecas.",
        "Véhicule à rétrofriction, portes ouvrantes, {n} pièces à assembler.|\
         Pull-back vehicle, opening doors, {n} pieces to assemble.|\
         Rückzugfahrzeug, Türen zum Öffnen, {n} Teile zum Zusammenbauen.|\
         Vehículo de retrofricción, puertas que se abren, {n} piezas.",
        "Ne convient pas aux enfants de moins de 36 mois, petites pièces.|\
         Not suitable for children under 36 months, small parts.|\
         Nicht für Kinder unter 36 Monaten geeignet, Kleinteile.|\
         No apto para niños menores de 36 meses, piezas pequeñas.",
    ],
};

pub(in crate::sample) const BOXED_GAME: Vocabulary = Vocabulary {
    nouns: &[
        "jeu de société|parlour game|Gesellschaftsspiel|juego de mesa",
        "puzzle 1000 pièces|1000 piece puzzle|Puzzle 1000 Teile|puzle de 1000 piezas",
        "jeu de cartes familial|family card game|Familienkartenspiel|juego de cartas familiar",
        "boîte de magie|magic box|Zauberkasten|caja de magia",
        "cible de fléchettes|dartboard|Dartscheibe|diana de dardos",
        "jeu de quilles|skittles|Kegelspiel|juego de bolos",
        "loisirs créatifs|craft kit|Bastelset|kit de manualidades",
        "jeu de mémoire|memory game|Gedächtnisspiel|juego de memoria",
        "quiz musical|music quiz|Musikquiz|concurso musical",
        "perles à repasser|ironing beads|Bügelperlen|cuentas para planchar",
    ],
    traits: &[
        "pour toute la famille|for the whole family|für die ganze Familie|para toda la familia",
        "à partir de 8 ans|ages 8 and up|ab 8 Jahren|a partir de 8 años",
        "version voyage|travel version|Reiseversion|versión de viaje",
        "en carton épais|thick cardboard|aus dicker Pappe|de cartón grueso",
        "jeu d'ambiance|party game|Partyspiel|juego para fiestas",
        "illustration panoramique|panoramic picture|Panoramabild|ilustración panorámica",
    ],
    brands: &["Ravelune", "Jumbaloo", "Dujardot", "Cartamiga"],
    sentences: &[
        "Une partie dure {n} minutes et réunit petits et grands autour de la table.|\
         A game lasts {n} minutes and brings young and old around the table.|\
         Eine Partie dauert {n} Minuten und bringt Groß und Klein an den Tisch.|\
         Una partida dura {n} minutos y reúne a pequeños y mayores en la mesa.",
        "Posez les cartes, répondez aux questions et gagnez le plus de points.|\
         Lay down cards, answer the questions and score the most points.|\
         Karten legen, Fragen beantworten und die meisten Punkte sammeln.|\
         Coloca las cartas, responde a las preguntas y gana más puntos.",
        "Puzzle aux pièces bien découpées, poster modèle dans la boîte.|\
         Puzzle with well-cut pieces, model poster in the box.|\
         Puzzle mit sauber gestanzten Teilen, Vorlage in der Schachtel.|\
         Puzle de piezas bien cortadas, póster modelo en la caja.",
    ],
};

pub(in crate::sample) const TECH_TOY: Vocabulary = Vocabulary {
    nouns: &[
        "drone avec caméra|camera drone|Drohne mit Kamera|dron con cámara",
        "voiture télécommandée|remote-controlled car|ferngesteuertes Auto|coche teledirigido",
        "batterie lipo 7,4 V|7.4 V lipo battery|LiPo-Akku 7,4 V|batería lipo 7,4 V",
        "hélicoptère radiocommandé|RC helicopter|RC-Hubschrauber|helicóptero radiocontrol",
        "hélices de rechange|spare propellers|Ersatzpropeller|hélices de repuesto",
        "moteur brushless|brushless motor|Brushless-Motor|motor brushless",
        "buggy tout-terrain|off-road buggy|Offroad-Buggy|buggy todoterreno",
        "quadricoptère pliable|foldable quadcopter|faltbarer Quadrocopter|cuadricóptero plegable",
        "servo numérique|digital servo|Digitalservo|servo digital",
        "radiocommande 2,4 GHz|2.4 GHz transmitter|2,4-GHz-Sender|emisora de 2,4 GHz",
    ],
    traits: &[
        "vol stationnaire|altitude hold|Höhenhaltefunktion|altitud estable",
        "wifi FPV 1080p|wifi FPV 1080p|WLAN FPV 1080p|wifi FPV 1080p",
        "quatre roues motrices|four-wheel drive|Allradantrieb|tracción a las cuatro ruedas",
        "portée 100 m|range 100 m|Reichweite 100 m|alcance 100 m",
        "retour automatique|one-key return|automatische Rückkehr|retorno automático",
        "châssis aluminium|aluminium chassis|Aluminium-Chassis|chasis de aluminio",
    ],
    brands: &["Skyhopper", "Rotorix", "Turbomule", "Aerokit"],
    sentences: &[
        "Gyroscope à six axes, décollage en un bouton, vol facile pour débutants.|\
         Six-axis gyroscope, one-button take-off, easy flying for beginners.|\
         Sechs-Achsen-Gyroskop, Start per Knopfdruck, leichtes Fliegen für Anfänger.|\
         Giroscopio de seis ejes, despegue con un botón, vuelo fácil para novatos.",
        "Temps de vol de {n} minutes, chargeur USB et hélices fournis.|\
         Flight time of {n} minutes, USB charger and propellers supplied.|\
         Flugzeit {n} Minuten, USB-Ladegerät und Propeller im Lieferumfang.|\
         Tiempo de vuelo de {n} minutos, cargador USB y hélices incluidos.",
        "Pièce détachée pour modèle réduit {brand}, montage à la vis.|\
         Spare part for the {brand} model, mounted with screws.|\
         Ersatzteil für das Modell {brand}, Montage mit Schrauben.|\
         Pieza de recambio para el modelo {brand}, montaje con tornillos.",
    ],
};
