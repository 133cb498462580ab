//! Console games (40), accessories (50), consoles (60), old games (2462) and computer games (2905).

use super::{Vocabulary, Wording};

/// What anything for players may be called.
pub(in crate::sample) const GAMING: &[Wording] = &[
    "jeu vidéo|video game|Videospiel|videojuego",
    "jeu d'aventure|adventure game|Abenteuerspiel|juego de aventuras",
    "course de voitures|car racing|Autorennen|carreras de coches",
    "pack joueur|player bundle|Spielerpaket|pack de jugador",
    "version européenne|European version|europäische Version|versión europea",
    "jeu de combat|fighting game|Kampfspiel|juego de lucha",
    "accessoire de jeu|gaming accessory|Spielzubehör|accesorio de juego",
    "édition joueurs|gamer edition|Gamer-Edition|edición para jugadores",
];

pub(in crate::sample) const CONSOLE_GAME: Vocabulary = Vocabulary {
    nouns: &[
        "jeu pour Novastation 4|Novastation 4 game|Novastation-4-Spiel|juego para Novastation 4",
        "jeu Orbix One|Orbix One game|Orbix-One-Spiel|juego Orbix One",
        "jeu Kiwii|Kiwii game|Kiwii-Spiel|juego Kiwii",
        "simulation de football|football simulation|Fußballsimulation|simulación de fútbol",
        "jeu de rôle japonais|Japanese role-playing game|japanisches Rollenspiel|rol japonés",
        "jeu de tir|shooter game|Ballerspiel|juego de disparos",
        "jeu de plateforme|platform game|Plattformspiel|juego de plataformas",
        "jeu de danse|dance game|Tanzspiel|juego de baile",
        "bataille royale|battle royale|Battle Royale|batalla real",
        "simulateur de ferme|farming simulator|Landwirtschaftssimulator|simulador de granja",
    ],
    traits: &[
        "édition day one|day one edition|Day-One-Edition|edición día uno",
        "avec steelbook|with steelbook|mit Steelbook|con steelbook",
        "import japonais|Japanese import|Japan-Import|importación japonesa",
        "multijoueur|multiplayer|Mehrspieler|multijugador",
        "édition ultime|ultimate edition|Ultimate Edition|edición definitiva",
        "déconseillé aux moins de 16 ans|rated 16|ab 16 Jahren|mayores de 16 años",
    ],
    brands: &["Novastation", "Orbix", "Kiwii", "Studio Brumegriffe"],
    sentences: &[
        "Explorez un monde ouvert et affrontez vos amis en ligne sur {brand}.|\
         Explore an open world and face your friends online on {brand}.|\
         Erkunden Sie eine offene Welt und treten Sie online auf {brand} an.|\
         Explora un mundo abierto y enfréntate a tus amigos en línea en {brand}.",
        "Disque sans rayure, boîtier et notice inclus, sauvegarde en ligne possible.|\
         Disc without scratches, case and manual included, online saves possible.|\
         Disc ohne Kratzer, Hülle und Anleitung dabei, Online-Speicherstände möglich.|\
         Disco sin arañazos, caja y manual incluidos, partida guardada en línea.",
        "Mode carrière, {n} équipes, graphismes en haute définition.|\
         Career mode, {n} teams, high definition graphics.|\
         Karrieremodus, {n} Mannschaften, hochauflösende Grafik.|\
         Modo carrera, {n} equipos, gráficos en alta definición.",
    ],
};

