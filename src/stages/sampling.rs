//! Rows drawn from many.
//!
//! Invariant: who is drawn depends on seed, ids and classes, not on the order of the rows; and a few rows more change few of
//! those that are drawn.

use std::collections::BTreeMap;

/// Place of a row among all in a drawing: those with the smallest are drawn.
pub(super) fn place(seed: u64, id: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(id.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_be_bytes(bytes)
}

/// The largest place that is drawn, where so many are.
pub(super) fn last_drawn(mut places: Vec<u64>, most: usize) -> Option<u64> {
    let last = most.min(places.len()).checked_sub(1)?;
    Some(*places.select_nth_unstable(last).1)
}

/// Draws at most so many rows, of each class its share; returns them in ascending order.
pub(super) fn stratified(ids: &[String], classes: &[u32], most: usize, seed: u64) -> Vec<usize> {
    if ids.len() <= most {
        return (0..ids.len()).collect();
    }
    let mut by_class: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, class) in classes.iter().enumerate() {
        by_class.entry(*class).or_default().push(row);
    }
    let sizes: Vec<usize> = by_class.values().map(Vec::len).collect();
    let mut drawn = Vec::with_capacity(most);
    for (mut rows, share) in by_class.into_values().zip(shares(&sizes, most)) {
        rows.sort_by_cached_key(|row| (place(seed, &ids[*row]), ids[*row].clone()));
        drawn.extend_from_slice(&rows[..share]);
    }
    drawn.sort_unstable();
    drawn
}

/// Divides `most` among classes by their sizes: whole shares first, then one each to those with the largest rest.
fn shares(sizes: &[usize], most: usize) -> Vec<usize> {
    let all: usize = sizes.iter().sum();
    let mut shares: Vec<usize> = sizes.iter().map(|size| size * most / all).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|class| std::cmp::Reverse(sizes[*class] * most % all));
    let left = most - shares.iter().sum::<usize>();
    for class in &order[..left] {
        shares[*class] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u32) -> (Vec<String>, Vec<u32>) {
        let ids = (0..count).map(|row| row.to_string()).collect();
        // Of four rows, two of class 0, one of class 1, one of class 5.
        (
            ids,
            (0..count)
                .map(|row| [0, 1, 0, 5][row as usize % 4])
                .collect(),
        )
    }

    #[test]
    fn each_class_gives_its_share() {
        let (ids, classes) = rows(400);
        for most in [2, 7, 100, 399] {
            let drawn = stratified(&ids, &classes, most, 1);
            assert_eq!(drawn.len(), most);
            assert!(drawn.is_sorted());
            for (class, size) in [(0, 200), (1, 100), (5, 100)] {
                let found = drawn.iter().filter(|row| classes[**row] == class).count();
                let share = most * size / 400;
                assert!(found == share || found == share + 1, "{found} of {class}");
            }
        }
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter_and_the_seed_does() {
        let (mut ids, mut classes) = rows(400);
        let names = |ids: &[String], drawn: Vec<usize>| {
            let mut names: Vec<String> = drawn.iter().map(|row| ids[*row].clone()).collect();
            names.sort();
            names
        };
        let drawn = names(&ids, stratified(&ids, &classes, 50, 1));
        assert_ne!(drawn, names(&ids, stratified(&ids, &classes, 50, 2)));
        ids.reverse();
        classes.reverse();
        assert_eq!(drawn, names(&ids, stratified(&ids, &classes, 50, 1)));
        // Who is in a small drawing is in a large one.
        let more = names(&ids, stratified(&ids, &classes, 100, 1));
        assert!(drawn.iter().all(|name| more.contains(name)));
    }

    #[test]
    fn the_smallest_places_are_drawn() {
        assert_eq!(last_drawn(vec![5, 1, 9, 3], 2), Some(3));
        assert_eq!(last_drawn(vec![5, 1], 9), Some(5));
        assert_eq!(last_drawn(vec![5, 1], 0), None);
        assert_eq!(last_drawn(vec![], 3), None);
    }

    #[test]
    fn few_rows_are_all_drawn() {
        let (ids, classes) = rows(5);
        assert_eq!(stratified(&ids, &classes, 5, 1), [0, 1, 2, 3, 4]);
        assert_eq!(stratified(&[], &[], 5, 1), [0; 0]);
    }
}
