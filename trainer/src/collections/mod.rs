//! Collections of multitrack songs: finding them on disk, measuring them once, and the index that is kept of it.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`layouts`] | which file is which stem, one file a layout |
//! | [`SongReader`] | decodes all files of a song side by side, ten seconds at a time |
//! | [`measure_song`] | levels, gate figures and checks of a song |
//! | [`import`] | a whole collection, on several threads |
//! | [`Index`] | what is kept, as JSON |
//! | [`find_songs`], [`load_song`] | a folder of songs, without an index |
//! | [`sources`] | songs whose feature maps are to be computed |
//!
//! A folder of songs:
//!
//! ```text
//! songs/
//!   First Song/
//!     vocals.wav  drums.flac  bass.mp3  other.ogg    any of them may be missing, two must be there
//!     drums_room.wav                                  more files of a class are added to it
//!     mixture.wav                                     not read: the mix is the sum of the stems
//!     song.json                                       where the song is from
//!   Second Song/
//!     ...
//! ```

pub mod align;
mod error;
mod find;
pub mod import;
pub mod index;
pub mod layouts;
mod load;
pub mod measure;
mod meta;
pub mod reader;
pub mod sources;

pub use error::SongError;
pub use find::{SongFolder, find_songs};
pub use import::{ImportOptions, import};
pub use index::{Checks, ChunkEntry, FileEntry, Index, Refused, SongEntry, SongFiles};
pub use layouts::{Found, FoundSong, Layout, Source};
pub use load::{PADDING_LIMIT_S, Song, load_song};
pub use measure::measure_song;
pub use meta::{SongMeta, read_metadata};
pub use reader::{Chunk, SongReader};

/// Length of a chunk in seconds (published protocol).
pub const CHUNK_S: u32 = 10;
