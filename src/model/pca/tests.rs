//! Properties of principal components, and scikit-learn's on the same rows.

use super::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;

const NEVER: &(dyn Fn() -> bool + Sync) = &|| false;

/// What `scripts/make-pca-fixture.py` wrote.
#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rows: usize,
    columns: usize,
    components: usize,
    mean: Vec<f64>,
    entries: Vec<Vec<f64>>,
    explained_variance: Vec<f64>,
    explained_variance_ratio: Vec<f64>,
    transformed: Vec<Vec<f64>>,
}

/// Smooth hills at places and of heights that depend on the row, with some noise: as the fixture's script makes them.
fn pictures(rows: usize, columns: usize) -> Vec<u8> {
    let byte = |place: usize| {
        let (row, column) = (place / columns, place % columns);
        let mut bits = place as u32;
        bits ^= bits >> 16;
        bits = bits.wrapping_mul(0x85EB_CA6B);
        bits ^= bits >> 13;
        let noise = bits % 24;
        let hill = |centre: usize, height: usize| {
            let far = centre.abs_diff(column) * 16 / columns;
            (height * 16_usize.saturating_sub(far * far) / 16) as u32
        };
        let (first, second) = (row * 7 % columns, row * row * 3 % columns);
        (noise + hill(first, 40 + row * 31 % 120) + hill(second, 30)).min(255) as u8
    };
    (0..rows * columns).map(byte).collect()
}

fn assert_near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found}, not {expected}"
    );
}

#[test]
fn components_equal_scikit_learn_on_either_side() {
    let text = include_str!("../../../tests/fixtures/pca.json");
    let fixture: Fixture = serde_json::from_str(text).unwrap();
    assert!(fixture.cases.iter().any(|case| case.rows > case.columns));
    assert!(fixture.cases.iter().any(|case| case.rows < case.columns));
    for case in fixture.cases {
        let rows = pictures(case.rows, case.columns);
        let pca = Pca::fit(&rows, case.columns, case.components, NEVER).unwrap();
        assert_eq!(
            (pca.width(), pca.columns()),
            (case.components, case.columns)
        );
        for (found, expected) in pca.mean().iter().zip(&case.mean) {
            assert_near(f64::from(*found), *expected, 1e-6, "mean");
        }
        for (found, expected) in pca
            .explained_variance()
            .iter()
            .zip(&case.explained_variance)
        {
            assert_near(*found, *expected, 1e-9 * expected, "variance");
        }
        let ratios = pca.explained_variance_ratio();
        for (found, expected) in ratios.iter().zip(&case.explained_variance_ratio) {
            assert_near(*found, *expected, 1e-9, "ratio");
        }
        for (found, expected) in pca.components().iter().zip(case.entries.iter().flatten()) {
            assert_near(f64::from(*found), *expected, 2e-5, "component");
        }
        let transformed = pca
            .transform(&rows[..case.transformed.len() * case.columns])
            .unwrap();
        for (found, expected) in transformed.iter().zip(case.transformed.iter().flatten()) {
            assert_near(f64::from(*found), *expected, 1e-4, "row");
        }
    }
}

#[test]
fn all_components_are_orthonormal_and_give_the_rows_back() {
    for (rows, columns) in [(12, 90), (90, 12), (30, 30), (2, 5)] {
        let bytes = pictures(rows, columns);
        let pca = Pca::fit(&bytes, columns, 1000, NEVER).unwrap();
        assert_eq!(pca.width(), columns.min(rows - 1));
        let components: Vec<&[f32]> = pca.components().chunks_exact(columns).collect();
        for (place, a) in components.iter().enumerate() {
            for (other, b) in components.iter().enumerate() {
                let product: f64 = a.iter().zip(*b).map(|(a, b)| f64::from(a * b)).sum();
                assert_near(
                    product,
                    f64::from(u8::from(place == other)),
                    1e-5,
                    "product",
                );
            }
            let farthest = a.iter().fold(
                0.0,
                |far: f32, x| if x.abs() > far.abs() { *x } else { far },
            );
            assert!(farthest > 0.0);
        }
        assert!(pca.explained_variance().is_sorted_by(|a, b| a >= b));
        assert_near(
            pca.explained_variance_ratio().iter().sum(),
            1.0,
            1e-12,
            "sum of ratios",
        );
        let transformed = pca.transform(&bytes).unwrap();
        let (seen, given) = (
            transformed.chunks_exact(pca.width()),
            bytes.chunks_exact(columns),
        );
        for (seen, given) in seen.zip(given) {
            for (column, byte) in given.iter().enumerate() {
                let moved = seen
                    .iter()
                    .zip(&components)
                    .map(|(x, component)| x * component[column]);
                let found = pca.mean()[column] + moved.sum::<f32>();
                assert_near(f64::from(found), f64::from(*byte) / 255.0, 1e-5, "pixel");
            }
        }
    }
}

