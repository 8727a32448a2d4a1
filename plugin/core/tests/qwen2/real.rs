//! A real Qwen2 of half a billion parameters, where `MIXING_BUDDY_QWEN2_GGUF` names its file.

use crate::candle::{apart, last_logits};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use mixing_buddy_core::decoder::sampling::most_probable;
use mixing_buddy_core::qwen2::files::{Part, Place};
use mixing_buddy_core::qwen2::matrix::Matrix;
use mixing_buddy_core::qwen2::{
    Cache, Checkpoint, Message, Model, Precision, Role, RunOptions, Sampling, generate,
};
use std::collections::HashMap;
use std::path::PathBuf;

#[path = "../../../../tests/src/prerequisite.rs"]
mod prerequisite;

/// A question as the advisor gets it, with measured levels.
const QUESTION: &str = "A mix has four stems. Measured levels against the rest of the mix: vocals -9.0 LU, drums -4.5 LU, \
    bass -7.0 LU. In the reference song the vocals are at -5.0 LU. Which fader should I move first, and why? Explain in detail what each stem needs.";

fn file() -> Option<PathBuf> {
    let path = std::env::var_os("MIXING_BUDDY_QWEN2_GGUF").map(PathBuf::from);
    if path.is_none() {
        prerequisite::missing("a GGUF file of Qwen2 0.5B in MIXING_BUDDY_QWEN2_GGUF");
    }
    path
}

fn prompt(checkpoint: &Checkpoint) -> Vec<u32> {
    let question = Message { role: Role::User, text: QUESTION.into() };
    checkpoint.template.tokens(&checkpoint.tokenizer, &[question]).unwrap()
}

/// All weights in single precision, with Hugging Face's names.
fn dense(checkpoint: &Checkpoint) -> HashMap<String, Tensor> {
    let (weights, config) = (&checkpoint.weights, &checkpoint.config);
    let tensor = |matrix: Matrix| {
        Tensor::from_vec(matrix.dense(), (matrix.rows(), matrix.columns()), &Device::Cpu).unwrap()
    };
    let vector = |values: Vec<f32>| Tensor::from_vec(values.clone(), values.len(), &Device::Cpu).unwrap();
    let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
    let mut all = HashMap::from([
        (
            "model.embed_tokens.weight".into(),
            tensor(weights.matrix(Place::Embedding, vocabulary, hidden).unwrap()),
        ),
        ("model.norm.weight".into(), vector(weights.norm(Place::FinalNorm, hidden).unwrap())),
    ]);
    if !config.tie_word_embeddings {
        all.insert("lm_head.weight".into(), tensor(weights.matrix(Place::Head, vocabulary, hidden).unwrap()));
    }
    for n in 0..config.num_hidden_layers {
        let name = |part: Part, kind: &str| format!("model.layers.{n}.{}.{kind}", part.name());
        for part in Part::LINEAR {
            let (inputs, outputs) = part.sizes(config);
            let place = Place::Block(n, part);
            all.insert(name(part, "weight"), tensor(weights.matrix(place, outputs, inputs).unwrap()));
            if matches!(part, Part::Query | Part::Key | Part::Value) {
                all.insert(name(part, "bias"), vector(weights.bias(place, outputs).unwrap()));
            }
        }
        for part in [Part::AttentionNorm, Part::FeedForwardNorm] {
            all.insert(name(part, "weight"), vector(weights.norm(Place::Block(n, part), hidden).unwrap()));
        }
    }
    all
}

#[test]
#[ignore = "needs a model: cargo xtask test --full qwen2-model"]
fn logits_of_a_real_prompt_are_those_of_candle() {
    let Some(path) = file() else { return };
    let checkpoint = Checkpoint::open(&path).unwrap();
    let model = Model::load(&checkpoint).unwrap();
    let ids = prompt(&checkpoint);
    assert!(ids.len() > 80);
    let logits = |precision| {
        let options = RunOptions { precision, threads: 2, ..RunOptions::default() };
        model.extend(&mut Cache::new(model.config()), &model.embed(&ids).unwrap(), &options).unwrap()
    };
    let expected = last_logits(&checkpoint.config, dense(&checkpoint), &ids);
    let exact = apart(&logits(Precision::Exact), &expected);
    let fast = apart(&logits(Precision::Fast), &expected);
    eprintln!("{} tokens: exact {exact:.1e}, fast {fast:.1e} of the largest logit", ids.len());
    assert!(exact < 1e-4, "{exact}");
    assert!(fast < 0.05, "{fast}");
}

