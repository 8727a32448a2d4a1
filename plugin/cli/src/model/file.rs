//! A model file, opened and checked; whether an adapter fits it.

use super::catalogue::{Address, KNOWN, Known, Named, named};
use super::store::Store;
use anyhow::{Context, Result, bail, ensure};
use mixing_buddy_core::bundle::Bundle;
use mixing_buddy_core::large::shipped::SHIPPED_ADAPTER_NAME;
use mixing_buddy_core::large::{LargeModel, Package};
use mixing_buddy_core::qwen2::files::Storage;
use mixing_buddy_core::qwen2::files::gguf::Head;
use mixing_buddy_core::qwen2::{Checkpoint, Model};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that tell what a file is.
const HEAD_BYTES: u64 = 64;

/// Where a model lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the program.
    Compact,
    /// In a file or folder.
    File {
        /// Name for the user: of a known model, or of the file.
        name: String,
        /// An absolute path.
        path: PathBuf,
        /// The known model, if it is one.
        known: Option<&'static Known>,
    },
}

/// A large model, opened.
pub struct Opened {
    /// Its files.
    pub checkpoint: Checkpoint,
    model: Model,
    path: PathBuf,
}

/// Whether an adapter fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Fits {
        /// Whether it decides what is off, or talks about the compact model's decision.
        decides: bool,
    },
    /// It does not, and why.
    Other(String),
}

/// Where the model lies that `text` names: a file that exists, `compact`, or one that was fetched.
///
/// # Errors
/// When there is no such file and no such name, or the model was not fetched.
pub fn place(text: &str, store: &Store) -> Result<Place> {
    let path = Path::new(text);
    let is_file = path.exists() && named(text).is_err();
    if is_file || path.is_absolute() || text.starts_with('.') {
        let path = std::path::absolute(path).with_context(|| format!("{text} is no path"))?;
        std::fs::metadata(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let known = KNOWN.iter().find(|known| store.find(&Address::from(*known)).as_ref() == Some(&path));
        let name = path.file_name().map_or_else(|| text.into(), |name| name.to_string_lossy().into_owned());
        return Ok(Place::File { name: known.map_or(name, |known| known.name.into()), path, known });
    }
    let address = match named(text).with_context(|| format!("there is no file '{text}' either"))? {
        Named::Compact => return Ok(Place::Compact),
        Named::Hub(address) => address,
    };
    match store.find(&address) {
        Some(path) => {
            let path =
                std::path::absolute(&path).with_context(|| format!("{} is no path", path.display()))?;
            Ok(Place::File { name: address.name, path, known: address.known })
        }
        None => bail!("{0} is not here yet: `mixing-buddy model fetch {0}`", address.name),
    }
}

/// Whether a file is a bundle: a whole model, with ears. A folder is none.
///
/// # Errors
/// When it cannot be read.
pub fn is_bundle(path: &Path) -> Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    let cannot = || format!("{} cannot be read", path.display());
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head)).with_context(cannot)?;
    Ok(Bundle::is_one(&head))
}

impl Opened {
    /// Opens a file or folder, and checks that every part of the model is there.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self> {
        ensure!(
            !is_bundle(path)?,
            "{0} is a bundle, not a language model. The plugin's \"Choose model\" and --model take it; `mixing-buddy info {0}` \
             describes it",
            path.display()
        );
        let checkpoint = Checkpoint::open(path)?;
        let model = Model::load(&checkpoint)?;
        Ok(Opened { checkpoint, model, path: path.to_path_buf() })
    }

    /// Size of the weights in bytes.
    pub fn weights_bytes(&self) -> usize {
        self.checkpoint.weights.formats().values().map(|(_, bytes)| bytes).sum()
    }

    /// The licence that the file states.
    pub fn stated_licence(&self) -> Option<String> {
        let storage = self.path.is_file().then(|| Storage::map(&self.path))?.ok()?;
        let head = Head::read(storage.bytes()).ok()?;
        let licence = head.text("general.license")?;
        // Printed on a terminal.
        Some(licence.chars().filter(|c| !c.is_control()).take(80).collect())
    }

    /// Whether an adapter fits: the one in the file, or else the shipped one.
    ///
    /// # Errors
    /// When the adapter's file cannot be read or is damaged.
    pub fn fit(&mut self, adapter: Option<&Path>) -> Result<Fit> {
        let (name, package) = match adapter {
            Some(path) => (path, Package::open(path)?),
            None => (Path::new(SHIPPED_ADAPTER_NAME), LargeModel::shipped_package()?),
        };
        Ok(match self.model.adapt(name, package.adapter) {
            Ok(()) => Fit::Fits { decides: package.about.decides },
            Err(error) => Fit::Other(error.to_string()),
        })
    }
}
