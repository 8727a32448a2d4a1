//! A model on disk: one GGUF file, or a folder with safetensors, `config.json` and `tokenizer.json`.

use super::chat::ChatTemplate;
use super::config;
use super::gguf::{self, Head};
use super::safetensors::{INDEX, SINGLE, from_folder, read_beside};
use super::storage::Storage;
use super::tokenizer::QwenTokenizer;
use super::weights::{Place, Weights};
use crate::decoder::DecoderConfig;
use crate::error::{Error, Result};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Largest `config.json` and `tokenizer.json` in bytes. Qwen2's have 1 kB and 7 MB.
const LARGEST_CONFIG: u64 = 1 << 20;
const LARGEST_TOKENIZER: u64 = 64 << 20;

/// A model's files, opened and checked; the weights themselves are not read yet.
pub struct Checkpoint {
    /// Name that the file gives itself, or its file name.
    pub name: String,
    /// Sizes.
    pub config: DecoderConfig,
    /// Tensors.
    pub weights: Weights,
    /// Tokenizer.
    pub tokenizer: QwenTokenizer,
    /// Template of conversations.
    pub template: ChatTemplate,
}

impl Checkpoint {
    /// Opens a GGUF file, a folder, or a file `model.safetensors` or its index in such a folder.
    ///
    /// # Errors
    /// [`Error::Model`] or [`Error::Io`], naming the file and the cause.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Self::of_folder(path);
        }
        let is_safetensors =
            path.file_name().is_some_and(|name| name == SINGLE || name == INDEX || name == "config.json");
        match path.parent() {
            Some(folder) if is_safetensors => Self::of_folder(folder),
            _ => Self::of_gguf(&Storage::map(path)?),
        }
    }

    /// Opens the bytes of a GGUF file.
    ///
    /// # Errors
    /// [`Error::Model`], naming the file and the cause.
    pub fn of_gguf(storage: &Arc<Storage>) -> Result<Self> {
        let (name, config, weights) = Self::sizes_of_gguf(storage)?;
        let fail = |reason: String| storage.fail(reason);
        // Read a second time: the head borrows from the storage, and reading it takes milliseconds.
        let head = Head::read(storage.bytes()).map_err(fail)?;
        let beside = storage.path().with_file_name("tokenizer.json");
        let tokenizer = match head.value("tokenizer.ggml.tokens") {
            Some(_) => QwenTokenizer::of_gguf(&head).map_err(fail)?,
            None if beside.is_file() => QwenTokenizer::of_json(&read_beside(&beside, LARGEST_TOKENIZER)?)
                .map_err(|reason| Error::model(&beside, reason))?,
            None => return Err(fail("has no tokenizer, and there is no tokenizer.json beside it".into())),
        };
        check_tokens(&tokenizer, &config).map_err(fail)?;
        let template =
            head.text("tokenizer.chat_template").map_or(Ok(ChatTemplate::default()), ChatTemplate::of_jinja);
        Ok(Checkpoint { name, config, weights, tokenizer, template: template.map_err(fail)? })
    }

    /// Name, sizes and tensors of a GGUF file: what needs no tokenizer.
    ///
    /// # Errors
    /// As [`Checkpoint::of_gguf`].
    pub fn sizes_of_gguf(storage: &Arc<Storage>) -> Result<(String, DecoderConfig, Weights)> {
        let fail = |reason: String| storage.fail(reason);
        let head = Head::read(storage.bytes()).map_err(fail)?;
        let weights = Weights::of_gguf(storage, &head);
        // The architecture first: it says more than a missing tensor.
        let vocabulary = weights.rows(Place::Embedding);
        let config = match &vocabulary {
            Ok(rows) => config::of_gguf(&head, *rows, !weights.has_place(Place::Head)).map_err(fail)?,
            Err(_) => config::of_gguf(&head, 1, true).map_err(fail)?,
        };
        vocabulary?;
        let name = head.text("general.name").map_or_else(|| file_name(storage.path()), String::from);
        Ok((name, config, weights))
    }

    fn of_folder(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let config = config::of_json(&read_beside(&path, LARGEST_CONFIG)?);
        let config = config.map_err(|reason| Error::model(&path, reason))?;
        let path = folder.join("tokenizer.json");
        let fail = |reason: String| Error::model(&path, reason);
        let tokenizer = QwenTokenizer::of_json(&read_beside(&path, LARGEST_TOKENIZER)?).map_err(fail)?;
        check_tokens(&tokenizer, &config).map_err(fail)?;
        let template = Self::template_of_folder(folder)?;
        Ok(Checkpoint { name: file_name(folder), config, weights: from_folder(folder)?, tokenizer, template })
    }

    /// The template in `chat_template.jinja` or `tokenizer_config.json`, where one of them has it.
    fn template_of_folder(folder: &Path) -> Result<ChatTemplate> {
        let path = folder.join("chat_template.jinja");
        if path.is_file() {
            let source = String::from_utf8_lossy(&read_beside(&path, LARGEST_CONFIG)?).into_owned();
            return ChatTemplate::of_jinja(&source).map_err(|reason| Error::model(&path, reason));
        }
        let path = folder.join("tokenizer_config.json");
        if !path.is_file() {
            return Ok(ChatTemplate::default());
        }
        let fields: Value = serde_json::from_slice(&read_beside(&path, LARGEST_CONFIG)?)
            .map_err(|cause| Error::model(&path, format!("cannot be read: {cause}")))?;
        let source = fields.get("chat_template").and_then(Value::as_str);
        let template = source.map_or(Ok(ChatTemplate::default()), ChatTemplate::of_jinja);
        template.map_err(|reason| Error::model(&path, reason))
    }

    /// Whether the first bytes of a file are those of a GGUF.
    pub fn is_gguf(bytes: &[u8]) -> bool {
        bytes.starts_with(gguf::MAGIC)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned())
}

fn check_tokens(tokenizer: &QwenTokenizer, config: &DecoderConfig) -> std::result::Result<(), String> {
    let (tokens, rows) = (tokenizer.vocabulary_size(), config.vocab_size);
    match tokens <= rows {
        true => Ok(()),
        false => Err(format!("has a tokenizer with {tokens} tokens, and embeddings for {rows} only")),
    }
}
