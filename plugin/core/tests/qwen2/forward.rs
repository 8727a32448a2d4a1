//! The forward pass on a tiny model.

use crate::candle::{apart, last_logits};
use crate::tiny::{Tiny, config};
use candle_core::DType;
use candle_core::quantized::GgmlDType;
use mixing_buddy_core::isa::Isa;
use mixing_buddy_core::qwen2::{Cache, Checkpoint, Ending, Model, Precision, RunOptions, Sampling, generate};
use mixing_buddy_core::{CancelFlag, Error};

const MIXED: [GgmlDType; 4] = [GgmlDType::Q4K, GgmlDType::Q5_0, GgmlDType::Q6K, GgmlDType::Q8_0];

fn ids(count: usize) -> Vec<u32> {
    (0..count).map(|n| ((n * 7919 + 13) % 256) as u32).collect()
}

fn exact() -> RunOptions {
    RunOptions { precision: Precision::Exact, ..RunOptions::default() }
}

fn logits(model: &Model, ids: &[u32], options: &RunOptions) -> Vec<f32> {
    let mut cache = Cache::new(model.config());
    model.extend(&mut cache, &model.embed(ids).unwrap(), options).unwrap()
}

#[test]
fn logits_are_those_of_candle() {
    for is_tied in [true, false] {
        let mut config = config();
        config.tie_word_embeddings = is_tied;
        let tiny = Tiny::new(1, config);
        for kinds in [&[GgmlDType::F32][..], &[GgmlDType::F16], &MIXED, &[GgmlDType::Q4_0]] {
            let weights = tiny.rounded(kinds).weights.into_iter().collect();
            let expected = last_logits(&tiny.config, weights, &ids(150));
            let model = tiny.model(kinds);
            let difference = apart(&logits(&model, &ids(150), &exact()), &expected);
            assert!(difference < 1e-4, "{kinds:?}: {difference}");
            for isa in Isa::available() {
                let difference = apart(
                    &logits(&tiny.model(kinds).with_isa(isa), &ids(150), &RunOptions::default()),
                    &expected,
                );
                // Inputs in 8 bits. Weights in 16 bits or more take them as they are.
                let is_dense = kinds[0] == GgmlDType::F32 || kinds[0] == GgmlDType::F16;
                assert!(difference < if is_dense { 1e-4 } else { 0.05 }, "{kinds:?}, {isa:?}: {difference}");
            }
        }
    }
}

#[test]
fn safetensors_give_the_same_in_one_file_or_several() {
    let tiny = Tiny::new(2, config());
    let expected = last_logits(&tiny.config, tiny.weights.clone().into_iter().collect(), &ids(20));
    for (kind, shards, tolerance) in
        [(DType::F32, 1, 1e-5), (DType::F32, 3, 1e-5), (DType::BF16, 2, 0.05), (DType::F16, 1, 5e-3)]
    {
        let folder = tempfile::tempdir().unwrap();
        tiny.write_folder(folder.path(), kind, shards);
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        assert_eq!(checkpoint.config, tiny.config);
        assert_eq!(checkpoint.template.default_system(), "You are tiny.");
        let found = logits(&Model::load(&checkpoint).unwrap(), &ids(20), &RunOptions::default());
        assert!(apart(&found, &expected) < tolerance, "{kind:?}");
        let inside = Checkpoint::open(&folder.path().join("config.json")).unwrap();
        assert_eq!(inside.tokenizer.encode("hello").unwrap(), checkpoint.tokenizer.encode("hello").unwrap());
    }
}

