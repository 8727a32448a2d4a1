//! Wherever weights are asked for: a run, its file, a bundle and everything else that people give, told apart by content.
//! And adapters in the layout of PEFT, made on something else than plain LoRA or with values that are not numbers.

#![allow(clippy::unwrap_used)]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/runs.rs"]
mod runs;

use candle_core::{DType, Device, Tensor};
use cli::{Place, answer, run};
use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_trainer::weights::{
    AdvisorWeights, CardFacts, Part, bundle_file, export_peft, import_adapter, load_part, load_tensors,
    save_imported, save_tensors,
};
use serde_json::Value;
use std::path::Path;

/// A place with the shipped bundle, and runs of its parts as `train` writes them.
fn place() -> Place {
    let place = Place::new();
    std::fs::write(place.path("compact.mixbuddy"), SHIPPED_BUNDLE).unwrap();
    for (folder, part) in [("encoder", Part::Encoder), ("decoder", Part::Decoder)] {
        std::fs::create_dir(place.path(folder)).unwrap();
        let (tensors, metadata) = load_part(&place.path("compact.mixbuddy"), part).unwrap();
        let keys: &[&str] =
            if part == Part::Encoder { &["encoder", "features"] } else { &["decoder", "projector"] };
        let metadata: Vec<_> = keys.iter().map(|key| (*key, metadata[*key].clone())).collect();
        save_tensors(&place.path(folder).join(part.file_name()), &tensors, &metadata).unwrap();
    }
    let tuned = AdvisorWeights::load(&place.path("compact.mixbuddy")).unwrap();
    for (folder, file) in [("advisor", "advisor.safetensors"), ("dpo", "dpo.safetensors")] {
        std::fs::create_dir(place.path(folder)).unwrap();
        save_imported(&tuned, &place.path(folder).join(file)).unwrap();
    }
    let facts = CardFacts { name: "N".into(), version: "1".into(), licence: "other".into() };
    export_peft(&tuned, None, &facts, &place.path("hub")).unwrap();
    std::fs::create_dir(place.path("empty")).unwrap();
    std::fs::create_dir(place.path("model")).unwrap();
    std::fs::copy(place.path("compact.mixbuddy"), place.path("model/mine.mixbuddy")).unwrap();
    for (name, bytes) in [
        ("nothing", &b""[..]),
        ("model.gguf", b"GGUF\x03\0\0\0"),
        ("model.bin", b"PK\x03\x04 and so on"),
        ("pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        ("page", b"<!DOCTYPE html>"),
        ("config.json", b"{\"r\": 4}"),
        ("noise", b"\x07\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"),
    ] {
        std::fs::write(place.path(name), bytes).unwrap();
    }
    let state = [("step", "1".to_string()), ("seconds", "1".to_string()), ("config", String::new())];
    save_tensors(&place.path("last.safetensors"), &Default::default(), &state).unwrap();
    place
}

#[test]
fn every_kind_of_weights_is_told_apart_by_content() {
    let place = place();
    let takes = |part: Part, names: &[&str]| {
        for name in names {
            let found = load_part(&place.path(name), part);
            assert!(found.is_ok(), "{part:?} of {name}: {:#}", found.unwrap_err());
        }
    };
    takes(Part::Encoder, &["encoder", "encoder/encoder.safetensors", "compact.mixbuddy", "model"]);
    takes(Part::Decoder, &["decoder", "advisor/advisor.safetensors", "compact.mixbuddy", "model"]);
    takes(Part::Advisor, &["advisor", "dpo", "dpo/dpo.safetensors", "compact.mixbuddy", "model"]);
    takes(Part::LanguageModel, &["decoder", "advisor", "dpo", "compact.mixbuddy", "model"]);
    let (of_tuned, _) = load_part(&place.path("advisor/advisor.safetensors"), Part::Decoder).unwrap();
    assert!(of_tuned.keys().all(|name| !name.contains(".lora_")));

    let refusal = |part: Part, name: &str| format!("{:#}", load_part(&place.path(name), part).unwrap_err());
    for (part, name, words) in [
        (Part::Encoder, "decoder", ["is the folder of a run of `train decoder`", "an encoder is needed"]),
        (
            Part::Encoder,
            "decoder/decoder.safetensors",
            ["is a decoder without adapter", "an encoder is needed"],
        ),
        (Part::Encoder, "advisor/advisor.safetensors", ["is a tuned decoder", "an encoder is needed"]),
        (Part::Encoder, "last.safetensors", ["is the state of a run", "an encoder is needed"]),
        (Part::Decoder, "encoder", ["is the folder of a run of `train encoder`", "a decoder is needed"]),
        (Part::Decoder, "encoder/encoder.safetensors", ["is an encoder", "a decoder is needed"]),
        (Part::Advisor, "encoder", ["`train encoder`", "a tuned decoder is needed"]),
        (Part::Advisor, "hub", ["in the layout of PEFT", "import-adapter"]),
        (
            Part::Advisor,
            "hub/adapter_model.safetensors",
            ["is an adapter in the layout of PEFT", "is needed"],
        ),
        (Part::Decoder, "hub/base/model.safetensors", ["in the layout of transformers", "is needed"]),
        (Part::LanguageModel, "empty", ["holds no advisor.safetensors", "a decoder is needed"]),
        (Part::Encoder, "missing", ["missing is missing", "an encoder is needed"]),
        (Part::Encoder, "nothing", ["is an empty file", "an encoder is needed"]),
        (Part::Encoder, "model.gguf", ["is a GGUF model", "an encoder is needed"]),
        (Part::Encoder, "model.bin", ["is a ZIP archive", "an encoder is needed"]),
        (Part::Encoder, "pointer", ["git lfs pull", "an encoder is needed"]),
        (Part::Encoder, "page", ["is a web page", "an encoder is needed"]),
        (Part::Encoder, "config.json", ["is a JSON file", "an encoder is needed"]),
        (Part::Encoder, "noise", ["noise is damaged", ""]),
    ] {
        let sentence = refusal(part, name);
        assert!(words.iter().all(|word| sentence.contains(word)), "{part:?} of {name}: {sentence}");
    }
    let sentence = format!("{:#}", load_tensors(&place.path("compact.mixbuddy")).unwrap_err());
    assert!(sentence.contains("is a model bundle, not a safetensors file"), "{sentence}");
    let sentence =
        format!("{:#}", AdvisorWeights::load(&place.path("decoder/decoder.safetensors")).unwrap_err());
    assert!(sentence.contains("holds no adapter"), "{sentence}");
}

#[test]
fn a_bundle_is_told_from_runs_and_other_files() {
    let place = place();
    for name in ["compact.mixbuddy", "model"] {
        bundle_file(&place.path(name)).unwrap();
    }
    for (name, words) in [
        ("encoder", "the folder of a run of `train encoder`"),
        ("encoder/encoder.safetensors", "an encoder"),
        ("advisor/advisor.safetensors", "a tuned decoder"),
        ("hub", "in the layout of PEFT"),
        ("empty", "a folder without a bundle"),
        ("noise", "is not a model bundle"),
        ("model.gguf", "a GGUF model"),
    ] {
        let sentence = format!("{:#}", bundle_file(&place.path(name)).unwrap_err());
        assert!(
            sentence.contains(words) && sentence.contains("a model bundle is needed"),
            "{name}: {sentence}"
        );
    }
    let sentence =
        run(&["evaluate", "--songs", &place.text("empty"), "--bundle", &place.text("advisor")]).unwrap_err();
    assert!(sentence.contains("a model bundle is needed"), "{sentence}");
}

#[test]
fn commands_take_a_bundle_where_they_say_so() {
    let place = place();
    let text = |name: &str| place.text(name);
    run(&[
        "import-adapter",
        &text("hub"),
        "--base",
        &text("compact.mixbuddy"),
        "--out",
        &text("a.safetensors"),
    ])
    .unwrap();
    run(&["import-adapter", &text("hub"), "--base", &text("decoder"), "--out", &text("b.safetensors")])
        .unwrap();
    let (a, b) = (
        AdvisorWeights::load(&place.path("a.safetensors")),
        AdvisorWeights::load(&place.path("b.safetensors")),
    );
    assert_eq!(a.unwrap().tensors.len(), b.unwrap().tensors.len());
    let (bundle, out) = (text("compact.mixbuddy"), text("both"));
    run(&[
        "export",
        &bundle,
        "--format",
        "peft",
        "--model-version",
        "1",
        "--encoder",
        &bundle,
        "--out",
        &out,
    ])
    .unwrap();
    for name in ["README.md", "encoder_config.json", "encoder.safetensors", "adapter_model.safetensors"] {
        assert!(place.path("both").join(name).is_file(), "{name}");
    }
}

#[test]
fn nothing_is_written_before_all_inputs_are_read() {
    let place = place();
    let text = |name: &str| place.text(name);
    std::fs::create_dir(place.path("cache")).unwrap();
    let (advisor, config) = (text("advisor"), place.write("run.toml", runs::ADVISOR));
    let (wrong, cache, out) = (text("decoder/decoder.safetensors"), text("cache"), text("out"));
    let (bundle, dpo) = (text("compact.mixbuddy"), place.write("dpo.toml", "steps = 1\n"));
    let encoder_config = place.write("encoder.toml", &format!("start_from = {wrong:?}\n{}", runs::ENCODER));
    let version = ["--model-version", "1"];
    for command in [
        vec![
            "export",
            &advisor,
            "--format",
            "peft",
            version[0],
            version[1],
            "--encoder",
            &wrong,
            "--out",
            &out,
        ],
        vec![
            "export",
            &advisor,
            "--format",
            "bundle",
            version[0],
            version[1],
            "--encoder",
            &wrong,
            "--cache",
            &cache,
            "--out",
            &out,
        ],
        vec![
            "bundle",
            "--encoder",
            &bundle,
            "--decoder",
            &bundle,
            "--cache",
            &cache,
            version[0],
            version[1],
            "--out",
            &out,
        ],
        vec![
            "train",
            "advisor",
            "--config",
            &config,
            "--cache",
            &cache,
            "--encoder",
            &wrong,
            "--decoder",
            &bundle,
            "--out",
            &out,
        ],
        vec![
            "train",
            "advisor",
            "--config",
            &config,
            "--cache",
            &cache,
            "--encoder",
            &bundle,
            "--decoder",
            &text("encoder"),
            "--out",
            &out,
        ],
        vec![
            "train",
            "dpo",
            "--config",
            &dpo,
            "--cache",
            &cache,
            "--encoder",
            &wrong,
            "--advisor",
            &bundle,
            "--out",
            &out,
        ],
        vec![
            "train",
            "dpo",
            "--config",
            &dpo,
            "--cache",
            &cache,
            "--encoder",
            &bundle,
            "--advisor",
            &text("encoder"),
            "--out",
            &out,
        ],
        vec!["train", "encoder", "--config", &encoder_config, "--cache", &cache, "--out", &out],
        vec!["import-adapter", &text("hub"), "--base", &text("encoder"), "--out", &out],
        vec!["import-adapter", &advisor, "--out", &out],
    ] {
        let done = answer(&command);
        let sentence = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success(), "{command:?}");
        assert!(!place.path("out").exists(), "{command:?} wrote before it failed: {sentence}");
        assert!(!sentence.contains("damaged") && !sentence.contains("header"), "{command:?}: {sentence}");
    }
}

