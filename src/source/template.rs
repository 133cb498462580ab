//! Paths of images: a template with columns in braces.

use super::SourceError;

/// A path with columns in braces, such as `images/{imageid}_{productid}.jpg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Column(String),
}

impl PathTemplate {
    /// Parses a template.
    ///
    /// # Errors
    ///
    /// [`SourceError::Template`] for a brace that is not closed, or none at all.
    pub fn parse(template: &str) -> Result<Self, SourceError> {
        let refuse = |detail: &str| SourceError::Template {
            template: template.to_owned(),
            detail: detail.to_owned(),
        };
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some(start) = rest.find('{') {
            pieces.push(Piece::Text(rest[..start].to_owned()));
            let end = rest.find('}').filter(|end| *end > start + 1);
            let end = end.ok_or_else(|| refuse("expected {column}"))?;
            pieces.push(Piece::Column(rest[start + 1..end].to_owned()));
            rest = &rest[end + 1..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        if pieces.len() == 1 {
            return Err(refuse("it names no {column}"));
        }
        Ok(Self { pieces })
    }

    /// The columns that it names, in order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Column(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The folder that every path lies below.
    #[must_use]
    pub fn folder(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text.rsplit_once('/').map_or("", |(folder, _)| folder),
            _ => "",
        }
    }

    /// Fills in values, in the order of [`Self::columns`]; `None` where one of them is empty.
    #[must_use]
    pub fn fill(&self, values: &[&str]) -> Option<String> {
        let mut path = String::new();
        let mut values = values.iter();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Column(_) => path.push_str(values.next().filter(|value| !value.is_empty())?),
            }
        }
        Some(path)
    }
}

/// Whether a path stays below the root that it is relative to.
#[must_use]
pub fn stays_inside(path: &str) -> bool {
    let is_plain = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
    !path.contains('\\') && path.split('/').all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_folder_and_filling() {
        let template =
            PathTemplate::parse("images/train/image_{imageid}_product_{productid}.jpg").unwrap();
        assert_eq!(
            template.columns().collect::<Vec<_>>(),
            ["imageid", "productid"]
        );
        assert_eq!(template.folder(), "images/train");
        assert_eq!(
            template.fill(&["1", "2"]).as_deref(),
            Some("images/train/image_1_product_2.jpg")
        );
        assert_eq!(template.fill(&["", "2"]), None);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(PathTemplate::parse("images/x.jpg").is_err());
        assert!(PathTemplate::parse("images/{x.jpg").is_err());
        assert!(PathTemplate::parse("images/{}.jpg").is_err());
    }

    #[test]
    fn a_path_cannot_leave_the_root() {
        for bad in ["a/../../b", "/etc/passwd", "a//b", "./a", "a\\..\\b", ""] {
            assert!(!stays_inside(bad), "{bad}");
        }
        assert!(stays_inside("a/b..c.jpg"));
    }
}
