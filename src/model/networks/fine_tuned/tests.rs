//! Networks on backbones of formula weights: parameters, what a training changes, files.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use safetensors::SafeTensors;

use super::*;
use crate::model::backbones::{BackboneKind, Pretrained};
use crate::model::random::{Purpose, generator, uniform};
use crate::model::{
    DeviceChoice, Fitted, MemoryExamples, Network, NetworkSpec, Precision, Runtime, TrainOptions,
    fit, predict,
};

const SIZE: usize = 32;

fn runtime() -> Runtime {
    Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap()
}

fn tuning(trained: Trained) -> FineTuning {
    FineTuning {
        size: SIZE,
        trained,
        hidden: vec![8],
        dropout: 0.1,
    }
}

fn network(source: &WeightsSource, trained: Trained, runtime: &Runtime) -> Network {
    let backbone = Pretrained::of_formula(source, runtime);
    Network::fine_tuned(backbone, &tuning(trained), 2, 1).unwrap()
}

fn mobilenet(trained: Trained) -> Network {
    let source = WeightsSource::torchvision(BackboneKind::MobileNetV2);
    network(&source, trained, &runtime())
}

/// Noise with a bright left or right half, by class.
fn examples(rows: usize, seed: u64) -> MemoryExamples {
    let mut random = generator(seed, Purpose::Order, 0);
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let class = row % 2;
        let noise = uniform(&mut random, SIZE * SIZE * 3, 40.0);
        pixels.extend(noise.iter().enumerate().map(|(index, noise)| {
            let is_bright = index / 3 % SIZE / (SIZE / 2) == class;
            (noise + if is_bright { 200.0 } else { 60.0 }) as u8
        }));
        labels.push(class);
    }
    let inputs = Inputs {
        images: Some(Images::new(SIZE, pixels, vec![true; rows]).unwrap()),
        ..Inputs::default()
    };
    MemoryExamples::new(labels, inputs).unwrap()
}

