//! Advice on songs as a page for browsers: one file, without scripts, that needs nothing else and loads nothing.
//!
//! [`page`](page()) gives the page, [`write`](write()) puts it, or another file of a report, in its place.

mod page;
mod song;
mod timeline;

pub use page::page;

use crate::advice::Advice;
use crate::error::{Error, Result};
use crate::loudness::Meters;
use crate::stem::PerStem;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// What a page says of one song.
#[derive(Clone, Debug)]
pub struct Song<'a> {
    /// Its name: a file, or what the user calls it.
    pub name: String,
    /// The advice on the whole song, and the number of windows behind it; none before the first.
    pub whole: Option<(&'a Advice, usize)>,
    /// The windows, in the order of the song.
    pub windows: Vec<Window<'a>>,
    /// What the levels are compared with.
    pub target: Target,
    /// The meters; none where they were not measured.
    pub meters: Option<Meters>,
}

/// A window of a song.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// The advice.
    pub advice: &'a Advice,
    /// Whether it is from before the last change of the mix, and no longer counts.
    pub is_outdated: bool,
    /// What became of the advice, as a sentence.
    pub followed: Option<String>,
}

impl<'a> Window<'a> {
    /// A window of a mix that did not change.
    pub fn new(start_s: f64, end_s: f64, advice: &'a Advice) -> Self {
        Window { start_s, end_s, advice, is_outdated: false, followed: None }
    }
}

/// What levels are compared with.
#[derive(Clone, Debug)]
pub enum Target {
    /// The usual range of each stem in LU against the rest: low and high end.
    Usual(PerStem<(f32, f32)>),
    /// A reference: its name, and the level of each stem in LU; none where the stem is absent or not measured.
    Reference(String, PerStem<Option<f32>>),
}

/// Writes a file next to `path` and renames it.
///
/// # Errors
/// When it cannot be written. An older file of that name is then unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let attempt = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    attempt()
        .inspect_err(|_| {
            // A half-written file is of no use; that it cannot be removed is less important than the first error.
            let _ = std::fs::remove_file(&temporary);
        })
        .map_err(Error::io(path))
}
