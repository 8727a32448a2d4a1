//! A run on a pretrained base, on a tiny one: it moves every factor, it is not resumed with another configuration, and what it writes is used by the plugin's code.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use candle_core::Device;
use common::cli::Place;
use common::maps;
use mixing_buddy_core::decoder::GenerationRequest;
use mixing_buddy_core::encoder::{Reading, StemReading};
use mixing_buddy_core::large::{LargeModel, Package};
use mixing_buddy_core::qwen2::{Checkpoint, Precision, RunOptions};
use mixing_buddy_core::{CancelFlag, PerStem};
use mixing_buddy_trainer::train::examples::tuning::MixSource;
use mixing_buddy_trainer::train::large::base::dense_base;
use mixing_buddy_trainer::train::ranks::OneProcess;
use mixing_buddy_trainer::train::run::RunStart;
use mixing_buddy_trainer::train::runlog::last_figure;
use mixing_buddy_trainer::train::runs::advisor::train_advisor;
use std::path::Path;

mod common {
    pub mod cli;
    #[allow(dead_code, reason = "other tests use more of it")]
    pub mod maps;
    pub mod sounds;
}
#[allow(dead_code, reason = "the core's tests use more of it")]
#[path = "../../plugin/core/tests/qwen2/talking.rs"]
mod talking;
#[allow(dead_code, reason = "the core's tests use more of it")]
#[path = "../../plugin/core/tests/qwen2/tiny.rs"]
mod tiny;

const CONFIG: &str = r#"
seed = 5
steps = 4
batch = 4
accumulate = 1
conversations = 1
talk_weight = 0.2
checkpoint_steps = 2
held_out = 8
loaders = 1
quantize_base = false
projector_inner = 16
languages = ["en"]

[lora]
rank = 2
alpha = 4.0
dropout = 0.0
target_modules = ["q_proj", "v_proj", "down_proj"]

[optimizer]
learning_rate = 0.01
warmup_steps = 1
average_decay = 0.0
"#;

fn run(base: &Path, out: &Path, config: &str, resume: bool) -> anyhow::Result<()> {
    run_on(None, base, out, config, resume)
}

fn run_on(
    songs: Option<MixSource<'_>>,
    base: &Path,
    out: &Path,
    config: &str,
    resume: bool,
) -> anyhow::Result<()> {
    let start = RunStart { config, out, resume, device: &Device::Cpu, ranks: &OneProcess };
    train_advisor(&start, songs, base)
}

#[test]
fn a_run_moves_every_factor_and_writes_an_adapter_that_fits() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base.gguf");
    std::fs::write(&base, talking::base(1)).unwrap();
    let (whole, parted) = (folder.path().join("whole"), folder.path().join("parted"));
    run(&base, &whole, CONFIG, false).unwrap();
    assert!(last_figure(&whole, "validation").unwrap().1.is_finite());

    let half = CONFIG.replace("\nsteps = 4", "\nsteps = 2");
    run(&base, &parted, &half, false).unwrap();
    let sentence = run(&base, &parted, CONFIG, true).unwrap_err().to_string();
    assert!(sentence.contains("another configuration"), "{sentence}");
    std::fs::remove_dir_all(&parted).unwrap();
    let quantized = CONFIG.replace("quantize_base = false", "quantize_base = true");
    run(&base, &parted, &quantized.replace("\nsteps = 4", "\nsteps = 1"), false).unwrap();

    let path = whole.join("adapter.safetensors");
    let package = Package::open(&path).unwrap();
    assert_eq!((package.about.steps, package.about.conversations), (4, 4));
    assert_eq!(package.about.base_name, "Tiny");
    // B starts at zero.
    assert!(package.adapter.layers.values().all(|layer| layer.b.iter().any(|value| *value != 0.0)));
    let large = LargeModel::open(&base, (&path, package)).unwrap();
    let reading: Reading = PerStem::from_fn(|_| StemReading { presence: 1.0, ..StemReading::default() });
    let decided = large.decide(&reading, &GenerationRequest::default(), &CancelFlag::new()).unwrap();
    assert!(decided.outcomes.none > 0.0);
}