fn trained(network: Network, precision: Precision) -> Fitted {
    let options = TrainOptions {
        epochs: 4,
        batch_size: 12,
        learning_rate: 3e-4,
        precision,
        ..TrainOptions::default()
    };
    fit(
        network,
        &examples(36, 1),
        &examples(12, 2),
        &options,
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap()
}

/// The tensors of a network's file.
fn tensors(network: &Network) -> BTreeMap<String, Vec<u8>> {
    let bytes = network.save().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file
        .iter()
        .map(|(name, view)| (name.to_owned(), view.data().to_vec()));
    tensors.collect()
}

/// Of these, whose name ends in one of `ends`.
fn changed(before: &Network, after: &Network) -> (Vec<String>, Vec<String>) {
    let (before, after) = (tensors(before), tensors(after));
    assert!(before.keys().eq(after.keys()));
    let names = before.keys().cloned();
    names.partition(|name| before[name] != after[name])
}

#[test]
fn parameters_are_kerass() {
    for (kind, total, moving) in [
        (BackboneKind::Vgg16, 14_714_688, 0),
        (BackboneKind::ResNet50, 23_587_712, 23_587_712 - 23_534_592),
        (BackboneKind::MobileNetV2, 2_257_984, 2_257_984 - 2_223_872),
        // Keras' 6,575,239 and 6,513,184, less the 7 numbers of its input normalisation.
        (
            BackboneKind::EfficientNetB1,
            6_575_232,
            6_575_239 - 6_513_184 - 7,
        ),
    ] {
        for source in [WeightsSource::torchvision(kind), WeightsSource::keras(kind)] {
            let head = (kind.width() + 1) * 8 + (8 + 1) * 2;
            let counts = |trained| network(&source, trained, &runtime()).parameters();
            let all = counts(Trained::All);
            assert_eq!(
                (all.total, all.trainable),
                (total + head, total - moving + head),
                "{source:?}"
            );
            let frozen = counts(Trained::Head);
            assert_eq!(
                (frozen.total, frozen.trainable),
                (total + head, head),
                "{source:?}"
            );
        }
    }
}

#[test]
fn all_but_moving_statistics_are_trained() {
    let start = mobilenet(Trained::All);
    let fitted = trained(start.clone(), Precision::Full);
    let (first, last) = (&fitted.history[0], &fitted.history[3]);
    assert!(last.loss < 0.5 * first.loss, "{:?}", fitted.history);
    assert!(last.accuracy > 0.9, "{last:?}");
    let (changed, kept) = changed(&start, &fitted.network);
    let is_moving = |name: &String| name.contains("running_");
    assert!(kept.iter().all(is_moving), "{kept:?}");
    assert!(!changed.iter().any(is_moving), "{changed:?}");
    assert_eq!(kept.len(), 2 * 52);
}

#[test]
fn a_frozen_backbone_stays_what_it_was() {
    let start = mobilenet(Trained::Head);
    let fitted = trained(start.clone(), Precision::Full);
    assert!(fitted.history[3].loss < fitted.history[0].loss);
    let (changed, kept) = changed(&start, &fitted.network);
    let heads = [
        "head.dense.0.bias",
        "head.dense.0.weight",
        "head.output.bias",
        "head.output.weight",
    ];
    assert_eq!(changed, heads);
    assert!(
        kept.contains(&"backbone.stem.norm.running_mean".to_owned()),
        "{kept:?}"
    );
}

#[test]
fn what_is_saved_answers_and_trains_alike() {
    for kept in [Trained::Head, Trained::All] {
        let first = trained(mobilenet(kept), Precision::Full).network;
        let loaded = Network::load(&first.save().unwrap(), &runtime()).unwrap();
        assert_eq!(loaded.spec(), first.spec());
        assert_eq!(loaded.parameters(), first.parameters());
        let rows = examples(5, 3);
        let answer = |network: &Network| predict(network, &rows, 5).unwrap().values;
        assert_eq!(answer(&loaded), answer(&first));
        let on = |network: Network| trained(network, Precision::Full).network;
        let (other, _) = changed(&on(loaded), &on(first.clone()));
        assert_eq!(other, [""; 0], "a loaded network trains to other weights");
        let (other, _) = changed(&on(first.clone()), &on(first));
        assert_eq!(
            other, [""; 0],
            "a network trains to other weights each time"
        );
    }
}

#[test]
fn an_answer_does_not_depend_on_the_rows_beside() {
    let network = trained(mobilenet(Trained::All), Precision::Full).network;
    let rows = examples(11, 4);
    let alone = predict(&network, &rows, 1).unwrap();
    let together = predict(&network, &rows, 11).unwrap();
    // The dense layers are another product for another number of rows.
    for (alone, together) in alone.values.iter().zip(&together.values) {
        assert!((alone - together).abs() < 1e-5);
    }
}

#[test]
fn mixed_precision_trains_a_backbone_too() {
    let source = WeightsSource::torchvision(BackboneKind::MobileNetV2);
    let start = network(&source, Trained::All, &runtime().mixing());
    let mixed = trained(start.clone(), Precision::Mixed);
    assert!(mixed.history[3].accuracy > 0.9, "{:?}", mixed.history);
    let full = trained(start, Precision::Full);
    assert_ne!(mixed.history[0], full.history[0]);
}

#[test]
fn no_backbone_begins_at_random() {
    let spec = mobilenet(Trained::All).spec().clone();
    let error = Network::new(&spec, &runtime(), 1).unwrap_err();
    assert!(
        error.to_string().contains("begins with the weights"),
        "{error}"
    );
}

#[test]
fn declarations_that_cannot_be_built_are_refused() {
    let spec = mobilenet(Trained::All).spec().clone();
    let json = serde_json::to_value(&spec).unwrap();
    assert_eq!(json["network"], "fine_tuned");
    assert_eq!(
        serde_json::from_value::<NetworkSpec>(json.clone()).unwrap(),
        spec
    );
    for (key, value) in [
        ("size", serde_json::json!(31)),
        ("hidden", serde_json::json!([])),
        ("hidden", serde_json::json!([4, 0])),
        ("dropout", serde_json::json!(1.0)),
        ("classes", serde_json::json!(0)),
    ] {
        let mut json = json.clone();
        json[key] = value;
        let spec: NetworkSpec = serde_json::from_value(json).unwrap();
        assert!(
            matches!(spec.validate(), Err(ModelError::Spec { .. })),
            "{key}"
        );
    }
}

#[test]
fn images_of_another_size_are_refused() {
    let inputs = Inputs {
        images: Some(Images::new(33, vec![0; 33 * 33 * 3], vec![true]).unwrap()),
        ..Inputs::default()
    };
    let rows = MemoryExamples::new(vec![0], inputs).unwrap();
    let found = predict(&mobilenet(Trained::Head), &rows, 1);
    assert!(matches!(found, Err(ModelError::Inputs { .. })));
}

#[test]
fn the_layers_of_the_summary_add_up() {
    for kind in BackboneKind::ALL {
        for trained in [Trained::Head, Trained::All] {
            let network = network(&WeightsSource::torchvision(kind), trained, &runtime());
            let layers = network.spec().summary(&[]);
            let found = layers.iter().fold((0, 0), |(all, changed), layer| {
                (all + layer.parameters, changed + layer.trained)
            });
            let counts = network.parameters();
            assert_eq!(
                found,
                (counts.total, counts.trainable),
                "{kind:?} {trained:?}"
            );
        }
    }
}
