//! Socks (1301), gadgets (1302), baby care (1320), food (1940) and pets (2220).

use super::{Vocabulary, Wording};

/// What anything of daily use may be called.
pub(in crate::sample) const VARIOUS: &[Wording] = &[
    "sac de voyage|travel bag|Reisetasche|bolsa de viaje",
    "article de plein air|outdoor article|Outdoor-Artikel|artículo de aire libre",
    "bouteille isotherme|insulated bottle|Thermosflasche|botella térmica",
    "gamelle|bowl|Napf|cuenco",
    "lot économique|value pack|Sparpack|pack ahorro",
    "couverture douce|soft blanket|weiche Decke|manta suave",
    "boîte de conservation|storage box|Aufbewahrungsbox|caja de conservación",
    "accessoire textile|textile accessory|Textilzubehör|accesorio textil",
];

pub(in crate::sample) const SOCKS: Vocabulary = Vocabulary {
    nouns: &[
        "chaussettes en laine|woollen socks|Wollsocken|calcetines de lana",
        "chaussettes fantaisie|novelty socks|Motivsocken|calcetines de fantasía",
        "chaussons bébé|baby slippers|Babyschuhe|patucos de bebé",
        "body à manches longues|long-sleeved bodysuit|Langarmbody|body de manga larga",
        "gants tactiles|touch gloves|Touchscreen-Handschuhe|guantes táctiles",
        "bonnet tricoté|knitted hat|Strickmütze|gorro de punto",
        "collants fins|sheer tights|Feinstrumpfhose|medias finas",
        "socquettes de sport|sports ankle socks|Sneakersocken|tobilleras deportivas",
        "écharpe tube|tube scarf|Schlauchschal|bufanda tubular",
        "jambières|leg warmers|Stulpen|calentadores",
    ],
    traits: &[
        "pointure 39-42|size 39-42|Größe 39-42|talla 39-42",
        "lot de 5 paires|pack of 5 pairs|5 Paar|lote de 5 pares",
        "coton biologique|organic cotton|Bio-Baumwolle|algodón orgánico",
        "sans couture|seamless|nahtlos|sin costuras",
        "semelle bouclette|terry sole|Frotteesohle|suela de rizo",
        "0-6 mois|0-6 months|0-6 Monate|0-6 meses",
    ],
    brands: &["Petipas", "Lainette", "Sockerine", "Mollezon"],
    sentences: &[
        "Talon renforcé, tige élastique qui ne serre pas la cheville.|\
         Reinforced heel, elastic leg that does not squeeze the ankle.|\
         Verstärkte Ferse, elastischer Schaft, der den Knöchel nicht einengt.|\
         Talón reforzado, caña elástica que no aprieta el tobillo.",
        "Maille composée de {n} % de coton, chaude et respirante.|\
         Knit made of {n} % cotton, warm and breathable.|\
         Strick aus {n} % Baumwolle, warm und atmungsaktiv.|\
         Punto con un {n} % de algodón, cálido y transpirable.",
        "Les paires {brand} gardent les pieds au sec tout l'hiver.|\
         {brand} pairs keep your feet dry all winter.|\
         Die Paare von {brand} halten die Füße den ganzen Winter trocken.|\
         Los pares {brand} mantienen los pies secos todo el invierno.",
    ],
};