#[test]
fn a_run_goes_on_from_an_earlier_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base.gguf");
    std::fs::write(&base, talking::base(1)).unwrap();
    let first = folder.path().join("first");
    run(&base, &first, CONFIG, false).unwrap();
    let adapter = first.join("adapter.safetensors");
    let after = |steps: usize, rate: &str| {
        let config = format!("start_from = {:?}\n{CONFIG}", adapter.display().to_string());
        config.replace("\nsteps = 4", &format!("\nsteps = {steps}")).replace("= 0.01", rate)
    };

    let second = folder.path().join("second");
    run(&base, &second, &after(1, "= 1e-9"), false).unwrap();
    let (before, now) =
        (Package::open(&adapter).unwrap(), Package::open(&second.join("adapter.safetensors")).unwrap());
    assert_eq!((now.about.steps, now.about.conversations), (5, 5), "counted over both runs");
    for (place, layer) in &before.adapter.layers {
        let now = &now.adapter.layers[place];
        let pairs = layer.a.iter().zip(&now.a).chain(layer.b.iter().zip(&now.b));
        let apart = pairs.map(|(before, now)| (before - now).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-5, "{place:?}: {apart}");
    }

    let refused = |config: &str, base: &Path| {
        format!("{:#}", run(base, &folder.path().join("refused"), config, false).unwrap_err())
    };
    let said = refused(&after(1, "= 0.01").replace("alpha = 4.0", "alpha = 8.0"), &base);
    assert!(said.contains("adapter.safetensors") && said.contains("that of this run 4"), "{said}");
    let said = refused(&after(1, "= 0.01").replace("projector_inner = 16", "projector_inner = 8"), &base);
    assert!(said.contains("start_from: this adapter does not fit the run"), "{said}");
    assert!(said.contains("of another shape: projector."), "{said}");
    let said = refused(&after(1, "= 0.01").replace("\"q_proj\", ", ""), &base);
    assert!(said.contains("unknown: decoder.") && said.contains("q_proj"), "{said}");
    let other = folder.path().join("other.gguf");
    std::fs::write(&other, talking::base(2)).unwrap();
    let said = refused(&after(1, "= 0.01"), &other);
    assert!(said.contains("is an adapter for another base"), "{said}");
}

#[test]
fn what_the_encoder_reads_in_songs_is_learned_from() {
    let place = Place::new();
    let base = place.path("base.gguf");
    std::fs::write(&base, talking::base(1)).unwrap();
    let cache = maps::cache(&place);
    let encoder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/compact.mixbuddy");
    let songs = MixSource { cache: Path::new(&cache), encoder: &encoder };
    let config = format!("simulated = 0.0\nheld_out_share = 0.0\nmixes = 4\n{CONFIG}");
    let config = config.replace("\nsteps = 4", "\nsteps = 1").replace("held_out = 8", "held_out = 0");
    let (read, drawn) = (place.path("read"), place.path("drawn"));
    run_on(Some(songs), &base, &read, &config, false).unwrap();
    run(&base, &drawn, &config.replace("simulated = 0.0", "simulated = 1.0"), false).unwrap();
    let layers = |run: &Path| Package::open(&run.join("adapter.safetensors")).unwrap().adapter.layers;
    assert_ne!(layers(&read), layers(&drawn));
}

#[test]
fn training_and_plugin_compute_the_same_logits() {
    use mixing_buddy_core::decoder::Decoder;
    use mixing_buddy_core::nn::Params;
    use mixing_buddy_core::qwen2::{Cache, Model};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.gguf");
    std::fs::write(&path, talking::base(3)).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let (config, weights) = dense_base(&checkpoint).unwrap();
    let params = Params::load(weights, Default::default(), &Device::Cpu).frozen();
    let decoder = Decoder::new(&params.pp("decoder"), &config, None).unwrap();
    let ids: Vec<u32> = (0..40).map(|n| (n * 37 + 5) % 250).collect();
    let states = decoder.forward(&decoder.embed(&ids).unwrap().unsqueeze(0).unwrap(), None).unwrap();
    let last = states.squeeze(0).unwrap().narrow(0, ids.len() - 1, 1).unwrap();
    let ours = decoder.logits(&last).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();

    let model = Model::load(&checkpoint).unwrap();
    let options = RunOptions { precision: Precision::Exact, ..RunOptions::default() };
    let mut cache = Cache::new(model.config());
    let theirs = model.extend(&mut cache, &model.embed(&ids).unwrap(), &options).unwrap();
    let size = theirs.iter().map(|value| value.abs()).fold(0.0, f32::max);
    let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-4 * size, "{apart} of {size}");
}

#[test]
fn songs_are_needed_where_readings_are_not_all_simulated() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base.gguf");
    std::fs::write(&base, talking::base(1)).unwrap();
    let config = format!("simulated = 0.5\n{CONFIG}");
    let sentence = run(&base, &folder.path().join("run"), &config, false).unwrap_err().to_string();
    assert!(sentence.contains("--cache and --encoder"), "{sentence}");
    let sentence = run(&folder.path().join("none"), &folder.path().join("run"), CONFIG, false).unwrap_err();
    assert!(sentence.to_string().contains("--encoder"), "{sentence}");
}