#[test]
fn a_text_can_be_read_in_any_parts() {
    let model = Tiny::new(3, config()).model(&MIXED);
    let all = ids(150);
    // With inputs in 8 bits, a difference in the last bit of a number can change a code, and that the next layer.
    for (options, tolerance) in [(exact(), 1e-4), (RunOptions::default(), 0.02)] {
        let whole = logits(&model, &all, &options);
        for parts in [&[149, 1][..], &[1, 149], &[10, 2, 138], &[70, 80]] {
            let mut cache = Cache::new(model.config());
            let mut last = Vec::new();
            let mut at = 0;
            for count in parts {
                last =
                    model.extend(&mut cache, &model.embed(&all[at..at + count]).unwrap(), &options).unwrap();
                at += count;
            }
            assert_eq!(cache.tokens(), 150);
            assert!(apart(&last, &whole) < tolerance, "{parts:?}: {}", apart(&last, &whole));
        }
        let mut cache = Cache::new(model.config());
        let every = model.extend_all(&mut cache, &model.embed(&all[..9]).unwrap(), &options).unwrap();
        let vocabulary = model.config().vocab_size;
        for n in 1..=9 {
            let of = &every[(n - 1) * vocabulary..n * vocabulary];
            assert!(apart(of, &logits(&model, &all[..n], &options)) < tolerance, "token {n}");
        }
    }
}

#[test]
fn a_prompt_is_read_once_for_many_questions() {
    let model = Tiny::new(4, config()).model(&[GgmlDType::Q8_0]);
    let options = RunOptions::default();
    let (prompt, all) = (ids(40), ids(60));
    let mut cache = Cache::new(model.config());
    model.extend(&mut cache, &model.embed(&prompt).unwrap(), &options).unwrap();
    let snapshot = cache.clone();
    let other = model.embed(&[1, 2, 3]).unwrap();
    model.extend(&mut cache, &other, &options).unwrap();

    let rest = model.embed(&all[40..]).unwrap();
    let fresh = logits(&model, &all, &options);
    cache.truncate(40);
    for mut continued in [cache, snapshot] {
        let found = model.extend(&mut continued, &rest, &options).unwrap();
        assert!(apart(&found, &fresh) < 1e-5);
        assert_eq!(continued.tokens(), 60);
    }
}

#[test]
fn soft_tokens_stand_among_words() {
    let tiny = Tiny::new(5, config());
    let model = tiny.model(&[GgmlDType::F32]);
    let mut mixed = model.embed(&[5, 6, 7]).unwrap();
    let soft: Vec<f32> = (0..256).map(|n| (n as f32 * 0.1).sin()).collect();
    mixed[256..512].copy_from_slice(&soft);
    let mut cache = Cache::new(model.config());
    let found = model.extend(&mut cache, &mixed, &exact()).unwrap();
    // The same as a model whose token 6 has that embedding.
    let mut changed = Tiny::new(5, config());
    let embedding = changed.weights.get_mut("model.embed_tokens.weight").unwrap();
    let mut rows: Vec<Vec<f32>> = embedding.to_vec2().unwrap();
    rows[6] = soft;
    *embedding = candle_core::Tensor::new(rows, &candle_core::Device::Cpu).unwrap();
    let other = logits(&changed.model(&[GgmlDType::F32]), &[5, 6, 7], &exact());
    // Tied: the logit of token 6 differs, the others don't.
    for (n, (a, b)) in found.iter().zip(&other).enumerate() {
        assert!(n == 6 || (a - b).abs() < 1e-3, "token {n}: {a}, {b}");
    }
    assert!((found[6] - other[6]).abs() > 1e-3);
}

