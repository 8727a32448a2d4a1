//! The byte-level BPE tokenizer of Qwen2, from a GGUF file's lists or from a `tokenizer.json`.

use super::gguf::Head;
use crate::error::{Error, Result};
use std::collections::HashMap;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

/// How text is cut into words before the merges: the pattern of Qwen2's `tokenizer.json`.
const WORDS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/// Kinds of tokens in a GGUF file (`llama_token_type`): marks, and tokens that users added.
const CONTROL: i128 = 3;
const USER_DEFINED: i128 = 4;
/// Tokens that end an answer.
const ENDS: [&str; 2] = ["<|im_end|>", "<|endoftext|>"];

/// Encodes and decodes. Text that looks like a mark (`<|im_end|>`) is encoded as text.
pub struct QwenTokenizer {
    tokenizer: Tokenizer,
    marks: HashMap<String, u32>,
    ends: Vec<u32>,
    size: usize,
}

impl QwenTokenizer {
    /// From the lists in the head of a GGUF file.
    ///
    /// # Errors
    /// A sentence, when the lists are missing, contradict each other, or are of another kind of tokenizer.
    pub fn of_gguf(head: &Head<'_>) -> Result<Self, String> {
        let kind = head.text("tokenizer.ggml.model").ok_or("has no tokenizer")?;
        let cut = head.text("tokenizer.ggml.pre").unwrap_or("default");
        if kind != "gpt2" || !["qwen2", "default"].contains(&cut) {
            return Err(format!("has a tokenizer of the kind '{kind}/{cut}', expected 'gpt2/qwen2'"));
        }
        let list = |name: &str| head.list(name).ok_or_else(|| format!("lacks the list '{name}'"));
        let texts =
            |name: &str| list(name)?.texts().ok_or_else(|| format!("has a list '{name}' that is not text"));
        let tokens: Vec<&str> = texts("tokenizer.ggml.tokens")?.collect();
        let mut vocabulary = Vocab::new();
        for (id, token) in tokens.iter().enumerate() {
            // A GGUF has at most 2^22 tokens, see `config`.
            if vocabulary.insert(token.to_string(), id as u32).is_some() {
                return Err(format!("has the token '{token}' twice"));
            }
        }
        let merges = texts("tokenizer.ggml.merges")?
            .map(|merge| {
                let (left, right) =
                    merge.split_once(' ').ok_or_else(|| format!("has the merge '{merge}'"))?;
                Ok((left.to_string(), right.to_string()))
            })
            .collect::<Result<Vec<_>, String>>()?;
        let failed = |cause: tokenizers::Error| format!("has a tokenizer that cannot be used: {cause}");
        let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(failed)?;
        let mut tokenizer = Tokenizer::new(model);
        let pattern = SplitPattern::Regex(WORDS.into());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(failed)?;
        let bytes = ByteLevel::new(false, false, false);
        let steps = [PreTokenizerWrapper::from(split), PreTokenizerWrapper::from(bytes)];
        tokenizer
            .with_normalizer(Some(NFC))
            .map_err(failed)?
            .with_pre_tokenizer(Some(Sequence::new(steps.to_vec())))
            .with_decoder(Some(bytes));
        let kinds = list("tokenizer.ggml.token_type")?.items();
        let marks = tokens.iter().zip(kinds).filter_map(|(token, kind)| match kind {
            super::gguf::Value::Integer(CONTROL) => Some(AddedToken::from(token.to_string(), true)),
            super::gguf::Value::Integer(USER_DEFINED) => {
                Some(AddedToken::from(token.to_string(), false).normalized(false))
            }
            _ => None,
        });
        tokenizer.add_tokens(marks).map_err(failed)?;
        Ok(Self::new(tokenizer, tokens.len()))
    }

    /// From the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// A sentence, when it cannot be used.
    pub fn of_json(json: &[u8]) -> Result<Self, String> {
        let tokenizer = Tokenizer::from_bytes(json).map_err(|cause| format!("cannot be used: {cause}"))?;
        let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        Ok(Self::new(tokenizer, size))
    }

    fn new(mut tokenizer: Tokenizer, size: usize) -> Self {
        tokenizer.with_padding(None);
        // Only a truncation that is given can be refused.
        let _none_given = tokenizer.with_truncation(None).is_ok();
        tokenizer.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        tokenizer.set_encode_special_tokens(true);
        let marks: HashMap<String, u32> =
            tokenizer.get_added_tokens_decoder().into_iter().map(|(id, token)| (token.content, id)).collect();
        let ends = ENDS.iter().filter_map(|end| marks.get(*end).copied()).collect();
        QwenTokenizer { tokenizer, marks, ends, size }
    }

    /// One more than the largest id.
    pub fn vocabulary_size(&self) -> usize {
        self.size
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false);
        let encoding =
            encoding.map_err(|cause| Error::Format(format!("the text cannot be encoded: {cause}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The token of a mark, such as `<|im_start|>`.
    ///
    /// # Errors
    /// When the tokenizer has no such mark.
    pub fn mark(&self, text: &str) -> Result<u32> {
        let id = self.marks.get(text).copied();
        id.ok_or_else(|| Error::Format(format!("the model's tokenizer lacks the mark {text}")))
    }

    /// Whether a token ends an answer.
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.contains(&id)
    }

    /// The text of tokens; marks and unknown ids are left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        // Decoding byte-level tokens cannot fail. Should another decoder fail, the text is empty.
        self.tokenizer.decode(ids, true).unwrap_or_default()
    }

    /// The same tokenizer as a `tokenizer.json`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_json(&self) -> Result<String> {
        self.tokenizer.to_string(false).map_err(|cause| Error::Format(cause.to_string()))
    }

    /// A stream that turns tokens into text one by one.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream { tokenizer: self, ids: Vec::new(), shown: 0 }
    }
}

/// Text from tokens as they come: a character whose bytes are spread over several tokens comes with the last of them.
pub struct TextStream<'a> {
    tokenizer: &'a QwenTokenizer,
    ids: Vec<u32>,
    shown: usize,
}

/// What stands for bytes that are no whole character.
const BROKEN: char = char::REPLACEMENT_CHARACTER;

impl TextStream<'_> {
    /// The text that `id` adds; empty while a character is not whole.
    pub fn push(&mut self, id: u32) -> String {
        self.ids.push(id);
        let text = self.tokenizer.decode(&self.ids);
        // A character has at most four bytes, so four tokens; behind that the bytes are really broken.
        if text.ends_with(BROKEN) && self.ids.len() < 5 {
            return String::new();
        }
        let new = text.get(self.shown..).unwrap_or_default().to_string();
        // The text of later tokens does not depend on those before the last.
        self.ids = vec![id];
        self.shown = self.tokenizer.decode(&self.ids).len();
        new
    }
}
