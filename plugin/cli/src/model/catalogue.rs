//! The models known by name, and addresses of other files on the hub.

use anyhow::{Result, bail};
use mixing_buddy_core::model_choice::COMPACT;

/// What a known model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The base of the shipped adapter.
    Advice,
    /// A base for who trains an adapter.
    Training,
}

/// A model that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Name in commands and in the stored choice; it stays.
    pub name: &'static str,
    /// Repository on the hub.
    pub repository: &'static str,
    /// File in it.
    pub file: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// Size and SHA-256 of the file that was tested. The hub must give the same; where there is none, the hub's count.
    pub tested: Option<(u64, &'static str)>,
    /// SPDX identifier of the licence.
    pub licence: &'static str,
}

/// All models known, besides the compact one.
pub const KNOWN: [Known; 3] = [
    Known {
        name: "qwen2-0.5b",
        repository: "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        purpose: Purpose::Advice,
        tested: Some((491_400_064, "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32")),
        licence: "Apache-2.0",
    },
    Known {
        name: "qwen2.5-0.5b-instruct",
        repository: "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
        file: "qwen2.5-0.5b-instruct-q4_k_m.gguf",
        purpose: Purpose::Training,
        tested: None,
        licence: "Apache-2.0",
    },
    Known {
        name: "qwen2-0.5b-instruct",
        repository: "Qwen/Qwen2-0.5B-Instruct-GGUF",
        file: "qwen2-0_5b-instruct-q4_k_m.gguf",
        purpose: Purpose::Training,
        tested: None,
        licence: "Apache-2.0",
    },
];

/// What a repository with a bundle begins with.
const SCHEME: &str = "hf://";
/// The bundle in such a repository, unless another file is named: what the trainer's `export --format hub` writes.
const BUNDLE: &str = "compact.mixbuddy";

/// A file on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name as the user writes it: of a known model, `OWNER/REPOSITORY/FILE.gguf`, or `hf://OWNER/REPOSITORY`.
    pub name: String,
    /// Owner and name of the repository.
    pub repository: String,
    /// File in the repository, perhaps in a folder.
    pub file: String,
    /// The known model.
    pub known: Option<&'static Known>,
}

impl From<&'static Known> for Address {
    fn from(known: &'static Known) -> Self {
        Address {
            name: known.name.into(),
            repository: known.repository.into(),
            file: known.file.into(),
            known: Some(known),
        }
    }
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The built-in model.
    Compact,
    /// A file on the hub.
    Hub(Address),
}

/// The model of this name: `compact`, a known one, `OWNER/REPOSITORY/FILE.gguf`, or the bundle of `hf://OWNER/REPOSITORY`.
///
/// # Errors
/// When it is none of them.
pub fn named(name: &str) -> Result<Named> {
    if name == COMPACT {
        return Ok(Named::Compact);
    }
    if let Some(known) = KNOWN.iter().find(|known| known.name == name) {
        return Ok(Named::Hub(known.into()));
    }
    if let Some(address) = address(name) {
        return Ok(Named::Hub(address));
    }
    let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
    bail!(
        "there is no model '{name}'; known are {COMPACT}, {}; a file on the hub is OWNER/REPOSITORY/FILE.gguf, a bundle on it \
         hf://OWNER/REPOSITORY",
        names.join(", ")
    )
}

/// `OWNER/REPOSITORY/FILE.gguf` or `hf://OWNER/REPOSITORY[/FILE]`. Only characters that are the same in an address and in a
/// file's name.
fn address(name: &str) -> Option<Address> {
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let (path, bundle) = name.strip_prefix(SCHEME).map_or((name, None), |path| (path, Some(BUNDLE)));
    let mut parts = path.splitn(3, '/');
    let (owner, repository, file) = (parts.next()?, parts.next()?, parts.next().or(bundle)?);
    let file_lower = file.to_lowercase();
    let is_model = file_lower.ends_with(".gguf") || (bundle.is_some() && file_lower.ends_with(".mixbuddy"));
    if !is_model || !path.split('/').all(is_plain) {
        return None;
    }
    let repository = format!("{owner}/{repository}");
    let known = KNOWN.iter().find(|known| known.repository == repository && known.file == file);
    Some(Address { name: name.into(), repository, file: file.into(), known })
}

/// Bytes in the unit that fits, as the hub counts them: "491 MB".
pub fn size_text(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        assert_eq!(named("compact").unwrap(), Named::Compact);
        let Named::Hub(known) = named("qwen2-0.5b").unwrap() else { panic!("it is on the hub") };
        assert_eq!(known.known.unwrap().purpose, Purpose::Advice);
        // A known file under its address is the known model.
        let Named::Hub(same) = named(&format!("{}/{}", known.repository, known.file)).unwrap() else {
            panic!("it is on the hub")
        };
        assert_eq!(same.known, known.known);
        let Named::Hub(other) = named("me/my-model/q8/a_b.GGUF").unwrap() else { panic!("it is on the hub") };
        assert_eq!((other.repository.as_str(), other.file.as_str()), ("me/my-model", "q8/a_b.GGUF"));
        let Named::Hub(bundle) = named("hf://me/ears").unwrap() else { panic!("it is on the hub") };
        assert_eq!((bundle.repository.as_str(), bundle.file.as_str()), ("me/ears", "compact.mixbuddy"));
        let Named::Hub(bundle) = named("hf://me/ears/other.mixbuddy").unwrap() else {
            panic!("it is on the hub")
        };
        assert_eq!((bundle.repository.as_str(), bundle.file.as_str()), ("me/ears", "other.mixbuddy"));
        for wrong in [
            "",
            "qwen",
            "hf://",
            "hf://me",
            "hf://me/",
            "hf://me/../x",
            "hf://me/r/x.bin",
            "me/r/x.mixbuddy",
            "me/x.gguf",
            "me/r/../x.gguf",
            "me//x.gguf",
            "me/r/x.bin",
            "me/r/x y.gguf",
            "../r/x.gguf",
        ] {
            let message = named(wrong).unwrap_err().to_string();
            assert!(message.contains("qwen2-0.5b") && message.contains("compact"), "{wrong}: {message}");
        }
    }

    #[test]
    fn sizes_are_written_as_the_hub_writes_them() {
        assert_eq!(size_text(491_400_064), "491 MB");
        assert_eq!(size_text(12), "12 bytes");
        assert_eq!(size_text(4_400), "4 kB");
        assert_eq!(size_text(1_117_320_736), "1.1 GB");
    }
}