#[test]
fn weights_that_are_not_numbers_are_refused_by_name() {
    let place = place();
    let hub = place.path("hub");
    let file = hub.join("adapter_model.safetensors");
    let (fine, _) = load_tensors(&file).unwrap();
    let key = fine.keys().find(|key| key.contains("layers.1.") && key.contains("lora_B")).unwrap().clone();
    let refusal = || format!("{:#}", import_adapter(&hub, None).unwrap_err());
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = fine[&key].flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values[3] = value;
        let mut tensors = fine.clone();
        let bad = Tensor::from_vec(values, fine[&key].shape(), &Device::Cpu).unwrap();
        // Half precision has no room for what overflowed, either.
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            tensors.insert(key.clone(), bad.to_dtype(dtype).unwrap());
            save_tensors(&file, &tensors, &[]).unwrap();
            let sentence = refusal();
            assert!(sentence.contains(&key) && sentence.contains("NaN or infinite"), "{value}: {sentence}");
        }
    }
    let mut tensors = fine.clone();
    tensors.insert(key.clone(), fine[&key].to_dtype(DType::U8).unwrap());
    save_tensors(&file, &tensors, &[]).unwrap();
    assert!(refusal().contains("whole numbers"), "{}", refusal());
    save_tensors(&file, &fine, &[]).unwrap();
    import_adapter(&hub, None).unwrap();

    let base = hub.join("projector.safetensors");
    let (mut tensors, _) = load_tensors(&base).unwrap();
    let name = tensors.keys().next().unwrap().clone();
    let bad = (tensors[&name].zeros_like().unwrap() / 0.0).unwrap();
    tensors.insert(name.clone(), bad);
    save_tensors(&base, &tensors, &[]).unwrap();
    assert!(refusal().contains("projector.safetensors") && refusal().contains(&name), "{}", refusal());
}

