//! What every shop says about everything: no word here tells a category.

use super::Wording;

/// Names that fit any product.
pub(in crate::sample) const GENERIC_NOUNS: &[Wording] = &[
    "produit neuf|new product|Neuware|producto nuevo",
    "lot de pièces|set of pieces|Set mit Teilen|lote de piezas",
    "article de qualité|quality article|Qualitätsartikel|artículo de calidad",
    "modèle classique|classic model|klassisches Modell|modelo clásico",
    "coffret complet|complete set|komplettes Set|estuche completo",
    "petite série|small series|Kleinserie|serie pequeña",
    "objet d'occasion|used item|Gebrauchtware|objeto usado",
    "collection privée|private collection|Privatsammlung|colección privada",
    "idée cadeau originale|original gift idea|originelle Geschenkidee|idea de regalo original",
    "accessoire indispensable|must-have accessory|unverzichtbares Zubehör|accesorio imprescindible",
];

/// Colours and finishes.
pub(in crate::sample) const COLOURS: &[Wording] = &[
    "noir|black|schwarz|negro",
    "blanc|white|weiß|blanco",
    "bleu marine|navy blue|marineblau|azul marino",
    "rouge|red|rot|rojo",
    "gris clair|light grey|hellgrau|gris claro",
    "vert olive|olive green|olivgrün|verde oliva",
    "multicolore|multicolour|bunt|multicolor",
    "rose pâle|pale pink|blassrosa|rosa pálido",
];

/// What titles add to be found.
pub(in crate::sample) const EXTRAS: &[Wording] = &[
    "livraison gratuite|free delivery|kostenloser Versand|envío gratis",
    "pour la maison et le bureau|for home and office|für Haus und Büro|para casa y oficina",
    "très bon état|very good condition|sehr guter Zustand|muy buen estado",
    "avec son emballage d'origine|in original packaging|in Originalverpackung|en su embalaje original",
    "haute qualité|high quality|hohe Qualität|alta calidad",
    "pour homme et femme|for men and women|für Damen und Herren|para hombre y mujer",
    "nouvelle collection|new collection|neue Kollektion|nueva colección",
    "idéal pour offrir|ideal as a gift|ideal als Geschenk|ideal para regalar",
    "facile à utiliser|easy to use|einfach zu benutzen|fácil de usar",
    "le tout en excellent état|all in excellent condition|alles in bestem Zustand|todo en excelente estado",
    "de grande taille|large size|in großer Größe|de gran tamaño",
    "et ses accessoires|and its accessories|und sein Zubehör|y sus accesorios",
];

