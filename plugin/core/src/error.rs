//! The errors of this crate, each with a message for a person.

use std::path::{Path, PathBuf};

/// Result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of this crate. `Display` names the file and the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system. Not `source`: the message has it, and printing a chain of errors would
        /// repeat it.
        cause: std::io::Error,
    },
    /// A file is not audio that can be judged.
    #[error("{}: {reason}", path.display())]
    Audio {
        /// The file.
        path: PathBuf,
        /// The cause, without the path.
        reason: String,
    },
    /// Samples given by a caller cannot be judged.
    #[error("the audio cannot be judged: {0}")]
    Samples(String),
    /// A model bundle is damaged, of another version, or lacks a part.
    #[error("model bundle {}: {reason}", path.display())]
    Bundle {
        /// The bundle.
        path: PathBuf,
        /// The cause, without the path.
        reason: String,
    },
    /// A language model's file is damaged, of another kind, or does not fit.
    #[error("model {}: {reason}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// The cause, without the path.
        reason: String,
    },
    /// The work was cancelled by the caller.
    #[error("cancelled")]
    Cancelled,
    /// Text that should follow a grammar (an answer, a template, a norms summary) does not.
    #[error("{0}")]
    Format(String),
    /// A tensor operation failed: shapes or memory.
    #[error("the model failed: {0}")]
    Tensor(candle_core::Error),
}

// Not `#[from]`, which would make it the source too: the message has it.
impl From<candle_core::Error> for Error {
    fn from(cause: candle_core::Error) -> Self {
        Error::Tensor(cause)
    }
}

impl Error {
    /// For `map_err` on file operations.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |cause| Error::Io { path, cause }
    }

    /// An audio file that cannot be judged, and the reason.
    pub fn audio(path: impl AsRef<Path>, reason: impl Into<String>) -> Error {
        Error::Audio { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }

    /// A language model's file that cannot be used, and the reason.
    pub fn model(path: impl AsRef<Path>, reason: impl Into<String>) -> Error {
        Error::Model { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }
}
