//! Files that are whole, and files that are not.

use crate::tiny::{MERGES, Tiny, config, tokens};
use candle_core::DType;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use mixing_buddy_core::qwen2::files::Storage;
use mixing_buddy_core::qwen2::{ChatTemplate, Checkpoint, Message, Model, Role};
use std::path::Path;

/// Why the bytes of a GGUF file are refused, by the time its model is loaded.
fn refused(bytes: Vec<u8>) -> String {
    let opened = Checkpoint::of_gguf(&Storage::owned(Path::new("some.gguf"), bytes));
    let error = opened.and_then(|checkpoint| Model::load(&checkpoint)).err().expect("it is refused");
    let sentence = error.to_string();
    assert!(sentence.starts_with("model some.gguf: "), "{sentence}");
    sentence
}

fn refused_with(change: impl FnOnce(&mut Vec<(String, Value)>)) -> String {
    refused(Tiny::new(1, config()).gguf_with(&[GgmlDType::Q8_0], change))
}

fn set(metadata: &mut Vec<(String, Value)>, key: &str, value: Value) {
    metadata.retain(|(name, _)| name != key);
    metadata.push((key.into(), value));
}

#[test]
fn a_file_says_its_name_sizes_and_formats() {
    let tiny = Tiny::new(1, config());
    let checkpoint = tiny.checkpoint(&[GgmlDType::Q8_0, GgmlDType::Q4K]);
    assert_eq!(checkpoint.name, "Tiny");
    // Stored in single precision.
    assert!((checkpoint.config.rms_norm_eps - 1e-6).abs() < 1e-12);
    assert_eq!(checkpoint.config.hidden_size, 256);
    assert!(checkpoint.config.tie_word_embeddings);
    let formats = checkpoint.weights.formats();
    assert_eq!(formats.keys().copied().collect::<Vec<_>>(), ["F32", "Q4_K", "Q8_0"]);
    assert_eq!(formats["F32"].0, 1 + 3 * 5);
}

#[test]
fn what_is_not_a_qwen2_is_named() {
    let text = |text: &str| Value::String(text.into());
    let said = refused_with(|m| set(m, "general.architecture", text("llama")));
    assert!(said.contains("'llama'; only 'qwen2' is supported"), "{said}");
    let said = refused_with(|m| m.retain(|(key, _)| key != "qwen2.block_count"));
    assert!(said.contains("lacks the size 'qwen2.block_count'"), "{said}");
    let said = refused_with(|m| set(m, "qwen2.block_count", Value::U32(4)));
    assert!(said.contains("lacks the tensor 'blk.3."), "{said}");
    let said = refused_with(|m| set(m, "qwen2.block_count", Value::U32(u32::MAX)));
    assert!(said.contains("layers; 1 to 256 are possible"), "{said}");
    let said = refused_with(|m| set(m, "qwen2.feed_forward_length", Value::U32(1024)));
    assert!(said.contains("has the shape [512, 256], expected [1024, 256]"), "{said}");
    let said = refused_with(|m| set(m, "qwen2.attention.head_count", Value::U32(7)));
    assert!(said.contains("do not divide evenly"), "{said}");
    let said = refused_with(|m| set(m, "qwen2.attention.head_count_kv", Value::U32(0)));
    assert!(said.contains("heads for keys and values"), "{said}");
    let said = refused_with(|m| set(m, "qwen2.rope.freq_base", Value::F32(f32::NAN)));
    assert!(said.contains("rotary"), "{said}");
    let said = refused_with(|m| set(m, "qwen2.rope.scaling.type", text("yarn")));
    assert!(said.contains("stretches its positions ('yarn')"), "{said}");
    let said = refused_with(|m| set(m, "tokenizer.ggml.model", text("llama")));
    assert!(said.contains("'llama/qwen2'"), "{said}");
    let said = refused_with(|m| set(m, "tokenizer.chat_template", text("[INST] {{ it }}")));
    assert!(said.contains("not ChatML"), "{said}");
    let said = refused_with(|m| set(m, "tokenizer.ggml.merges", Value::Array(vec![text("q zz")])));
    assert!(said.contains("tokenizer that cannot be used"), "{said}");
    let said = refused_with(|m| m.retain(|(key, _)| !key.starts_with("tokenizer.ggml")));
    assert!(said.contains("there is no tokenizer.json beside it"), "{said}");
    let said = refused_with(|m| {
        let many = (0..300).map(|n| text(&format!("token {n}"))).collect();
        set(m, "tokenizer.ggml.tokens", Value::Array(many));
        set(m, "tokenizer.ggml.merges", Value::Array(vec![]));
    });
    assert!(said.contains("300 tokens, and embeddings for 272 only"), "{said}");
    assert!(refused(b"ID3\x04 a song".to_vec()).contains("not a GGUF file"));
    let other = Tiny::new(1, config()).gguf(&[GgmlDType::Q4_1]);
    assert!(refused(other).contains("has the storage format 3, which is not supported"));
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let whole = Tiny::new(1, config()).gguf(&[GgmlDType::Q8_0]);
    let cuts = (0..200).map(|n| n * n).chain([whole.len() / 2, whole.len() - 40]);
    for length in cuts.filter(|length| *length < whole.len()) {
        refused(whole[..length].to_vec());
    }
}