pub(in crate::sample) const CONSOLE_ACCESSORY: Vocabulary = Vocabulary {
    nouns: &[
        "manette sans fil|wireless controller|kabelloser Controller|mando inalámbrico",
        "station de charge|charging dock|Ladestation|base de carga",
        "casque micro|gaming headset|Headset|auriculares con micrófono",
        "câble d'alimentation|power cable|Stromkabel|cable de alimentación",
        "coque en silicone|silicone cover|Silikonhülle|funda de silicona",
        "volant de course|racing wheel|Lenkrad|volante de carreras",
        "écran tactile de rechange|spare touch screen|Ersatz-Touchscreen|pantalla táctil de repuesto",
        "sacoche de transport|carrying case|Tragetasche|bolsa de transporte",
        "grips pour joystick|thumb grips|Daumengriffe|grips para joystick",
        "adaptateur manette|controller adapter|Controller-Adapter|adaptador de mando",
    ],
    traits: &[
        "compatible Novastation|compatible with Novastation|für Novastation|compatible con Novastation",
        "rechargeable par USB|USB rechargeable|per USB aufladbar|recargable por USB",
        "avec vibration|with rumble|mit Vibration|con vibración",
        "Bluetooth|Bluetooth|mit Bluetooth|con Bluetooth",
        "antidérapant|anti-slip|rutschfest|antideslizante",
        "longueur 3 m|3 m long|Länge 3 m|longitud 3 m",
    ],
    brands: &["Padrix", "Gamelink", "Tacticlic", "Voltabrix"],
    sentences: &[
        "Boutons réactifs, gâchettes précises et prise jack pour le casque.|\
         Responsive buttons, precise triggers and a jack for the headset.|\
         Reaktionsschnelle Tasten, präzise Trigger und Klinkenanschluss für das Headset.|\
         Botones sensibles, gatillos precisos y toma jack para los auriculares.",
        "Batterie de {n} mAh, recharge deux manettes en même temps.|\
         Battery of {n} mAh, charges two controllers at the same time.|\
         Akku mit {n} mAh, lädt zwei Controller gleichzeitig.|\
         Batería de {n} mAh, carga dos mandos al mismo tiempo.",
        "Protège votre console portable des chocs et des rayures.|\
         Protects your handheld console from knocks and scratches.|\
         Schützt Ihre tragbare Konsole vor Stößen und Kratzern.|\
         Protege tu consola portátil de golpes y arañazos.",
    ],
};

pub(in crate::sample) const CONSOLE: Vocabulary = Vocabulary {
    nouns: &[
        "console de salon|home console|Heimkonsole|consola de sobremesa",
        "console portable|handheld console|Handheld-Konsole|consola portátil",
        "pack console|console bundle|Konsolenpaket|pack de consola",
        "mini console rétro|mini retro console|Mini-Retrokonsole|miniconsola retro",
        "lecteur audio de poche|pocket audio player|Taschen-Audioplayer|reproductor de bolsillo",
        "Novastation Slim|Novastation Slim|Novastation Slim|Novastation Slim",
        "borne d'arcade|arcade cabinet|Arcade-Automat|máquina recreativa",
        "Orbix Series|Orbix Series|Orbix Series|Orbix Series",
        "console 500 Go|500 GB console|500-GB-Konsole|consola 500 GB",
        "émulateur portable|portable emulator|tragbarer Emulator|emulador portátil",
    ],
    traits: &[
        "avec deux manettes|with two controllers|mit zwei Controllern|con dos mandos",
        "disque dur 1 To|1 TB hard drive|1 TB Festplatte|disco duro 1 TB",
        "sortie HDMI|HDMI output|HDMI-Ausgang|salida HDMI",
        "620 jeux intégrés|620 built-in games|620 integrierte Spiele|620 juegos integrados",
        "écran 4,3 pouces|4.3 inch screen|4,3-Zoll-Bildschirm|pantalla de 4,3 pulgadas",
        "reconditionnée|refurbished|generalüberholt|reacondicionada",
    ],
    brands: &["Novastation", "Orbix", "Retrobit", "Pockador"],
    sentences: &[
        "La console est livrée avec son bloc secteur, un câble et une manette.|\
         The console comes with its power supply, a cable and a controller.|\
         Die Konsole wird mit Netzteil, Kabel und Controller geliefert.|\
         La consola se entrega con su fuente, un cable y un mando.",
        "Processeur à {n} bits, mémoire extensible, branchement direct au téléviseur.|\
         {n}-bit processor, expandable memory, plugs straight into the television.|\
         {n}-Bit-Prozessor, erweiterbarer Speicher, direkt am Fernseher anschließbar.|\
         Procesador de {n} bits, memoria ampliable, conexión directa al televisor.",
        "Autonomie de dix heures, écran lumineux, jeux préinstallés.|\
         Ten hours of battery life, bright screen, preinstalled games.|\
         Zehn Stunden Akkulaufzeit, heller Bildschirm, vorinstallierte Spiele.|\
         Diez horas de autonomía, pantalla luminosa, juegos preinstalados.",
    ],
};