pub(in crate::sample) const GADGET: Vocabulary = Vocabulary {
    nouns: &[
        "trottinette électrique|electric scooter|E-Scooter|patinete eléctrico",
        "lampe frontale|head torch|Stirnlampe|linterna frontal",
        "leurre de pêche|fishing lure|Angelköder|señuelo de pesca",
        "tente de camping|camping tent|Campingzelt|tienda de campaña",
        "château gonflable|bouncy castle|Hüpfburg|castillo hinchable",
        "trampoline|trampoline|Trampolin|cama elástica",
        "skateboard|skateboard|Skateboard|monopatín",
        "cerf-volant|kite|Drachen|cometa",
        "jumelles compactes|compact binoculars|Kompaktfernglas|prismáticos compactos",
        "filet de volley|volleyball net|Volleyballnetz|red de voleibol",
    ],
    traits: &[
        "étanche IP65|waterproof IP65|wasserdicht IP65|estanco IP65",
        "pliable et léger|foldable and light|faltbar und leicht|plegable y ligero",
        "roues de 200 mm|200 mm wheels|200-mm-Räder|ruedas de 200 mm",
        "zoom x10|10x zoom|10-fach Zoom|zoom x10",
        "pour la randonnée|for hiking|zum Wandern|para senderismo",
        "hameçons triples|treble hooks|Drillingshaken|anzuelos triples",
    ],
    brands: &["Randoflex", "Zigomar", "Trailux", "Bivouane"],
    sentences: &[
        "Idéal au camping, à la pêche ou en randonnée le week-end.|\
         Ideal for camping, fishing or weekend hikes.|\
         Ideal zum Campen, Angeln oder Wandern am Wochenende.|\
         Ideal para acampar, pescar o caminar el fin de semana.",
        "Supporte jusqu'à {n} kg, freins et réflecteurs intégrés.|\
         Supports up to {n} kg, built-in brakes and reflectors.|\
         Trägt bis zu {n} kg, Bremsen und Reflektoren eingebaut.|\
         Soporta hasta {n} kg, frenos y reflectores integrados.",
        "Éclairage puissant, trois modes, piles non fournies.|\
         Powerful light, three modes, batteries not included.|\
         Starkes Licht, drei Stufen, Batterien nicht enthalten.|\
         Luz potente, tres modos, pilas no incluidas.",
    ],
};

pub(in crate::sample) const BABY: Vocabulary = Vocabulary {
    nouns: &[
        "poussette canne|umbrella stroller|Buggy|silla de paseo",
        "biberon anti-colique|anti-colic bottle|Anti-Kolik-Flasche|biberón anticólicos",
        "sac à langer|changing bag|Wickeltasche|bolso cambiador",
        "siège auto|car seat|Kindersitz|silla de coche",
        "tapis d'éveil|play mat|Krabbeldecke|manta de juegos",
        "gigoteuse d'hiver|winter sleeping bag|Winterschlafsack|saco de dormir de bebé",
        "transat bébé|baby bouncer|Babywippe|hamaca de bebé",
        "barrière de sécurité|safety gate|Türschutzgitter|barrera de seguridad",
        "tétine en silicone|silicone dummy|Silikonschnuller|chupete de silicona",
        "écharpe de portage|baby sling|Babytragetuch|fular portabebés",
    ],
    traits: &[
        "de la naissance à 13 kg|from birth to 13 kg|ab Geburt bis 13 kg|desde el nacimiento hasta 13 kg",
        "sans bisphénol|BPA free|BPA-frei|sin bisfenol",
        "harnais cinq points|five-point harness|Fünf-Punkt-Gurt|arnés de cinco puntos",
        "motif nuages|cloud pattern|Wolkenmuster|motivo de nubes",
        "0-3 mois|0-3 months|0-3 Monate|0-3 meses",
        "lavable en machine|machine washable|maschinenwaschbar|lavable a máquina",
    ],
    brands: &["Doucinet", "Bébalou", "Nidoux", "Kikounet"],
    sentences: &[
        "Bébé est bien maintenu, les parents ont les mains libres.|\
         Baby is well supported and parents have their hands free.|\
         Das Baby ist gut gehalten, die Eltern haben die Hände frei.|\
         El bebé va bien sujeto y los padres tienen las manos libres.",
        "Convient aux nourrissons jusqu'à {n} mois, norme européenne.|\
         Suitable for infants up to {n} months, European standard.|\
         Für Säuglinge bis {n} Monate, europäische Norm.|\
         Apto para lactantes de hasta {n} meses, norma europea.",
        "La maman range couches, biberons et doudou dans les poches.|\
         Mum stores nappies, bottles and comforter in the pockets.|\
         Mama verstaut Windeln, Fläschchen und Kuscheltuch in den Taschen.|\
         La mamá guarda pañales, biberones y peluche en los bolsillos.",
    ],
};

