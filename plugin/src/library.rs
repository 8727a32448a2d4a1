//! The library of references as the panel shows it, and what the panel can ask of it: plain values.

use mixing_buddy_core::profile::{Choice, Listing};
use std::path::PathBuf;
use std::sync::Arc;

/// What the panel knows of the library.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LibraryView {
    /// Songs and groups; none while they have not been read.
    pub listing: Option<Arc<Listing>>,
    /// The songs that are being measured.
    pub measuring: Option<Measuring>,
}

/// Progress in measuring several songs.
#[derive(Clone, Debug, PartialEq)]
pub struct Measuring {
    /// Name of the song.
    pub name: String,
    /// Its number, from one.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// The part of this song that is done, 0 to 1.
    pub part: f32,
}

impl Measuring {
    /// The part of all songs that is done, 0 to 1.
    pub fn whole(&self) -> f32 {
        let part = if self.part.is_finite() { self.part.clamp(0.0, 1.0) } else { 0.0 };
        (self.number.saturating_sub(1) as f32 + part) / self.of.max(1) as f32
    }
}

/// What the panel can ask of the library.
#[derive(Clone, Debug, PartialEq)]
pub enum LibraryCommand {
    /// Read it again: another instance may have changed it.
    Read,
    /// Measure these songs, and the songs of these folders. They become a group if there are several, and are aimed at.
    Measure(Vec<PathBuf>),
    /// Stop measuring. Songs that are measured stay in the library.
    Cancel,
    /// Aim at these songs and groups; at the usual balance if there are none.
    Aim(Vec<Choice>),
}