/// Sentences that any description may hold.
pub(in crate::sample) const SHOP_SENTENCES: &[Wording] = &[
    "Expédition rapide et soignée sous quarante-huit heures.|\
     Fast and careful shipping within forty-eight hours.|\
     Schneller und sorgfältiger Versand innerhalb von achtundvierzig Stunden.|\
     Envío rápido y cuidado en cuarenta y ocho horas.",
    "Produit neuf, jamais ouvert, dans son emballage d'origine.|\
     New product, never opened, in its original packaging.|\
     Neues Produkt, nie geöffnet, in der Originalverpackung.|\
     Producto nuevo, sin abrir, en su embalaje original.",
    "Les couleurs peuvent varier légèrement selon votre écran.|\
     Colours may vary slightly depending on your screen.|\
     Die Farben können je nach Bildschirm leicht abweichen.|\
     Los colores pueden variar ligeramente según su pantalla.",
    "N'hésitez pas à nous contacter pour toute question.|\
     Please do not hesitate to contact us with any question.|\
     Bei Fragen können Sie uns jederzeit gerne kontaktieren.|\
     No dude en contactarnos si tiene alguna pregunta.",
    "Contenu du colis : {n} pièces et un mode d'emploi.|\
     Package contents: {n} pieces and instructions for use.|\
     Lieferumfang: {n} Teile und eine Gebrauchsanweisung.|\
     Contenido del paquete: {n} piezas e instrucciones de uso.",
    "Dimensions : environ {n} cm, mesures prises à la main.|\
     Dimensions: about {n} cm, measured by hand.|\
     Abmessungen: etwa {n} cm, von Hand gemessen.|\
     Dimensiones: unos {n} cm, medidas tomadas a mano.",
    "Garantie de deux ans, retour accepté sous trente jours.|\
     Two-year warranty, returns accepted within thirty days.|\
     Zwei Jahre Garantie, Rückgabe innerhalb von dreißig Tagen.|\
     Garantía de dos años, devolución en treinta días.",
    "Un excellent rapport entre la qualité et le prix.|\
     Excellent value for money.|\
     Ein ausgezeichnetes Verhältnis von Qualität und Preis.|\
     Una excelente relación entre calidad y precio.",
    "Fabriqué avec des matériaux solides qui durent longtemps.|\
     Made of sturdy materials that last a long time.|\
     Hergestellt aus robusten Materialien, die lange halten.|\
     Fabricado con materiales sólidos que duran mucho tiempo.",
    "Une idée de cadeau qui plaira à tous vos proches.|\
     A gift idea that will please all your loved ones.|\
     Eine Geschenkidee, die allen Ihren Lieben gefallen wird.|\
     Una idea de regalo que gustará a todos los suyos.",
    "Facile à nettoyer avec un simple chiffon humide.|\
     Easy to clean with a simple damp cloth.|\
     Leicht zu reinigen mit einem einfachen feuchten Tuch.|\
     Fácil de limpiar con un simple paño húmedo.",
    "Référence du fabricant : {n}, poids net indiqué sur la boîte.|\
     Manufacturer reference: {n}, net weight shown on the box.|\
     Herstellernummer: {n}, Nettogewicht auf der Schachtel angegeben.|\
     Referencia del fabricante: {n}, peso neto indicado en la caja.",
    "Vendu par un professionnel, facture disponible sur demande.|\
     Sold by a professional, invoice available on request.|\
     Verkauf durch einen Händler, Rechnung auf Anfrage erhältlich.|\
     Vendido por un profesional, factura disponible a petición.",
    "Regardez bien les photos, elles font partie de la description.|\
     Please look at the pictures, they are part of the description.|\
     Bitte beachten Sie die Bilder, sie sind Teil der Beschreibung.|\
     Mire bien las fotos, forman parte de la descripción.",
    "Pour lui comme pour elle, à la maison ou en vacances.|\
     For him and for her, at home or on holiday.|\
     Für ihn und für sie, zu Hause oder im Urlaub.|\
     Para él y para ella, en casa o de vacaciones.",
    "Nous regroupons les envois pour réduire les frais de port.|\
     We combine parcels to reduce the cost of postage.|\
     Wir fassen Sendungen zusammen, um Versandkosten zu sparen.|\
     Agrupamos los envíos para reducir los gastos de transporte.",
    "Léger, pratique et simple, il vous suivra partout.|\
     Light, practical and simple, it will follow you everywhere.|\
     Leicht, praktisch und einfach, begleitet es Sie überall hin.|\
     Ligero, práctico y sencillo, le acompañará a todas partes.",
    "Caractéristiques : voir la fiche technique du modèle {n}.|\
     Features: see the data sheet of model {n}.|\
     Eigenschaften: siehe Datenblatt des Modells {n}.|\
     Características: consulte la ficha técnica del modelo {n}.",
    "Attention, les stocks sont limités, ne tardez pas à commander.|\
     Please note that stocks are limited, so do not wait to order.|\
     Achtung, der Vorrat ist begrenzt, bestellen Sie bald.|\
     Atención, las existencias son limitadas, no tarde en pedir.",
    "Quelques traces d'usage sans gravité, visibles sur les photos.|\
     A few minor signs of use, visible in the pictures.|\
     Einige leichte Gebrauchsspuren, auf den Bildern zu sehen.|\
     Algunas señales de uso sin importancia, visibles en las fotos.",
];