#[test]
fn adapters_that_are_not_plain_lora_are_refused_by_key_and_the_file() {
    let place = place();
    let path = place.path("hub/adapter_config.json");
    let plain: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let import = |key: &str, value: Value| {
        let mut config = plain.clone();
        config[key] = value;
        std::fs::write(&path, config.to_string()).unwrap();
        import_adapter(&place.path("hub"), None)
    };
    import("init_lora_weights", "gaussian".into()).unwrap();
    for (key, value) in [
        ("init_lora_weights", Value::from("pissa")),
        ("loftq_config", serde_json::json!({"loftq_bits": 4})),
        ("use_qalora", true.into()),
        ("lora_alpha", 0.into()),
    ] {
        let sentence = format!("{:#}", import(key, value).unwrap_err());
        assert!(sentence.contains(key) && sentence.contains("adapter_config.json"), "{key}: {sentence}");
    }
    let refusal = |dir: &Path| format!("{:#}", import_adapter(dir, None).unwrap_err());
    let needed = "adapter_config.json and adapter_model.safetensors is needed";
    for name in ["compact.mixbuddy", "advisor", "empty"] {
        assert!(refusal(&place.path(name)).contains(needed), "{}", refusal(&place.path(name)));
    }
    std::fs::write(&path, plain.to_string()).unwrap();
    let file = place.path("hub/adapter_model.safetensors");
    std::fs::rename(&file, place.path("hub/adapter_model.bin")).unwrap();
    assert!(refusal(&place.path("hub")).contains("safe_serialization=True"));
}
