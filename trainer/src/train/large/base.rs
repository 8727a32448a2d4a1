//! The weights of a pretrained checkpoint as dense tensors, named as our decoder names them.

use crate::weights::Tensors;
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixing_buddy_core::decoder::DecoderConfig;
use mixing_buddy_core::qwen2::Checkpoint;
use mixing_buddy_core::qwen2::files::{Part, Place};
use mixing_buddy_core::qwen2::matrix::Matrix;
use std::path::Path;

/// Longest sequence of a run in tokens: the table of rotary angles has this length.
const LONGEST: usize = 4096;

/// Whether a file or folder is a pretrained checkpoint, and not the run of a compact decoder.
pub fn is_checkpoint(path: &Path) -> bool {
    if path.is_dir() {
        return path.join("config.json").is_file() && path.join("tokenizer.json").is_file();
    }
    let mut start = [0; 4];
    let read =
        std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start));
    read.is_ok() && Checkpoint::is_gguf(&start)
}

/// Sizes and weights of a checkpoint, on the CPU.
///
/// # Errors
/// When a weight is missing, damaged or of another shape.
pub fn dense_base(checkpoint: &Checkpoint) -> Result<(DecoderConfig, Tensors)> {
    let config = DecoderConfig {
        max_position_embeddings: checkpoint.config.max_position_embeddings.min(LONGEST),
        ..checkpoint.config.clone()
    };
    let (hidden, weights) = (config.hidden_size, &checkpoint.weights);
    let mut tensors = Tensors::new();
    let mut add = |name: String, values: Vec<f32>, shape: &[usize]| -> Result<()> {
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).with_context(|| name.clone())?;
        tensors.insert(format!("decoder.{name}"), tensor);
        Ok(())
    };
    let dense = |matrix: Matrix| (matrix.dense(), [matrix.rows(), matrix.columns()]);
    let (values, shape) = dense(weights.matrix(Place::Embedding, config.vocab_size, hidden)?);
    add("model.embed_tokens.weight".into(), values, &shape)?;
    if !config.tie_word_embeddings {
        let (values, shape) = dense(weights.matrix(Place::Head, config.vocab_size, hidden)?);
        add("lm_head.weight".into(), values, &shape)?;
    }
    add("model.norm.weight".into(), weights.norm(Place::FinalNorm, hidden)?, &[hidden])?;
    for block in 0..config.num_hidden_layers {
        let name = |part: Part, kind: &str| format!("model.layers.{block}.{}.{kind}", part.name());
        for part in [Part::AttentionNorm, Part::FeedForwardNorm] {
            add(name(part, "weight"), weights.norm(Place::Block(block, part), hidden)?, &[hidden])?;
        }
        for part in Part::LINEAR {
            let (inputs, outputs) = part.sizes(&config);
            let (values, shape) = dense(weights.matrix(Place::Block(block, part), outputs, inputs)?);
            add(name(part, "weight"), values, &shape)?;
            if matches!(part, Part::Query | Part::Key | Part::Value) {
                let bias = weights.bias(Place::Block(block, part), outputs)?;
                add(name(part, "bias"), bias, &[outputs])?;
            }
        }
    }
    Ok((config, tensors))
}