pub(in crate::sample) const RETRO_GAME: Vocabulary = Vocabulary {
    nouns: &[
        "cartouche de jeu|game cartridge|Spielmodul|cartucho de juego",
        "jeu Novastation 1|Novastation 1 game|Novastation-1-Spiel|juego Novastation 1",
        "jeu Megatronic|Megatronic game|Megatronic-Spiel|juego Megatronic",
        "lot de jeux rétro|bundle of retro games|Retrospiele-Paket|lote de juegos retro",
        "manette d'origine|original controller|Original-Controller|mando original",
        "carte mémoire 8 Mo|8 MB memory card|8-MB-Speicherkarte|tarjeta de memoria 8 MB",
        "jeu de plateforme en 16 bits|16-bit platformer|16-Bit-Jump-and-Run|plataformas de 16 bits",
        "console des années 90|console of the nineties|Konsole der Neunziger|consola de los noventa",
        "jeu Pocketboy|Pocketboy game|Pocketboy-Spiel|juego Pocketboy",
        "pistolet optique|light gun|Lichtpistole|pistola óptica",
    ],
    traits: &[
        "en loose|cartridge only|lose|suelto",
        "complet en boîte|complete in box|komplett mit Verpackung|completo en caja",
        "version PAL|PAL version|PAL-Version|versión PAL",
        "testé et fonctionnel|tested and working|getestet und funktionsfähig|probado y funcional",
        "vintage|vintage|Vintage|vintage",
        "pile de sauvegarde changée|save battery replaced|Batterie getauscht|pila cambiada",
    ],
    brands: &["Megatronic", "Pocketboy", "Novastation", "Vectorex"],
    sentences: &[
        "Jeu rétro testé, contacts nettoyés, étiquette légèrement décollée.|\
         Retro game tested, contacts cleaned, label peeling slightly.|\
         Retrospiel getestet, Kontakte gereinigt, Etikett löst sich leicht.|\
         Juego retro probado, contactos limpios, etiqueta algo despegada.",
        "Pour les nostalgiques de la {brand} et des longues parties d'enfance.|\
         For those who miss the {brand} and long childhood sessions.|\
         Für alle, die den {brand} und lange Kindheitsabende vermissen.|\
         Para los nostálgicos de la {brand} y de las partidas de la infancia.",
        "Cartouche de {n}, notice absente, boîte en carton usée aux coins.|\
         Cartridge from {n}, manual missing, cardboard box worn at the corners.|\
         Modul von {n}, Anleitung fehlt, Karton an den Ecken abgenutzt.|\
         Cartucho de {n}, sin manual, caja de cartón gastada en las esquinas.",
    ],
};

pub(in crate::sample) const COMPUTER_GAME: Vocabulary = Vocabulary {
    nouns: &[
        "jeu PC en téléchargement|PC game download|PC-Spiel zum Download|juego de PC en descarga",
        "clé d'activation|activation key|Aktivierungsschlüssel|clave de activación",
        "extension pour PC|PC expansion|PC-Erweiterung|expansión para PC",
        "objets cachés|hidden objects|Wimmelbildspiel|objetos ocultos",
        "stratégie en temps réel|real-time strategy|Echtzeitstrategie|estrategia en tiempo real",
        "simulateur de vol|flight simulator|Flugsimulator|simulador de vuelo",
        "jeu de gestion|management game|Aufbauspiel|juego de gestión",
        "contenu additionnel|downloadable content|Zusatzinhalt|contenido adicional",
        "jeu sur CD-ROM|CD-ROM game|CD-ROM-Spiel|juego en CD-ROM",
        "code de compte en ligne|online account code|Online-Konto-Code|código de cuenta en línea",
    ],
    traits: &[
        "version numérique|digital version|digitale Version|versión digital",
        "Windows et Mac|Windows and Mac|Windows und Mac|Windows y Mac",
        "sans DVD|no DVD|ohne DVD|sin DVD",
        "configuration minimale|minimum specifications|Mindestanforderungen|requisitos mínimos",
        "bonus de précommande|pre-order bonus|Vorbestellerbonus|extra de reserva",
        "livraison par courriel|delivered by e-mail|Lieferung per E-Mail|entrega por correo",
    ],
    brands: &["Vaporix", "Pixelarche", "Grimoire Interactive", "Octopode"],
    sentences: &[
        "Système requis : Windows, {n} Go de disque, carte graphique dédiée.|\
         System requirements: Windows, {n} GB of disk, dedicated graphics card.|\
         Systemanforderungen: Windows, {n} GB Speicherplatz, eigene Grafikkarte.|\
         Requisitos: Windows, {n} GB de disco, tarjeta gráfica dedicada.",
        "Téléchargement à activer sur la plateforme {brand}, aucun envoi postal.|\
         Download to activate on the {brand} platform, nothing sent by post.|\
         Download zur Aktivierung auf der Plattform {brand}, kein Postversand.|\
         Descarga para activar en la plataforma {brand}, sin envío postal.",
        "Jouable au clavier et à la souris, mises à jour gratuites.|\
         Playable with keyboard and mouse, free updates.|\
         Mit Tastatur und Maus spielbar, kostenlose Aktualisierungen.|\
         Se juega con teclado y ratón, actualizaciones gratuitas.",
    ],
};