/// What llama.cpp made of the question; see `benches/llama.mjs`.
#[derive(serde::Deserialize)]
struct Greedy {
    prompt: Vec<u32>,
    written: Vec<u32>,
    text: String,
}

/// Size of the file whose text the fixture has: qwen2.5-coder-0.5b-instruct-q4_k_m.gguf, SHA-256 1d9614638d18024d….
const FIXTURE_BYTES: u64 = 491_400_064;

#[test]
#[ignore = "needs a model: cargo xtask test --full qwen2-model"]
fn greedy_text_is_that_of_llama_cpp() {
    let Some(path) = file() else { return };
    if std::fs::metadata(&path).unwrap().len() != FIXTURE_BYTES {
        eprintln!("skipped: the fixture is of another quantisation");
        return;
    }
    let expected: Greedy = serde_json::from_str(include_str!("../fixtures/qwen2_greedy.json")).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let model = Model::load(&checkpoint).unwrap();
    assert_eq!(prompt(&checkpoint), expected.prompt, "the template and the tokenizer agree");
    assert_eq!(checkpoint.tokenizer.decode(&expected.written), expected.text);
    // llama.cpp's tokens are read, and each is compared with what we would have written there: behind the first token that
    // differs, two texts say nothing about each other.
    let mut ids = expected.prompt.clone();
    ids.extend(&expected.written[..expected.written.len() - 1]);
    let options = RunOptions::default();
    let mut cache = Cache::new(model.config());
    let logits = model.extend_all(&mut cache, &model.embed(&ids).unwrap(), &options).unwrap();
    let rows = logits.chunks_exact(model.config().vocab_size).skip(expected.prompt.len() - 1);
    let (mut same, mut worst) = (0, 0.0f32);
    for (row, token) in rows.zip(&expected.written) {
        let lead = row[most_probable(row) as usize] - row[*token as usize];
        same += usize::from(lead == 0.0);
        worst = worst.max(lead);
    }
    eprintln!(
        "{same} of {} tokens are the same; elsewhere ours leads by {worst} at most",
        expected.written.len()
    );
    // Both quantise the inputs of each product, in groups of other sizes for Q4_K and Q6_K, so that near ties may fall
    // either way.
    assert!(same * 100 >= expected.written.len() * 97 && worst < 0.2, "{same}, {worst}");
}

#[test]
#[ignore = "needs a model: cargo xtask test --full qwen2-model"]
fn a_real_base_is_recognised_in_other_formats() {
    let Some(path) = file() else { return };
    let checkpoint = Checkpoint::open(&path).unwrap();
    let config = &checkpoint.config;
    let place = Place::Block(0, Part::Gate);
    let matrix = checkpoint.weights.matrix(place, config.intermediate_size, config.hidden_size).unwrap();
    let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt().ln();
    for kind in [GgmlDType::Q8_0, GgmlDType::Q4_0, GgmlDType::F16] {
        let mut apart = Vec::new();
        for n in (0..matrix.rows()).step_by(152) {
            let mut row = vec![0.0; matrix.columns()];
            matrix.dense_row(n, &mut row);
            let tensor = Tensor::from_vec(row.clone(), (1, row.len()), &Device::Cpu).unwrap();
            let rounded = QTensor::quantize(&tensor, kind).unwrap().dequantize(&Device::Cpu).unwrap();
            apart.push(length(&row) - length(&rounded.flatten_all().unwrap().to_vec1::<f32>().unwrap()));
        }
        let mean = apart.iter().sum::<f32>() / apart.len() as f32;
        let spread = (apart.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / apart.len() as f32).sqrt();
        eprintln!("{kind:?}: row lengths differ by {:.3} % (standard deviation)", 100.0 * spread);
        assert!(spread < 0.02);
    }
}

#[test]
#[ignore = "needs a model: cargo xtask test --full qwen2-model"]
fn a_real_model_writes_sense() {
    let Some(path) = file() else { return };
    let checkpoint = Checkpoint::open(&path).unwrap();
    let model = Model::load(&checkpoint).unwrap();
    let ids = checkpoint.tokenizer.encode("The capital of France is").unwrap();
    let options = RunOptions::default();
    let mut cache = Cache::new(model.config());
    let logits = model.extend(&mut cache, &model.embed(&ids).unwrap(), &options).unwrap();
    let mut written = Vec::new();
    generate(&model, &checkpoint.tokenizer, (&mut cache, logits), (Sampling::Greedy, 3), &options, |id| {
        written.push(id);
        Ok(())
    })
    .unwrap();
    assert!(
        checkpoint.tokenizer.decode(&written).starts_with(" Paris"),
        "{}",
        checkpoint.tokenizer.decode(&written)
    );
}
