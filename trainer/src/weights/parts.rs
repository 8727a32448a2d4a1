//! Parts of a model: found in the folder of a run, in a file of such a folder, or in a model bundle.
//!
//! This is the one place that tells the three apart, and it does so by content, not by name.

use super::content::{Content, Holds, describe_folder};
use super::files::{Metadata, Tensors, field, parse_tensors, read};
use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::bundle::Bundle;
use mixing_buddy_core::encoder::Encoder;
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::nn::Params;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The ending of bundles.
const BUNDLE_ENDING: &str = "mixbuddy";

/// A part of a model, as a command asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The encoder.
    Encoder,
    /// The decoder and the projector, without an adapter.
    Decoder,
    /// The decoder, its adapter and the projector.
    Advisor,
    /// The decoder and the projector, with an adapter where there is one.
    LanguageModel,
}

impl Part {
    /// The name in messages, and of the command that trains the part.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Encoder => "encoder",
            Part::Decoder => "decoder",
            Part::Advisor | Part::LanguageModel => "advisor",
        }
    }

    /// The file in the folder of a run that holds the part.
    pub const fn file_name(self) -> &'static str {
        self.file_names()[0]
    }

    /// The files in the folder of a run that may hold the part; the first that is present counts.
    const fn file_names(self) -> &'static [&'static str] {
        match self {
            Part::Encoder => &["encoder.safetensors"],
            Part::Decoder => &["decoder.safetensors"],
            Part::Advisor => &["advisor.safetensors", "dpo.safetensors"],
            Part::LanguageModel => &["advisor.safetensors", "dpo.safetensors", "decoder.safetensors"],
        }
    }

    /// What is needed, for a message.
    const fn needed(self) -> &'static str {
        match self {
            Part::Encoder => {
                "an encoder is needed: the folder of a run of `train encoder`, its encoder.safetensors, or a model bundle"
            }
            Part::Decoder => {
                "a decoder is needed: the folder of a run of `train decoder`, its decoder.safetensors, or a model bundle"
            }
            Part::Advisor => {
                "a tuned decoder is needed: the folder of a run of `train advisor` or `train dpo`, the weights in it, or a \
                 model bundle"
            }
            Part::LanguageModel => {
                "a decoder is needed: the folder of a run of `train decoder`, `train advisor` or `train dpo`, the weights \
                 in it, or a model bundle"
            }
        }
    }

    /// The file that holds the part: `path` itself, or the file in it where `path` is the folder of a run or of a bundle.
    ///
    /// # Errors
    /// When there is no such file: what was given, and what is needed.
    pub fn file(self, path: &Path) -> Result<PathBuf> {
        if !path.is_dir() {
            ensure!(path.exists(), "{} is missing; {}", path.display(), self.needed());
            ensure!(path.is_file(), "{} is not a file; {}", path.display(), self.needed());
            return Ok(path.to_path_buf());
        }
        let in_run = self.file_names().iter().map(|name| path.join(name)).find(|file| file.is_file());
        if let Some(file) = in_run.or_else(|| only_bundle(path)) {
            return Ok(file);
        }
        match describe_folder(path) {
            Some(what) => bail!("{} is {what}; {}", path.display(), self.needed()),
            None => bail!("{} holds no {}; {}", path.display(), self.file_name(), self.needed()),
        }
    }

    /// Whether a file that holds this has the part.
    fn is_in(self, holds: Holds) -> bool {
        match (self, holds) {
            // Files of earlier versions do not state what they are; their weights tell whether they fit.
            (_, Holds::Unknown) | (Part::Encoder, Holds::Encoder) => true,
            (Part::Decoder | Part::Advisor | Part::LanguageModel, Holds::Decoder | Holds::Advisor) => true,
            _ => false,
        }
    }

    /// The name that a weight of a bundle has in the file of a run; none if it belongs to another part.
    fn name_in_run(self, name: &str) -> Option<String> {
        let of_encoder = name.strip_prefix("encoder.");
        match self {
            Part::Encoder => of_encoder.map(String::from),
            Part::Decoder => (of_encoder.is_none() && !name.contains(".lora_")).then(|| name.into()),
            Part::Advisor | Part::LanguageModel => of_encoder.is_none().then(|| name.into()),
        }
    }
}

/// The bundle in a folder that holds one and no other.
fn only_bundle(dir: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(dir).ok()?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut bundles = paths.filter(|path| path.extension().is_some_and(|ending| ending == BUNDLE_ENDING));
    bundles.next().filter(|_| bundles.next().is_none())
}

/// The file of a model bundle: `path` itself, or the only bundle in it.
///
/// # Errors
/// When it is something else: what was given, and what is needed.
pub fn bundle_file(path: &Path) -> Result<PathBuf> {
    const NEEDED: &str = "a model bundle is needed, as `bundle` and `export --format bundle` write it";
    if path.is_dir() {
        let what = describe_folder(path).unwrap_or("a folder without a bundle, or with several");
        return only_bundle(path).with_context(|| format!("{} is {what}; {NEEDED}", path.display()));
    }
    let bytes = read(path)?;
    match Content::of(&bytes) {
        Content::Bundle => Ok(path.to_path_buf()),
        Content::Foreign(what) => bail!("{} is {what}; {NEEDED}", path.display()),
        Content::Tensors => match parse_tensors(&bytes, path) {
            Ok((tensors, metadata)) => {
                let what = Holds::of(&metadata, tensors.keys()).describe();
                bail!("{} is {what}; {NEEDED}", path.display())
            }
            Err(_) => bail!("{} is not a model bundle; {NEEDED}", path.display()),
        },
    }
}

