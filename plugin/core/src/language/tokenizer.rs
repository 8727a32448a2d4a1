//! The tokenizer: a byte-level BPE with the table of special tokens, either our own or that of Qwen2.

use super::special::Special;
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use tokenizers::{AddedToken, Tokenizer};

/// Encodes and decodes, and knows which tokens are special.
///
/// No call starts a thread: loading removes padding, truncation and post-processing, which could, and the batch
/// functions of `tokenizers`, which use rayon's global pool, are not used.
pub struct AdviceTokenizer {
    tokenizer: Tokenizer,
    id_of: HashMap<Special, u32>,
    special_of: HashMap<u32, Special>,
    /// Every added token, ours or the base tokenizer's own, such as `<|im_start|>`: never made from text.
    reserved: HashSet<u32>,
    /// Whether a token may stand in a sentence, one entry per id.
    text_ids: Vec<bool>,
}

impl AdviceTokenizer {
    /// From the bytes of a `tokenizer.json` that holds the whole table of special tokens.
    ///
    /// # Errors
    /// When the file cannot be read or lacks a special token.
    pub fn from_bytes(json: &[u8]) -> Result<Self> {
        Self::new(parse(json)?)
    }

    /// From the bytes of another model's `tokenizer.json`, to which the table of special tokens is added. With Qwen2
    /// the new ids fall into unused rows of its embedding.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn from_bytes_adding_specials(json: &[u8]) -> Result<Self> {
        let mut tokenizer = parse(json)?;
        let added = Special::all().into_iter().map(|special| AddedToken::from(special.text(), true));
        tokenizer.add_special_tokens(added).map_err(failed)?;
        Self::new(tokenizer)
    }

    fn new(mut tokenizer: Tokenizer) -> Result<Self> {
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(failed)?;
        tokenizer.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        tokenizer.set_encode_special_tokens(true);

        let mut id_of = HashMap::new();
        for special in Special::all() {
            let text = special.text();
            let id = tokenizer
                .token_to_id(&text)
                .ok_or_else(|| Error::Format(format!("the tokenizer lacks the special token {text}")))?;
            id_of.insert(special, id);
        }
        let special_of: HashMap<u32, Special> = id_of.iter().map(|(&special, &id)| (id, special)).collect();
        let reserved: HashSet<u32> =
            tokenizer.get_added_tokens_decoder().into_keys().chain(special_of.keys().copied()).collect();

        let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        let mut text_ids = vec![false; size];
        for (id, entry) in text_ids.iter_mut().enumerate() {
            let id = id as u32;
            *entry =
                !reserved.contains(&id) && tokenizer.decode(&[id], false).is_ok_and(|text| is_text(&text));
        }
        Ok(AdviceTokenizer { tokenizer, id_of, special_of, reserved, text_ids })
    }

    /// One more than the largest id: the least number of rows of an embedding.
    pub fn vocabulary_size(&self) -> usize {
        self.text_ids.len()
    }

    /// The id of a special token.
    pub fn special(&self, special: Special) -> u32 {
        // `new` fails when a token of the table is missing, so the map is complete.
        self.id_of[&special]
    }

    /// The special token of an id, none for text.
    pub fn special_of(&self, id: u32) -> Option<Special> {
        self.special_of.get(&id).copied()
    }

    /// Whether a text token may stand in a sentence: printable ASCII, no digits (figures come from slots), none of
    /// the signs that special tokens are written with.
    pub fn is_text(&self, id: u32) -> bool {
        self.text_ids.get(id as usize).copied().unwrap_or(false)
    }

    /// The ids of all tokens that [`is_text`](Self::is_text), in order.
    pub fn text_ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.text_ids.iter().enumerate().filter(|(_, text_ids)| **text_ids).map(|(id, _)| id as u32)
    }

    /// Encodes text as text: what looks like a special token becomes ordinary tokens.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(failed)?;
        // The encoder does not make special tokens; the filter is for base tokenizers whose added tokens are not
        // marked as special.
        Ok(encoding.get_ids().iter().copied().filter(|id| !self.reserved.contains(id)).collect())
    }

    /// Encodes a sentence of the project's own, in which `<|stem|>` and `<|gain|>` are slots. The space before a
    /// slot is not encoded; [`decode_sentence`](Self::decode_sentence) restores it.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn encode_sentence(&self, sentence: &str) -> Result<Vec<u32>> {
        let slots = [Special::StemSlot, Special::GainSlot].map(|slot| (slot, slot.text()));
        let mut ids = Vec::new();
        let mut rest = sentence.trim();
        loop {
            let next = slots
                .iter()
                .filter_map(|(slot, text)| rest.find(text.as_str()).map(|at| (at, *slot, text.len())))
                .min_by_key(|(at, ..)| *at);
            let Some((at, slot, length)) = next else { break };
            let before = &rest[..at];
            ids.extend(self.encode_text(before.strip_suffix(' ').unwrap_or(before))?);
            ids.push(self.special(slot));
            rest = &rest[at + length..];
        }
        ids.extend(self.encode_text(rest)?);
        Ok(ids)
    }

    /// The sentence of tokens, with slots as `<|stem|>` and `<|gain|>`. Other special tokens are left out.
    pub fn decode_sentence(&self, ids: &[u32]) -> String {
        let mut sentence = String::new();
        for part in ids.split_inclusive(|id| self.reserved.contains(id)) {
            let (text, slot) = match part.split_last() {
                Some((last, text)) if self.reserved.contains(last) => (text, self.special_of(*last)),
                _ => (part, None),
            };
            sentence.push_str(&self.decode_text(text));
            if let Some(slot @ (Special::StemSlot | Special::GainSlot)) = slot {
                push_slot(&mut sentence, slot);
            }
        }
        sentence.trim().to_string()
    }

    /// The text of text tokens; ids that are unknown are left out.
    pub fn decode_text(&self, ids: &[u32]) -> String {
        // Decoding byte-level tokens cannot fail. Should another decoder fail, the text is empty.
        self.tokenizer.decode(ids, false).unwrap_or_default()
    }
}

impl std::fmt::Debug for AdviceTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AdviceTokenizer({} tokens)", self.vocabulary_size())
    }
}

/// Whether text may stand in a sentence: see [`AdviceTokenizer::is_text`].
pub(super) fn is_text(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|sign| {
            (sign == ' ' || sign.is_ascii_graphic())
                && !sign.is_ascii_digit()
                && !matches!(sign, '<' | '|' | '>')
        })
}

/// Writes a slot, and the space before it that tokens don't carry.
pub(super) fn push_slot(sentence: &mut String, slot: Special) {
    if sentence.chars().next_back().is_some_and(|last| !last.is_whitespace() && last != '(') {
        sentence.push(' ');
    }
    sentence.push_str(&slot.text());
}

fn parse(json: &[u8]) -> Result<Tokenizer> {
    Tokenizer::from_bytes(json).map_err(failed)
}

fn failed(cause: tokenizers::Error) -> Error {
    Error::Format(format!("the tokenizer cannot be used: {cause}"))
}
