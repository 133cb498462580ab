//! Files of frozen backbones: what the configuration says of one, checked and loaded.

use super::{Environment, StageError};
use crate::config::{Issue, WeightsConfig};
use crate::model::backbones::{
    Backbone, BackboneKind, Layout, Padding, Preprocessing, Pretrained, ResNetStride, WeightsSource,
};
use crate::model::{ModelError, Runtime};
use crate::store::{SharedStore, StoreError, open_existing};
use crate::suggest::suggestion;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// Weights that are at hand.
pub(super) struct Weights {
    pub(super) source: WeightsSource,
    /// SHA-256 in lower-case hexadecimal.
    pub(super) sha256: String,
    location: String,
}

impl Weights {
    /// Reads what the configuration says; `path` is that of its key.
    ///
    /// # Errors
    ///
    /// Every mistake in it.
    pub(super) fn of(config: &WeightsConfig, path: &str) -> Result<Self, Vec<Issue>> {
        let mut issues = Vec::new();
        let backbone = parse(
            &config.backbone,
            &BackboneKind::ALL,
            "backbone",
            path,
            &mut issues,
        );
        let layout = match config.layout.as_str() {
            "" => Some(Layout::default()),
            given => parse(
                given,
                &[Layout::Torchvision, Layout::Keras],
                "layout",
                path,
                &mut issues,
            ),
        };
        let mut source = match (backbone, layout) {
            (Some(backbone), Some(Layout::Keras)) => WeightsSource::keras(backbone),
            (backbone, _) => WeightsSource::torchvision(backbone.unwrap_or(BackboneKind::ALL[0])),
        };
        if let Some(given) = &config.variant.stride {
            let known = [ResNetStride::First, ResNetStride::Second];
            let stride = parse(given, &known, "variant.stride", path, &mut issues);
            source.stride = stride.unwrap_or_default();
        }
        if let Some(given) = &config.variant.padding {
            let known = [Padding::Symmetric, Padding::Same];
            let padding = parse(given, &known, "variant.padding", path, &mut issues);
            source.padding = padding.unwrap_or_default();
        }
        if let Some(given) = &config.preprocessing {
            let known = [
                Preprocessing::Torch,
                Preprocessing::Caffe,
                Preprocessing::Tf,
            ];
            let preprocessing = parse(given, &known, "preprocessing", path, &mut issues);
            source.preprocessing = preprocessing.unwrap_or_default();
        }
        source.epsilon = config.variant.epsilon.unwrap_or(source.epsilon);
        if source.validate().is_err() {
            let message = "must lie between 0 and 1";
            issues.push(Issue::new(format!("{path}.variant.epsilon"), message));
        }
        let sha256 = config.sha256.to_ascii_lowercase();
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_given = !(config.path.is_empty() && config.sha256.is_empty());
        if is_given && !is_digest {
            let message = match digest_of(&config.path) {
                _ if config.path.is_empty() => "must be 64 hexadecimal digits".to_owned(),
                Ok(found) => format!(
                    "must be the SHA-256 of the file, 64 hexadecimal digits; that of {} is {found}",
                    config.path
                ),
                Err(error) => {
                    format!("must be the SHA-256 of the file, 64 hexadecimal digits ({error})")
                }
            };
            issues.push(Issue::new(format!("{path}.sha256"), message));
        }
        if issues.is_empty() {
            Ok(Self {
                source,
                sha256,
                location: config.path.clone(),
            })
        } else {
            Err(issues)
        }
    }

    /// The weights of a name; the configuration is checked.
    pub(super) fn named(environment: &Environment, name: &str) -> Result<Self, StageError> {
        let unusable = || StageError::Unusable(format!("there are no weights {name:?}"));
        let config = environment.config.weights.get(name).ok_or_else(unusable)?;
        Self::of(config, &format!("weights.{name}")).map_err(|issues| {
            let issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
            StageError::Unusable(issues.join("; "))
        })
    }

    /// Everything that features depend on beside the pixels and the device, by name.
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let mut fields = vec![("weights.sha256".to_owned(), self.sha256.clone())];
        if let Ok(serde_json::Value::Object(source)) = serde_json::to_value(self.source) {
            let value = |value: &serde_json::Value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            };
            let source = source.iter();
            fields.extend(source.map(|(name, found)| (format!("weights.{name}"), value(found))));
        }
        fields
    }

    /// The same as one text.
    pub(super) fn identity(&self) -> String {
        let source = serde_json::to_string(&self.source).unwrap_or_default();
        format!("{} {source}", self.sha256)
    }

    /// Reads the file, which must be the one that is meant.
    pub(super) fn read(&self) -> Result<Bytes, StageError> {
        let bytes = read(&self.location).map_err(|error| match error {
            StageError::Store(StoreError::NotFound { .. }) => StageError::NoWeights {
                path: self.location.clone(),
            },
            error => error,
        })?;
        let found = hex(&bytes);
        if found == self.sha256 {
            return Ok(bytes);
        }
        Err(StageError::WrongWeights {
            path: self.location.clone(),
            found,
            expected: self.sha256.clone(),
        })
    }

    /// Loads the network.
    pub(super) fn load(&self, runtime: &Runtime) -> Result<Backbone, StageError> {
        let bytes = self.read()?;
        Backbone::load(&self.source, &bytes, runtime).map_err(|error| self.unfit(error))
    }

    /// Loads the layers of the network, to be trained further.
    pub(super) fn load_pretrained(&self, runtime: &Runtime) -> Result<Pretrained, StageError> {
        let bytes = self.read()?;
        Pretrained::load(&self.source, &bytes, runtime).map_err(|error| self.unfit(error))
    }

    /// The file does not hold what it is said to.
    fn unfit(&self, error: ModelError) -> StageError {
        StageError::Weights {
            path: self.location.clone(),
            backbone: self.source.backbone.name(),
            layout: name_of(&self.source.layout),
            source: Box::new(error),
        }
    }
}

