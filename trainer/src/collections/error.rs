//! What can be wrong with a song, each as a sentence for a person.

use mixing_buddy_core::Stem;
use std::path::PathBuf;

/// Why songs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SongError {
    /// A folder could not be read.
    #[error("{} cannot be read: {cause}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// A file was given where a folder of songs is needed.
    #[error("{} is not a folder; give a folder that holds one folder per song", path.display())]
    NotAFolder {
        /// What was given.
        path: PathBuf,
    },
    /// A folder of songs holds none.
    #[error("{} holds no songs; each song is a folder with files such as vocals.wav and drums.wav", dir.display())]
    NoSongs {
        /// The folder.
        dir: PathBuf,
    },
    /// A song was given where a folder of songs is needed.
    #[error("{} is a song itself; give the folder above it", dir.display())]
    IsASong {
        /// The folder.
        dir: PathBuf,
    },
    /// A song has no stem.
    #[error("{} has no stems; they are files named vocals, drums, bass or other", dir.display())]
    NoStems {
        /// The song's folder.
        dir: PathBuf,
    },
    /// There is no stem to read.
    #[error("there are no stems")]
    NothingToRead,
    /// A song has one stem class only, so that there is nothing to balance it with.
    #[error("{} has only {stem}; a song needs at least two stems", dir.display())]
    OneStem {
        /// The song's folder.
        dir: PathBuf,
        /// The class that it has.
        stem: Stem,
    },
    /// Two files of a song have the same name in different formats, so that the stem would be added up twice.
    #[error("{} and {} are the same {stem} twice; keep one of them", first.display(), second.display())]
    Twice {
        /// One of the files.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// Their class.
        stem: Stem,
    },
    /// The `song.json` of a song cannot be used.
    #[error("{} cannot be understood: {reason}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Files of a song differ in length by more than [`PADDING_LIMIT_S`](super::PADDING_LIMIT_S).
    #[error("{} lasts {short_s:.1} s but {} lasts {}{long_s:.1} s; the files of a song must be equally long",
        short.display(), long.display(), if *long_has_ended { "" } else { "at least " })]
    Lengths {
        /// The shortest file.
        short: PathBuf,
        /// Its length in seconds.
        short_s: f64,
        /// The longest file.
        long: PathBuf,
        /// Its length in seconds, as far as it was read.
        long_s: f64,
        /// Whether it was read to its end.
        long_has_ended: bool,
    },
    /// A file cannot be decoded, or holds NaN or infinite samples, or the work was cancelled.
    #[error(transparent)]
    Sound(#[from] mixing_buddy_core::Error),
}
