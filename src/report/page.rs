//! Fills the templates in: one page that holds its style, figures and photos within itself, and asks the network for nothing.

use super::ReportError;
use super::attachments::{Attachment, Attachments};
use super::chart::FIGURE_CSS;
use super::data::ReportData;
use super::language::Lang;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, context};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The templates by name.
const TEMPLATES: [(&str, &str); 9] = [
    ("page.html", include_str!("page/page.html")),
    ("macros.html", include_str!("page/macros.html")),
    ("overview.html", include_str!("page/overview.html")),
    ("catalogue.html", include_str!("page/catalogue.html")),
    ("images.html", include_str!("page/images.html")),
    ("models.html", include_str!("page/models.html")),
    ("networks.html", include_str!("page/networks.html")),
    ("drift.html", include_str!("page/drift.html")),
    ("night.html", include_str!("page/night.html")),
];

const STYLE: &str = include_str!("page/style.css");

/// Renders the page.
pub(super) fn render(
    data: &ReportData,
    lang: Lang,
    attachments: &Attachments,
) -> Result<String, ReportError> {
    let environment = environment(lang, inlined(attachments))?;
    let page = environment.get_template("page.html")?.render(context! {
        r => Value::from(Serde(data)),
        lang => lang.code(),
        style => Value::from_safe_string(format!("{STYLE}\n{FIGURE_CSS}")),
    })?;
    Ok(page)
}

/// What stands in the page for each file beside it: a drawing, or the address of an image.
fn inlined(attachments: &Attachments) -> BTreeMap<String, String> {
    let embed =
        |kind: &str, bytes: &[u8]| format!("data:image/{kind};base64,{}", STANDARD.encode(bytes));
    let inline = |attachment: &Attachment| match attachment {
        Attachment::Svg(svg) => svg.inline(),
        Attachment::Png(bytes) => embed("png", bytes),
        Attachment::Jpeg(bytes) => embed("jpeg", bytes),
    };
    let files = attachments.files().iter();
    files
        .map(|(path, attachment)| (path.clone(), inline(attachment)))
        .collect()
}

fn environment(
    lang: Lang,
    files: BTreeMap<String, String>,
) -> Result<Environment<'static>, ReportError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_function("t", move |english: String, french: String| {
        lang.pick(&english, &french).to_owned()
    });
    let files = Arc::new(files);
    let known = Arc::clone(&files);
    environment.add_function("has", move |path: String| known.contains_key(&path));
    environment.add_function("file", move |path: String| {
        let found = files.get(&path).cloned().map(Value::from_safe_string);
        found.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("there is no {path}")))
    });
    environment.add_filter("n", move |value: u64| lang.whole(value));
    environment.add_filter("pct", move |value: f64| lang.percent(value));
    environment.add_filter("dec", move |value: f64, options: Kwargs| {
        let decimals = options.get::<Option<usize>>("digits")?.unwrap_or(3);
        options.assert_all_used()?;
        Ok::<_, Error>(lang.decimal(value, decimals))
    });
    environment.add_filter("time", move |value: u64| lang.duration(value));
    environment.add_filter("size", move |value: u64| lang.bytes(value));
    environment.add_filter("cut", |text: String, most: usize| {
        if text.chars().count() <= most {
            return text;
        }
        text.chars().take(most).chain(['…']).collect()
    });
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}
