//! The weights of a pretrained checkpoint as dense tensors, named as our decoder names them.

use crate::weights::Tensors;
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use mixing_buddy_core::decoder::DecoderConfig;
use mixing_buddy_core::qwen2::Checkpoint;
use mixing_buddy_core::qwen2::files::{Naming, Part, Place};
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
    let mut add = |place: Place, kind: &str, values: Vec<f32>, shape: &[usize]| -> Result<()> {
        let name = format!("decoder.{}", Naming::HuggingFace.name(place, kind));
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).with_context(|| name.clone())?;
        tensors.insert(name, tensor);
        Ok(())
    };
    let mut matrices = vec![(Place::Embedding, config.vocab_size, hidden)];
    if !config.tie_word_embeddings {
        matrices.push((Place::Head, config.vocab_size, hidden));
    }
    let mut norms = vec![Place::FinalNorm];
    for block in 0..config.num_hidden_layers {
        norms.extend([Part::AttentionNorm, Part::FeedForwardNorm].map(|part| Place::Block(block, part)));
        for part in Part::LINEAR {
            let (inputs, outputs) = part.sizes(&config);
            let place = Place::Block(block, part);
            matrices.push((place, outputs, inputs));
            if matches!(part, Part::Query | Part::Key | Part::Value) {
                add(place, "bias", weights.bias(place, outputs)?, &[outputs])?;
            }
        }
    }
    for place in norms {
        add(place, "weight", weights.norm(place, hidden)?, &[hidden])?;
    }
    for (place, rows, columns) in matrices {
        add(place, "weight", weights.matrix(place, rows, columns)?.dense(), &[rows, columns])?;
    }
    Ok((config, tensors))
}