pub(in crate::sample) const FOOD: Vocabulary = Vocabulary {
    nouns: &[
        "café en grains|coffee beans|Kaffeebohnen|café en grano",
        "confiture de figues|fig jam|Feigenmarmelade|mermelada de higos",
        "capsules de thé|tea capsules|Teekapseln|cápsulas de té",
        "sirop d'érable|maple syrup|Ahornsirup|sirope de arce",
        "moutarde ancienne|wholegrain mustard|grober Senf|mostaza antigua",
        "bonbons gélifiés|jelly sweets|Fruchtgummi|gominolas",
        "huile d'olive vierge|virgin olive oil|natives Olivenöl|aceite de oliva virgen",
        "pâtes artisanales|artisan pasta|handgemachte Nudeln|pasta artesana",
        "épices à tajine|tagine spices|Tajine-Gewürz|especias para tajín",
        "biscuits sablés|shortbread|Mürbekekse|galletas de mantequilla",
    ],
    traits: &[
        "250 g|250 g|250 g|250 g",
        "sans gluten|gluten free|glutenfrei|sin gluten",
        "issu du commerce équitable|fair trade|aus fairem Handel|de comercio justo",
        "bouteille 75 cl|75 cl bottle|Flasche 75 cl|botella 75 cl",
        "arôme vanille|vanilla flavour|Vanillegeschmack|aroma de vainilla",
        "sachet fraîcheur|freshness bag|Frischebeutel|bolsa de frescura",
    ],
    brands: &[
        "Gourmandelle",
        "Saveurs d'Ombrie",
        "Moulin Follet",
        "Torrefacto",
    ],
    sentences: &[
        "Ingrédients : sucre, arôme naturel, peut contenir des traces de noix.|\
         Ingredients: sugar, natural flavour, may contain traces of nuts.|\
         Zutaten: Zucker, natürliches Aroma, kann Spuren von Nüssen enthalten.|\
         Ingredientes: azúcar, aroma natural, puede contener trazas de frutos secos.",
        "Pour 100 g : {n} kcal, à conserver au sec dans la cuisine.|\
         Per 100 g: {n} kcal, keep dry in the kitchen.|\
         Pro 100 g: {n} kcal, in der Küche trocken lagern.|\
         Por 100 g: {n} kcal, conservar en la cocina en lugar seco.",
        "Une saveur ronde et gourmande, torréfiée chez {brand}.|\
         A round, delicious flavour, roasted at {brand}.|\
         Runder, köstlicher Geschmack, geröstet bei {brand}.|\
         Un sabor redondo y goloso, tostado en {brand}.",
    ],
};

pub(in crate::sample) const PETS: Vocabulary = Vocabulary {
    nouns: &[
        "collier pour chien|dog collar|Hundehalsband|collar para perro",
        "arbre à chat|cat tree|Kratzbaum|rascador para gatos",
        "laisse rétractable|retractable lead|Rollleine|correa extensible",
        "croquettes pour chat|cat kibble|Katzentrockenfutter|pienso para gatos",
        "manteau pour chien|dog coat|Hundemantel|abrigo para perro",
        "aquarium 60 litres|60 litre aquarium|Aquarium 60 Liter|acuario de 60 litros",
        "cage à oiseaux|bird cage|Vogelkäfig|jaula para pájaros",
        "panier pour animaux|pet basket|Tierkorb|cesta para mascotas",
        "os à mâcher|chew bone|Kauknochen|hueso masticable",
        "litière absorbante|absorbent litter|Katzenstreu|arena absorbente",
    ],
    traits: &[
        "taille XS|size XS|Größe XS|talla XS",
        "en nylon réfléchissant|reflective nylon|reflektierendes Nylon|de nailon reflectante",
        "pour chiot|for puppies|für Welpen|para cachorro",
        "goût saumon|salmon flavour|Lachsgeschmack|sabor a salmón",
        "anti-aboiement|anti-bark|Anti-Bell|antiladridos",
        "en sisal|sisal|aus Sisal|de sisal",
    ],
    brands: &["Moustachou", "Canidog", "Felinette", "Truffino"],
    sentences: &[
        "Votre chien ou votre chat appréciera ce confort au quotidien.|\
         Your dog or cat will enjoy this comfort every day.|\
         Ihr Hund oder Ihre Katze wird diesen Komfort täglich genießen.|\
         Tu perro o tu gato apreciará esta comodidad a diario.",
        "Tour de cou réglable jusqu'à {n} cm, boucle solide pour l'animal.|\
         Neck adjustable up to {n} cm, sturdy buckle for the animal.|\
         Halsumfang verstellbar bis {n} cm, feste Schnalle für das Tier.|\
         Contorno de cuello ajustable hasta {n} cm, hebilla sólida.",
        "Recette vétérinaire {brand}, digestion facile et poil brillant.|\
         {brand} veterinary recipe, easy digestion and a shiny coat.|\
         Tierärztliche Rezeptur von {brand}, leicht verdaulich, glänzendes Fell.|\
         Receta veterinaria {brand}, digestión fácil y pelo brillante.",
    ],
};