/// What a value is written as.
fn name_of<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads one of some values by the name that it is written with.
fn parse<T: Serialize + DeserializeOwned>(
    given: &str,
    known: &[T],
    key: &str,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Option<T> {
    let found = serde_json::from_value(serde_json::Value::from(given)).ok();
    if found.is_none() {
        let names = known
            .iter()
            .filter_map(|value| serde_json::to_value(value).ok());
        let names: Vec<String> = names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        let message = match suggestion(given, names.iter().map(String::as_str)) {
            Some(meant) => format!("unknown {given:?}; did you mean {meant:?}?"),
            None => format!("unknown {given:?}; known: {}", names.join(", ")),
        };
        issues.push(Issue::new(format!("{path}.{key}"), message));
    }
    found
}

/// The store of a file by path or URL, and its name there.
fn open(location: &str) -> Result<(SharedStore, String), StageError> {
    let (folder, name) = location.rsplit_once('/').unwrap_or((".", location));
    let folder = if folder.is_empty() { "/" } else { folder };
    Ok((open_existing(folder)?, name.to_owned()))
}

fn read(location: &str) -> Result<Bytes, StageError> {
    let (store, name) = open(location)?;
    Ok(store.get(&name)?)
}

fn digest_of(location: &str) -> Result<String, StageError> {
    read(location).map(|bytes| hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VariantConfig;

    fn config() -> WeightsConfig {
        WeightsConfig {
            backbone: "mobilenet_v2".to_owned(),
            path: "weights.safetensors".to_owned(),
            sha256: "0F".repeat(32),
            ..WeightsConfig::default()
        }
    }

    fn issues(config: &WeightsConfig) -> Vec<String> {
        let issues = Weights::of(config, "weights.w").err().unwrap_or_default();
        issues.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_said_is_as_in_the_frameworks_own_weights() {
        let weights = Weights::of(&config(), "weights.w").unwrap();
        assert_eq!(
            weights.source,
            WeightsSource::torchvision(BackboneKind::MobileNetV2)
        );
        assert_eq!(weights.sha256, "0f".repeat(32));
        let keras = WeightsConfig {
            layout: "keras".to_owned(),
            ..config()
        };
        assert_eq!(
            Weights::of(&keras, "weights.w").unwrap().source,
            WeightsSource::keras(BackboneKind::MobileNetV2)
        );
    }

    #[test]
    fn what_is_said_is_taken_and_makes_another_identity() {
        let given = WeightsConfig {
            variant: VariantConfig {
                stride: Some("first".to_owned()),
                padding: Some("same".to_owned()),
                epsilon: Some(1e-3),
            },
            preprocessing: Some("tf".to_owned()),
            ..config()
        };
        let weights = Weights::of(&given, "weights.w").unwrap();
        let expected = WeightsSource {
            stride: ResNetStride::First,
            padding: Padding::Same,
            epsilon: 1e-3,
            preprocessing: Preprocessing::Tf,
            ..WeightsSource::torchvision(BackboneKind::MobileNetV2)
        };
        assert_eq!(weights.source, expected);
        let plain = Weights::of(&config(), "weights.w").unwrap();
        assert_ne!(weights.identity(), plain.identity());
        let elsewhere = WeightsConfig {
            path: "elsewhere/w.safetensors".to_owned(),
            ..given
        };
        let elsewhere = Weights::of(&elsewhere, "weights.w").unwrap();
        assert_eq!(weights.identity(), elsewhere.identity());
    }

    #[test]
    fn mistakes_have_their_key() {
        let config = WeightsConfig {
            backbone: "mobilenetv2".to_owned(),
            sha256: "abc".to_owned(),
            layout: "caffe".to_owned(),
            variant: VariantConfig {
                stride: Some("third".to_owned()),
                padding: Some("valid".to_owned()),
                epsilon: Some(2.0),
            },
            preprocessing: Some("tff".to_owned()),
            ..config()
        };
        let mut found = issues(&config);
        let digest = found.pop().unwrap();
        assert!(
            digest.starts_with("weights.w.sha256: must be the SHA-256 of the file, 64 hexa"),
            "{digest}"
        );
        assert_eq!(
            found,
            [
                "weights.w.backbone: unknown \"mobilenetv2\"; did you mean \"mobilenet_v2\"?",
                "weights.w.layout: unknown \"caffe\"; known: torchvision, keras",
                "weights.w.variant.stride: unknown \"third\"; known: first, second",
                "weights.w.variant.padding: unknown \"valid\"; known: symmetric, same",
                "weights.w.preprocessing: unknown \"tff\"; did you mean \"tf\"?",
                "weights.w.variant.epsilon: must lie between 0 and 1",
            ]
        );
    }

    #[test]
    fn weights_may_lie_behind_a_url() {
        let config = WeightsConfig {
            path: "https://models/w.pth".to_owned(),
            ..config()
        };
        assert_eq!(issues(&config), [""; 0]);
    }

    #[test]
    fn a_missing_digest_is_said_with_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.pth");
        std::fs::write(&path, b"abc").unwrap();
        let config = WeightsConfig {
            path: path.to_str().unwrap().to_owned(),
            sha256: String::new(),
            ..config()
        };
        let found = issues(&config);
        // The digest of "abc" in FIPS 180-2.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(found[0].ends_with(digest), "{found:?}");
    }
}
