//! Guesses what a misspelt name was meant to be.

/// The known name nearest to a misspelt one, if one is near.
#[must_use]
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["designation", "description", "productid"];
        assert_eq!(suggestion("desgination", known), Some("designation"));
        assert_eq!(suggestion("colour", known), None);
    }
}
