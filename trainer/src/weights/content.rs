//! What a file or folder is, by what it holds: for the one loader ([`super::parts`]) and its messages.

use mixing_buddy_core::bundle::Bundle;
use std::collections::HashMap;
use std::path::Path;

/// Text by key, as it stands at the head of a safetensors file.
pub type Metadata = HashMap<String, String>;

/// What the bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A model bundle.
    Bundle,
    /// A safetensors file, or something that is not known.
    Tensors,
    /// Something else that is known, for a sentence.
    Foreign(&'static str),
}

/// First bytes of files that people take for weights, and what they are.
const HEADS: [(&[u8], &str); 7] = [
    (b"GGUF", "a GGUF model"),
    (b"PK\x03\x04", "a ZIP archive, such as PyTorch's .bin and .pt files"),
    (b"\x80\x02", "a Python pickle, such as PyTorch's older .bin and .pt files"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the file; `git lfs pull` fetches the file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"<", "a web page or XML text"),
    (b"{", "a JSON file"),
];

impl Content {
    pub(super) fn of(bytes: &[u8]) -> Self {
        if Bundle::is_one(bytes) {
            return Content::Bundle;
        }
        // A safetensors file begins with the length of its head in eight bytes; the head is JSON.
        if bytes.get(8) == Some(&b'{') && bytes.get(7) == Some(&0) {
            return Content::Tensors;
        }
        if bytes.is_empty() {
            return Content::Foreign("an empty file");
        }
        let known = HEADS.iter().find(|(head, _)| bytes.starts_with(head));
        known.map_or(Content::Tensors, |(_, what)| Content::Foreign(what))
    }
}

/// What a safetensors file holds, by its metadata and the names of its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Encoder,
    Decoder,
    Advisor,
    Checkpoint,
    PeftAdapter,
    Transformers,
    Unknown,
}

impl Holds {
    pub(super) fn of<'a>(metadata: &Metadata, mut names: impl Iterator<Item = &'a String>) -> Self {
        let has = |key: &str| metadata.contains_key(key);
        if has("config") && !has("decoder") && !has("encoder") {
            Holds::Checkpoint
        } else if has("decoder") {
            if has("lora") { Holds::Advisor } else { Holds::Decoder }
        } else if has("encoder") {
            Holds::Encoder
        } else if let Some(name) =
            names.find(|name| name.starts_with("base_model.") || name.starts_with("model."))
        {
            if name.starts_with("base_model.") { Holds::PeftAdapter } else { Holds::Transformers }
        } else {
            Holds::Unknown
        }
    }

    /// For a sentence: "the file is …".
    pub(super) fn describe(self) -> &'static str {
        match self {
            Holds::Encoder => "an encoder, as `train encoder` writes it",
            Holds::Decoder => "a decoder without adapter, as `train decoder` writes it",
            Holds::Advisor => "a tuned decoder, as `train advisor` and `train dpo` write it",
            Holds::Checkpoint => "the state of a run for --resume; its weights are in the file next to it",
            Holds::PeftAdapter => {
                "an adapter in the layout of PEFT; `import-adapter` makes a tuned decoder of its folder"
            }
            Holds::Transformers => "a model in the layout of transformers",
            Holds::Unknown => "a safetensors file of another program",
        }
    }
}

/// For a sentence: what a folder is, where it is known.
pub(super) fn describe_folder(dir: &Path) -> Option<&'static str> {
    let has = |name: &str| dir.join(name).exists();
    if has("adapter_config.json") {
        Some("a folder in the layout of PEFT; `import-adapter` makes a tuned decoder of it")
    } else if has("encoder.safetensors") {
        Some("the folder of a run of `train encoder`")
    } else if has("decoder.safetensors") {
        Some("the folder of a run of `train decoder`")
    } else if has("advisor.safetensors") {
        Some("the folder of a run of `train advisor`")
    } else if has("dpo.safetensors") {
        Some("the folder of a run of `train dpo`")
    } else if has("last.safetensors") {
        Some("the folder of a run that has not finished")
    } else {
        None
    }
}
