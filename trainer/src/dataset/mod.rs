//! Collections of multitrack songs: finding them on disk, measuring them once, and the index that is kept of it.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`layouts`] | which file is which stem, one file a layout |
//! | [`SongReader`] | decodes all files of a song side by side, ten seconds at a time |
//! | [`measure_song`] | levels, gate figures and checks of a song |
//! | [`import`] | a whole collection, on several threads |
//! | [`Index`] | what is kept, as JSON |

pub mod align;
pub mod import;
pub mod index;
pub mod layouts;
pub mod measure;
pub mod reader;

pub use import::{ImportOptions, import};
pub use index::{Checks, ChunkEntry, FileEntry, Index, Refused, SongEntry, SongFiles};
pub use layouts::{Found, FoundSong, Layout, Source};
pub use measure::measure_song;
pub use reader::{Chunk, SongReader};

/// Length of a chunk in seconds (published protocol).
pub const CHUNK_S: u32 = 10;
