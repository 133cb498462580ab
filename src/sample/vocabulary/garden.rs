//! Garden decoration (2582), swimming pools (2583), do-it-yourself and care (2585).

use super::{Vocabulary, Wording};

/// What anything for the garden may be called.
pub(in crate::sample) const GARDEN: &[Wording] = &[
    "accessoire de jardin|garden accessory|Gartenzubehör|accesorio de jardín",
    "bâche de protection|protective cover|Schutzplane|lona protectora",
    "tuyau souple|flexible hose|flexibler Schlauch|manguera flexible",
    "kit d'entretien|care kit|Pflegeset|kit de mantenimiento",
    "éclairage extérieur|outdoor lighting|Außenbeleuchtung|iluminación exterior",
    "pompe à eau|water pump|Wasserpumpe|bomba de agua",
    "aspirateur extérieur|outdoor vacuum|Außensauger|aspirador exterior",
    "raccord universel|universal connector|Universalanschluss|conector universal",
];

pub(in crate::sample) const OUTDOOR: Vocabulary = Vocabulary {
    nouns: &[
        "parasol déporté|cantilever parasol|Ampelschirm|parasol excéntrico",
        "salon de jardin|garden furniture set|Gartenmöbel-Set|conjunto de jardín",
        "tonnelle pliante|folding gazebo|Faltpavillon|cenador plegable",
        "bain de soleil|sun lounger|Sonnenliege|tumbona",
        "pot de fleurs|flower pot|Blumentopf|maceta",
        "store banne|retractable awning|Gelenkarmmarkise|toldo",
        "hamac suspendu|hanging hammock|Hängematte|hamaca colgante",
        "serre tunnel|tunnel greenhouse|Foliengewächshaus|invernadero túnel",
        "abri de jardin|garden shed|Gartenhaus|caseta de jardín",
        "voile d'ombrage|shade sail|Sonnensegel|vela de sombra",
    ],
    traits: &[
        "en résine tressée|woven resin|aus Polyrattan|de ratán sintético",
        "toile anti-UV|UV-resistant canvas|UV-beständiger Stoff|lona anti-UV",
        "3 x 4 mètres|3 x 4 metres|3 x 4 Meter|3 x 4 metros",
        "acier galvanisé|galvanised steel|verzinkter Stahl|acero galvanizado",
        "aluminium anthracite|anthracite aluminium|Aluminium anthrazit|aluminio antracita",
        "pour terrasse|for the terrace|für die Terrasse|para terraza",
    ],
    brands: &["Jardinova", "Solombre", "Verdalin", "Terrassio"],
    sentences: &[
        "Profitez de votre terrasse à l'ombre d'une toile déperlante.|\
         Enjoy your terrace in the shade of a water-repellent canvas.|\
         Genießen Sie Ihre Terrasse im Schatten eines wasserabweisenden Stoffs.|\
         Disfrute de su terraza a la sombra de una lona repelente al agua.",
        "Armature de {n} mm, piquets et cordes fournis pour le jardin.|\
         Frame of {n} mm, pegs and ropes supplied for the garden.|\
         Gestell mit {n} mm, Heringe und Seile für den Garten dabei.|\
         Estructura de {n} mm, piquetas y cuerdas incluidas para el jardín.",
        "Mobilier d'extérieur résistant aux intempéries et au soleil.|\
         Outdoor furniture that withstands weather and sun.|\
         Gartenmöbel, die Wetter und Sonne standhalten.|\
         Mobiliario de exterior resistente a la intemperie y al sol.",
    ],
};