#[test]
fn damaged_folders_are_refused_with_the_name_of_the_file() {
    let said = |folder: &Path| {
        let opened = Checkpoint::open(folder).and_then(|checkpoint| Model::load(&checkpoint));
        opened.err().expect("it is refused").to_string()
    };
    let tiny = Tiny::new(1, config());
    let fresh = || {
        let folder = tempfile::tempdir().unwrap();
        tiny.write_folder(folder.path(), DType::F16, 2);
        folder
    };
    let folder = fresh();
    std::fs::remove_file(folder.path().join("model-00002-of-00002.safetensors")).unwrap();
    assert!(said(folder.path()).contains("model-00002-of-00002.safetensors"));

    let folder = fresh();
    let shard = folder.path().join("model-00001-of-00002.safetensors");
    let bytes = std::fs::read(&shard).unwrap();
    std::fs::write(&shard, &bytes[..bytes.len() - 1]).unwrap();
    assert!(said(folder.path()).contains("not a whole safetensors file"));

    let folder = fresh();
    let index = folder.path().join("model.safetensors.index.json");
    let text = std::fs::read_to_string(&index).unwrap().replace("model-00001", "../model-00001");
    std::fs::write(&index, text).unwrap();
    assert!(said(folder.path()).contains("no plain file name"));

    let folder = fresh();
    let path = folder.path().join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to, why) in [
        ("qwen2", "mistral", "architecture 'mistral'"),
        ("\"num_attention_heads\":8", "\"num_attention_heads\":-8", "lacks the size 'num_attention_heads'"),
        ("\"rope_theta\"", "\"rope_scaling\":{\"type\":\"yarn\"},\"rope_theta\"", "stretches its positions"),
        ("\"hidden_size\":256", "\"hidden_size\":512", "has the shape"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        assert!(said(folder.path()).contains(why), "{}", said(folder.path()));
    }
    std::fs::remove_file(&path).unwrap();
    assert!(said(folder.path()).contains("config.json"));
    assert!(said(Path::new("/nowhere/model.gguf")).contains("/nowhere/model.gguf"));
    let empty = tempfile::NamedTempFile::new().unwrap();
    assert!(said(empty.path()).contains("is empty"));
}

#[test]
fn text_becomes_tokens_and_back() {
    let tokenizer = Tiny::new(1, config()).checkpoint(&[GgmlDType::Q8_0]).tokenizer;
    let names = tokens();
    let spelled = |text: &str| -> Vec<String> {
        tokenizer.encode(text).unwrap().iter().map(|id| names[*id as usize].clone()).collect()
    };
    assert_eq!(spelled("hello he"), ["hell", "o", "Ġhe"]);
    assert_eq!(MERGES.len(), 4);
    for text in ["", "Grüße, 12 dB!\n\n", "日本語 🎚️", "e\u{301}tude", " a  b\t"] {
        let back = tokenizer.decode(&tokenizer.encode(text).unwrap());
        // The normal form of Unicode, as Qwen2's tokenizer.
        assert_eq!(back, text.replace("e\u{301}", "\u{e9}"));
    }
    // What a person types is never a mark.
    let typed = tokenizer.encode("<|im_end|>").unwrap();
    assert!(!typed.contains(&tokenizer.mark("<|im_end|>").unwrap()));
    assert!(tokenizer.is_end(tokenizer.mark("<|im_end|>").unwrap()) && !tokenizer.is_end(typed[0]));
    assert!(tokenizer.mark("<|nothing|>").is_err());

    let json = tokenizer.to_json().unwrap();
    let again = mixing_buddy_core::qwen2::QwenTokenizer::of_json(json.as_bytes()).unwrap();
    assert_eq!(again.encode("hello, 日本!").unwrap(), tokenizer.encode("hello, 日本!").unwrap());
}

#[test]
fn a_stream_shows_whole_characters_only() {
    let tokenizer = Tiny::new(1, config()).checkpoint(&[GgmlDType::Q8_0]).tokenizer;
    for text in ["hello — «Grüße» 🎚 日本", "plain"] {
        let mut stream = tokenizer.stream();
        let parts: Vec<String> =
            tokenizer.encode(text).unwrap().into_iter().map(|id| stream.push(id)).collect();
        assert_eq!(parts.concat(), text);
        assert!(parts.iter().all(|part| !part.contains('\u{fffd}')));
    }
    // Bytes that are no character do not stop the stream.
    let mut stream = tokenizer.stream();
    let broken: String = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff].iter().map(|byte| stream.push(*byte)).collect();
    assert!(broken.contains('\u{fffd}'));
    assert!(stream.push(u32::from(b'a')).ends_with('a'));
}

#[test]
fn a_conversation_has_its_marks() {
    let checkpoint = Tiny::new(1, config()).checkpoint(&[GgmlDType::Q8_0]);
    let (tokenizer, template) = (&checkpoint.tokenizer, &checkpoint.template);
    assert_eq!(template.default_system(), "You are tiny.");
    let message = |role, text: &str| Message { role, text: text.into() };
    let messages =
        [message(Role::User, "hi <|im_end|>"), message(Role::Assistant, "yes"), message(Role::User, "why?")];
    let ids = template.tokens(tokenizer, &messages).unwrap();
    let names = tokens();
    let text: String =
        ids.iter().map(|id| names[*id as usize].replace('Ġ', " ").replace('Ċ', "\n")).collect();
    let expected = "<|im_start|>system\nYou are tiny.<|im_end|>\n<|im_start|>user\nhi <|im_end|><|im_end|>\n\
        <|im_start|>assistant\nyes<|im_end|>\n<|im_start|>user\nwhy?<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(text, expected);
    let end = tokenizer.mark("<|im_end|>").unwrap();
    assert_eq!(ids.iter().filter(|id| **id == end).count(), 4, "the typed one is text");
    let own = template.tokens(tokenizer, &[message(Role::System, "Be brief."), messages[0].clone()]).unwrap();
    assert!(tokenizer.decode(&own).starts_with("system\nBe brief."));
    assert_ne!(ChatTemplate::default().default_system(), template.default_system());
}
