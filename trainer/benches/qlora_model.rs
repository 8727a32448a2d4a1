//! A training step of a whole Qwen2 0.5B with an adapter of rank 8, 96 tokens: on the base as it is stored, quantized
//! (QLoRA), and on the same base dequantized (LoRA). Each is measured in its own process, so that the highest memory use
//! is its own. Needs Linux for that figure, and the model as a GGUF file:
//!
//!     MIXING_BUDDY_QWEN_GGUF=qwen2-0.5b.gguf cargo bench --workspace --bench qlora_model
//!
//! Without the model nothing is measured.

use anyhow::{Context, Result, bail};
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor, Var};
use mixing_buddy_core::decoder::{Decoder, DecoderConfig};
use mixing_buddy_core::nn::{LoraConfig, Params};
use mixing_buddy_trainer::allocator::{MiMalloc, keep_pages};
use mixing_buddy_trainer::denormals::without_denormals;
use mixing_buddy_trainer::train::optimizer::{AdamW, OptimizerSettings};
use mixing_buddy_trainer::train::shards::{BatchSplit, ShardOutcome, gradients};
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// The allocator of the trainer: freed pages are used again, not given back and cleared.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const MODEL: &str = "MIXING_BUDDY_QWEN_GGUF";
const MODE: &str = "MIXING_BUDDY_QLORA_MODE";
const TOKENS: usize = 96;
/// Tokens of the answer; logits are computed for these.
const ANSWER_TOKENS: usize = 40;
/// Steps after the first, which also allocates the memory.
const STEPS: usize = 5;

fn main() -> Result<()> {
    keep_pages();
    let Some(model) = std::env::var_os(MODEL) else {
        eprintln!("{MODEL} names no model: nothing is measured");
        return Ok(());
    };
    if let Ok(mode) = std::env::var(MODE) {
        return without_denormals(|| measure(Path::new(&model), &mode));
    }
    for mode in ["LoRA", "QLoRA"] {
        let status = Command::new(std::env::current_exe()?).env(MODE, mode).status()?;
        if !status.success() {
            bail!("the measurement of {mode} failed");
        }
    }
    Ok(())
}

/// The sizes that the file states.
fn config(content: &Content) -> Result<DecoderConfig> {
    let value = |key: &str| {
        content.metadata.get(&format!("qwen2.{key}")).with_context(|| format!("the file has no qwen2.{key}"))
    };
    let number = |key: &str| -> Result<usize> { Ok(value(key)?.to_u32()? as usize) };
    let real = |key: &str| -> Result<f64> { Ok(f64::from(value(key).map(Value::to_f32)??)) };
    let embedding = content.tensor_infos.get("token_embd.weight").context("the file has no embedding")?;
    Ok(DecoderConfig {
        vocab_size: embedding.shape.dims2()?.0,
        hidden_size: number("embedding_length")?,
        intermediate_size: number("feed_forward_length")?,
        num_hidden_layers: number("block_count")?,
        num_attention_heads: number("attention.head_count")?,
        num_key_value_heads: number("attention.head_count_kv")?,
        rope_theta: real("rope.freq_base")?,
        rms_norm_eps: real("attention.layer_norm_rms_epsilon")?,
        ..DecoderConfig::default()
    })
}

/// The name of a weight in a Hugging Face checkpoint; none for an unused one (the output layer is the embedding).
fn hugging_face_name(name: &str) -> Option<String> {
    let renamed = [
        ("attn_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"),
        ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"),
        ("ffn_down", "mlp.down_proj"),
    ];
    match name {
        "token_embd.weight" => return Some("model.embed_tokens.weight".into()),
        "output_norm.weight" => return Some("model.norm.weight".into()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, kind) = rest.split_once('.')?;
    let (_, part) = renamed.iter().find(|(known, _)| *known == part)?;
    Some(format!("model.layers.{layer}.{part}.{kind}"))
}

fn measure(path: &Path, mode: &str) -> Result<()> {
    let device = Device::Cpu;
    let mut file = BufReader::new(std::fs::File::open(path).with_context(|| path.display().to_string())?);
    let content = Content::read(&mut file)?;
    let config = config(&content)?;
    let params = Params::train(1, &device);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for name in content.tensor_infos.keys() {
        let Some(ours) = hugging_face_name(name) else { continue };
        let tensor: QTensor = content.tensor(&mut file, name, &device)?;
        if ours.ends_with("_proj.weight") {
            *kinds.entry(format!("{:?}", tensor.dtype())).or_default() += tensor.shape().elem_count();
        }
        if mode == "QLoRA" && ours.ends_with("_proj.weight") && tensor.dtype() != GgmlDType::F32 {
            params.set_quantized(&ours, tensor)?;
        } else {
            params.set(&ours, &tensor.dequantize(&device)?)?;
        }
    }
    let lora = LoraConfig { rank: 8, alpha: 16.0, dropout: 0.0, ..LoraConfig::default() };
    let decoder = Decoder::new(&params.frozen(), &config, Some(&lora))?;
    let adapters: BTreeMap<String, Var> =
        params.vars().into_iter().filter(|(name, _)| name.contains(".lora_")).collect();
    let mut optimizer = AdamW::new(adapters, &OptimizerSettings::default())?;

    let ids: Vec<u32> = (0..TOKENS as u32).map(|at| 1000 + 37 * at).collect();
    let targets = Tensor::new(&ids[TOKENS - ANSWER_TOKENS..], &device)?.unsqueeze(1)?;
    let mut seconds = Vec::new();
    let mut losses = Vec::new();
    for _ in 0..=STEPS {
        let began = Instant::now();
        let embeds = decoder.embed(&ids)?.unsqueeze(0)?;
        let states = decoder.forward(&embeds, None)?.squeeze(0)?;
        let logits = decoder.logits(&states.narrow(0, TOKENS - ANSWER_TOKENS - 1, ANSWER_TOKENS)?)?;
        let top = logits.max_keepdim(1)?.detach();
        let shifted = logits.broadcast_sub(&top)?;
        let cross = (shifted.exp()?.sum_keepdim(1)?.log()? - shifted.gather(&targets, 1)?)?.mean_all()?;
        let outcome = |_| Ok(ShardOutcome { loss: cross.clone(), figures: Vec::new() });
        let (gradients, _) = gradients(optimizer.vars(), BatchSplit::new(1, 1, 1)?, outcome)?;
        losses.push(cross.to_scalar::<f32>()?);
        optimizer.step(&gradients, 1e-4)?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    let mut after_first = seconds[1..].to_vec();
    after_first.sort_by(f64::total_cmp);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("unknown", str::trim);
    eprintln!(
        "{mode}: {:.2} s per step (median of {STEPS}; {:.2} to {:.2}), highest memory use {peak}, loss {:.3} to {:.3}, \
         blocks' weights as stored: {kinds:?}",
        after_first[STEPS / 2],
        after_first[0],
        after_first[STEPS - 1],
        losses[0],
        losses[STEPS],
    );
    Ok(())
}