#[test]
fn threads_change_nothing_and_end_with_the_call() {
    let model = Tiny::new(6, config()).model(&MIXED);
    let one = logits(&model, &ids(40), &RunOptions::default());
    for threads in [2, 3, 8] {
        let options = RunOptions { threads, ..RunOptions::default() };
        assert_eq!(logits(&model, &ids(40), &options), one, "{threads} threads");
    }
    #[cfg(target_os = "linux")]
    {
        let names = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        // Other tests run beside this one, so the count must only fall to zero, sooner or later.
        let left = names.filter(|name| name.starts_with("rayon")).count();
        assert_eq!(left, 0, "no pool was started");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_the_cache_as_it_was() {
    let model = Tiny::new(7, config()).model(&[GgmlDType::Q8_0]);
    let options = RunOptions::default();
    let mut cache = Cache::new(model.config());
    model.extend(&mut cache, &model.embed(&ids(10)).unwrap(), &options).unwrap();
    let more = model.embed(&ids(200)).unwrap();
    let cancelled = RunOptions { cancel: CancelFlag::new(), ..RunOptions::default() };
    cancelled.cancel.cancel();
    assert!(matches!(model.extend(&mut cache, &more, &cancelled), Err(Error::Cancelled)));
    assert_eq!(cache.tokens(), 10);
    let long = model.embed(&ids(503)).unwrap();
    assert!(model.extend(&mut cache, &long, &options).unwrap_err().to_string().contains("512 at most"));
    assert!(model.extend(&mut cache, &[], &options).is_err());
    assert!(model.extend(&mut cache, &[0.0; 255], &options).is_err());
    assert!(model.embed(&[100_000]).unwrap_err().to_string().contains("not in the vocabulary"));
    let mut other = config();
    other.num_hidden_layers = 2;
    assert!(model.extend(&mut Cache::new(&other), &model.embed(&[1]).unwrap(), &options).is_err());
    let next = model.extend(&mut cache, &model.embed(&[3]).unwrap(), &options).unwrap();
    let mut both = ids(10);
    both.push(3);
    assert!(apart(&next, &logits(&model, &both, &options)) < 1e-5);
}

#[test]
fn text_is_written_until_its_end_or_length() {
    let tiny = Tiny::new(8, config());
    let checkpoint = tiny.checkpoint(&[GgmlDType::Q8_0]);
    let model = Model::load(&checkpoint).unwrap();
    let options = RunOptions::default();
    let write = |sampling, most: usize| {
        let mut cache = Cache::new(model.config());
        let logits = model.extend(&mut cache, &model.embed(&ids(5)).unwrap(), &options).unwrap();
        let mut written = Vec::new();
        let ending =
            generate(&model, &checkpoint.tokenizer, (&mut cache, logits), (sampling, most), &options, |id| {
                written.push(id);
                Ok(())
            });
        (written, ending.unwrap(), cache.tokens())
    };
    let (greedy, ending, tokens) = write(Sampling::Greedy, 12);
    if ending == Ending::Length {
        assert_eq!((greedy.len(), tokens), (12, 5 + 11));
    }
    assert_eq!(write(Sampling::Greedy, 12).0, greedy);
    let random = |seed| Sampling::Random { temperature: 100.0, least_weight: 0.0, seed };
    assert_eq!(write(random(1), 12).0, write(random(1), 12).0);
    assert_ne!(write(random(1), 12).0, write(random(2), 12).0);

    // The first greedy token, made the end of texts, ends them.
    let end = greedy[0];
    let mut changed = Tiny::new(8, config());
    let embedding = changed.weights.get_mut("model.embed_tokens.weight").unwrap();
    let mut rows: Vec<Vec<f32>> = embedding.to_vec2().unwrap();
    let mark = checkpoint.tokenizer.mark("<|im_end|>").unwrap();
    rows[mark as usize] = rows[end as usize].iter().map(|x| x * 3.0).collect();
    *embedding = candle_core::Tensor::new(rows, &candle_core::Device::Cpu).unwrap();
    let checkpoint = changed.checkpoint(&[GgmlDType::Q8_0]);
    let model = Model::load(&checkpoint).unwrap();
    let mut cache = Cache::new(model.config());
    let logits = model.extend(&mut cache, &model.embed(&ids(5)).unwrap(), &options).unwrap();
    let limits = (Sampling::Greedy, 12);
    let ending =
        generate(&model, &checkpoint.tokenizer, (&mut cache, logits), limits, &options, |_| Ok(())).unwrap();
    assert_eq!(ending, Ending::Complete);
}