#[test]
fn the_variance_of_the_rows_along_a_component_is_what_it_explains() {
    let bytes = pictures(40, 200);
    let pca = Pca::fit(&bytes, 200, 5, NEVER).unwrap();
    assert_eq!(pca.width(), 5);
    let rows = pca.transform(&bytes).unwrap();
    for (component, expected) in pca.explained_variance().iter().enumerate() {
        let along = rows
            .iter()
            .skip(component)
            .step_by(5)
            .map(|x| f64::from(*x));
        let variance = along.map(|x| x * x).sum::<f64>() / 39.0;
        assert_near(variance, *expected, 1e-5 * expected, "variance");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let bytes = pictures(70, 600);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let pca = Pca::fit(&bytes, 600, 20, NEVER).unwrap();
            let rows = pca.transform(&bytes).unwrap();
            (pca, rows)
        })
    };
    assert_eq!(on(1), on(4));
}

#[test]
fn rows_that_differ_in_few_directions_have_few_components() {
    let two = [[10_u8, 20, 30, 200], [40, 80, 10, 7]];
    let bytes: Vec<u8> = (0..12).flat_map(|row| two[row % 2]).collect();
    let pca = Pca::fit(&bytes, 4, 3, NEVER).unwrap();
    assert_eq!(pca.width(), 1);
    assert_near(pca.explained_variance_ratio()[0], 1.0, 1e-12, "ratio");
}

#[test]
fn what_has_no_components_is_refused() {
    let refused = |rows: &[u8], columns| {
        let outcome = Pca::fit(rows, columns, 2, NEVER);
        assert!(
            matches!(outcome, Err(ModelError::Inputs { .. })),
            "{outcome:?}"
        );
    };
    refused(&[1, 2, 3], 3);
    refused(&[], 3);
    refused(&[1, 2, 3], 2);
    refused(&[1], 0);
    refused(&[7; 12], 3);
    let pca = Pca::fit(&pictures(5, 8), 8, 2, NEVER).unwrap();
    assert!(pca.transform(&[0; 9]).is_err());
    assert_eq!(pca.transform(&[]).unwrap(), [0.0; 0]);
    let stopped = Pca::fit(&pictures(5, 8), 8, 2, &|| true);
    assert!(matches!(stopped, Err(ModelError::Interrupted)));
}

#[test]
fn a_file_gives_the_components_back_or_is_refused() {
    let pca = Pca::fit(&pictures(9, 40), 40, 4, NEVER).unwrap();
    let bytes = pca.to_bytes().unwrap();
    assert_eq!(bytes, pca.to_bytes().unwrap());
    assert_eq!(Pca::from_bytes(&bytes).unwrap(), pca);
    for length in [0, 7, 8, 40, bytes.len() - 1] {
        assert!(Pca::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let without = |lacking: &str| {
        let names = read.names().into_iter().filter(|name| *name != lacking);
        let mut tensors: Vec<_> = names
            .map(|name| (name, read.tensor(name).unwrap()))
            .collect();
        tensors.sort_by_key(|(name, _)| *name);
        tensors
    };
    for name in read.names() {
        let bytes = safetensors::serialize(without(name), None).unwrap();
        let outcome = Pca::from_bytes(&bytes);
        assert!(
            matches!(outcome, Err(ModelError::MissingTensor { .. })),
            "{outcome:?}"
        );
        // Bytes where numbers are wanted, and too few numbers.
        for (kind, size) in [(Dtype::U8, 8), (read.tensor(name).unwrap().dtype(), 0)] {
            let mut tensors = without(name);
            let zeros = vec![0; size];
            tensors.push((name, TensorView::new(kind, vec![size], &zeros).unwrap()));
            let bytes = safetensors::serialize(tensors, None).unwrap();
            assert!(Pca::from_bytes(&bytes).is_err(), "{name} {kind:?}");
        }
    }
}