/// The named tensors and the metadata of a part. `path` is the folder of a run, a file in it, or a model bundle.
///
/// # Errors
/// When the file is missing or damaged, or holds something else: what was given, and what is needed.
pub fn load_part(path: &Path, part: Part) -> Result<(Tensors, Metadata)> {
    let path = &part.file(path)?;
    let bytes = read(path)?;
    match Content::of(&bytes) {
        Content::Bundle => part_of_bundle(path, &bytes, part),
        Content::Foreign(what) => bail!("{} is {what}; {}", path.display(), part.needed()),
        Content::Tensors => {
            let (mut tensors, metadata) = parse_tensors(&bytes, path)?;
            let holds = Holds::of(&metadata, tensors.keys());
            ensure!(part.is_in(holds), "{} is {}; {}", path.display(), holds.describe(), part.needed());
            // As of a bundle: of a tuned model, the decoder without its adapter.
            if part == Part::Decoder {
                tensors.retain(|name, _| !name.contains(".lora_"));
            }
            Ok((tensors, metadata))
        }
    }
}

fn part_of_bundle(path: &Path, bytes: &[u8], part: Part) -> Result<(Tensors, Metadata)> {
    let Bundle { info, weights, .. } = Bundle::read(path, bytes, &Device::Cpu, &CancelFlag::new())?;
    let weights = weights.loaded().into_iter();
    let tensors = weights.filter_map(|(name, tensor)| Some((part.name_in_run(&name)?, tensor))).collect();
    let mut metadata = Metadata::from([
        ("features".into(), serde_json::to_string(&info.features)?),
        ("encoder".into(), serde_json::to_string(&info.encoder)?),
        ("decoder".into(), serde_json::to_string(&info.decoder)?),
        ("projector".into(), serde_json::to_string(&info.projector)?),
    ]);
    if let (Part::Advisor | Part::LanguageModel, Some(lora)) = (part, &info.lora) {
        metadata.insert("lora".into(), serde_json::to_string(lora)?);
    }
    Ok((tensors, metadata))
}

/// Gives the variables of a run that is about to start the weights of an earlier run or of a model bundle. The model
/// has been built on `params`, so that its variables exist. Returns the weights.
///
/// # Errors
/// As [`load_part`], and when the names or shapes of the weights are not those of the model: the message names them. No
/// variable is changed then.
pub fn start_from(params: &Params, path: &Path, part: Part) -> Result<Tensors> {
    start_with(params, load_part(path, part)?.0, path, part)
}

/// As [`start_from`], for weights that have been read from `path`.
pub(super) fn start_with(params: &Params, weights: Tensors, path: &Path, part: Part) -> Result<Tensors> {
    let misfit = || format!("start_from: {} does not fit this {}", path.display(), part.name());
    params.set_all(&weights).with_context(misfit)?;
    Ok(weights)
}

/// The encoder of a run or of a model bundle on `device`, and the features that it takes as input.
///
/// # Errors
/// As [`load_part`], and when the file does not state how the encoder is built.
pub fn load_encoder(path: &Path, device: &Device) -> Result<(Encoder, FeatureSettings)> {
    let (weights, metadata) = load_part(path, Part::Encoder)?;
    let features: FeatureSettings = field(&metadata, "features", path)?;
    let config = field(&metadata, "encoder", path)?;
    let params = Params::load(weights, BTreeMap::new(), device);
    Ok((Encoder::new(&params, &config, &features)?, features))
}

#[cfg(test)]
mod tests {
    use super::super::files::save_tensors;
    use super::*;
    use candle_core::Tensor;
    use mixing_buddy_core::nn::Init;

    #[test]
    fn start_from_refuses_a_file_that_does_not_fit_and_names_the_tensors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("encoder.safetensors");
        let zeros = |size: usize| Tensor::zeros(size, candle_core::DType::F32, &Device::Cpu).unwrap();
        let params = Params::train(1, &Device::Cpu);
        let values = |name: &str| params.vars()[name].as_tensor().to_vec1::<f32>().unwrap();
        for (name, size) in [("a", 2), ("b", 3)] {
            params.get(name, size, Init::Const(1.0)).unwrap();
        }
        let tensors = Tensors::from([("a".into(), zeros(2)), ("b".into(), zeros(4)), ("c".into(), zeros(1))]);
        save_tensors(&path, &tensors, &[]).unwrap();
        let sentence = format!("{:#}", start_from(&params, &path, Part::Encoder).unwrap_err());
        assert!(
            sentence.contains("does not fit this encoder") && sentence.contains("unknown: c"),
            "{sentence}"
        );
        assert!(sentence.contains("of another shape: b (shape [4], expected [3])"), "{sentence}");
        assert_eq!(values("a"), [1.0, 1.0], "nothing is changed");
        save_tensors(&path, &Tensors::from([("b".into(), zeros(3))]), &[]).unwrap();
        let sentence = format!("{:#}", start_from(&params, &path, Part::Encoder).unwrap_err());
        assert!(sentence.contains("missing: a") && !sentence.contains("unknown"), "{sentence}");
        let tensors = Tensors::from([("a".into(), zeros(2)), ("b".into(), zeros(3))]);
        save_tensors(&path, &tensors, &[]).unwrap();
        // The folder of a run stands for the file in it.
        start_from(&params, dir.path(), Part::Encoder).unwrap();
        assert_eq!((values("a"), values("b")), (vec![0.0; 2], vec![0.0; 3]));
        assert!(Part::Decoder.file(dir.path()).unwrap_err().to_string().contains("`train decoder`"));
    }
}