pub(in crate::sample) const POOL: Vocabulary = Vocabulary {
    nouns: &[
        "piscine hors sol|above-ground pool|Aufstellpool|piscina elevada",
        "filtre à sable|sand filter|Sandfilteranlage|filtro de arena",
        "robot de piscine|pool robot|Poolroboter|robot de piscina",
        "bâche à bulles|solar pool cover|Solarplane|manta térmica para piscina",
        "chlore choc|shock chlorine|Schockchlor|cloro de choque",
        "échelle de bassin|pool ladder|Poolleiter|escalera de piscina",
        "spa gonflable|inflatable hot tub|aufblasbarer Whirlpool|spa hinchable",
        "pompe de filtration|filtration pump|Filterpumpe|bomba de filtración",
        "skimmer|skimmer|Oberflächenskimmer|skimmer",
        "liner bleu|blue liner|blaue Poolfolie|liner azul",
    ],
    traits: &[
        "diamètre 366 cm|diameter 366 cm|Durchmesser 366 cm|diámetro 366 cm",
        "6 m³/h|6 m³/h|6 m³/h|6 m³/h",
        "traitement au sel|salt treatment|Salzwasserbetrieb|tratamiento con sal",
        "ovale en bois|oval wooden|oval aus Holz|ovalada de madera",
        "pour bassin|for pools|für Schwimmbecken|para piscina",
        "1,5 CV triphasé|1.5 HP three-phase|1,5 PS Drehstrom|1,5 CV trifásica",
    ],
    brands: &["Aquarelo", "Lagonix", "Bassinova", "Hydralia"],
    sentences: &[
        "L'eau du bassin reste claire grâce à la cartouche filtrante.|\
         The pool water stays clear thanks to the filter cartridge.|\
         Das Poolwasser bleibt dank der Filterkartusche klar.|\
         El agua de la piscina se mantiene clara gracias al cartucho.",
        "Convient aux piscines jusqu'à {n} m³, raccords de 38 mm.|\
         Suitable for pools up to {n} m³, 38 mm connectors.|\
         Geeignet für Pools bis {n} m³, Anschlüsse 38 mm.|\
         Apto para piscinas de hasta {n} m³, conexiones de 38 mm.",
        "Hivernage, baignade et nettoyage du fond avec la gamme {brand}.|\
         Wintering, bathing and floor cleaning with the {brand} range.|\
         Überwintern, Baden und Bodenreinigung mit der Reihe {brand}.|\
         Invernaje, baño y limpieza del fondo con la gama {brand}.",
    ],
};

pub(in crate::sample) const DIY: Vocabulary = Vocabulary {
    nouns: &[
        "perceuse visseuse|cordless drill|Akkuschrauber|taladro atornillador",
        "tondeuse à gazon|lawn mower|Rasenmäher|cortacésped",
        "tronçonneuse|chainsaw|Kettensäge|motosierra",
        "nettoyeur haute pression|pressure washer|Hochdruckreiniger|hidrolimpiadora",
        "sécateur|secateurs|Gartenschere|tijeras de podar",
        "carburateur|carburettor|Vergaser|carburador",
        "lame de scie|saw blade|Sägeblatt|hoja de sierra",
        "niveau laser|laser level|Laser-Wasserwaage|nivel láser",
        "débroussailleuse|brush cutter|Freischneider|desbrozadora",
        "boîte à outils|toolbox|Werkzeugkasten|caja de herramientas",
    ],
    traits: &[
        "moteur 2 temps|2-stroke engine|2-Takt-Motor|motor de 2 tiempos",
        "18 V sans fil|18 V cordless|18 V Akku|18 V sin cable",
        "acier trempé|hardened steel|gehärteter Stahl|acero templado",
        "pièce d'origine|genuine part|Originalersatzteil|pieza original",
        "couple 45 Nm|torque 45 Nm|Drehmoment 45 Nm|par de 45 Nm",
        "avec mallette|with carrying case|mit Koffer|con maletín",
    ],
    brands: &["Ferrolux", "Boulonnet", "Kraftig", "Outillac"],
    sentences: &[
        "Moteur de {n} watts, poignée antivibration, mandrin autoserrant.|\
         Motor of {n} watts, anti-vibration handle, keyless chuck.|\
         Motor mit {n} Watt, vibrationsarmer Griff, Schnellspannfutter.|\
         Motor de {n} vatios, mango antivibración, portabrocas automático.",
        "Coupe nette des branches et du gazon, lame affûtée.|\
         Clean cut through branches and lawn, sharpened blade.|\
         Sauberer Schnitt durch Äste und Rasen, geschärfte Klinge.|\
         Corte limpio de ramas y césped, hoja afilada.",
        "Outil de bricolage {brand} pour l'atelier et le chantier.|\
         {brand} tool for the workshop and the building site.|\
         {brand}-Werkzeug für Werkstatt und Baustelle.|\
         Herramienta {brand} para el taller y la obra.",
    ],
};
