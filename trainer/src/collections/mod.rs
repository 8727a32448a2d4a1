//! Collections of multitrack songs: finding them on disk, measuring them once, and the index that is kept of them.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`SongFolder`], [`find_songs`] | the one reader of folders of stems; [`FileRole`] is what a file is for |
//! | [`StemMap`] | name patterns, for files that are not named after the stem classes |
//! | [`layouts`] | how known collections lie on disk, one file per layout |
//! | [`SongReader`] | decodes all files of a song side by side, ten seconds at a time |
//! | [`load_song`] | the same, a whole song in memory |
//! | [`measure_song`] | levels, gate figures and checks of a song |
//! | [`import()`] | a whole collection, on several threads |
//! | [`Index`] | what is kept of it |
//! | [`songs`] | songs whose feature maps are to be computed; [`stream`] brings them from elsewhere |
//!
//! A folder of songs:
//!
//! ```text
//! songs/
//!   First Song/
//!     vocals.wav  drums.flac  bass.mp3  other.ogg    any of them may be missing, two must be present
//!     drums_room.wav                                  more files of a class are added to it
//!     mixture.wav                                     not read: the mix is the sum of the stems
//!     song.json                                       where the song comes from
//!   Second Song/
//!     ...
//! ```
//!
//! `evaluate` reads such a folder as it is drawn; `prepare --songs` finds songs in it at any depth; `data import`
//! (layout `folder`) takes the folders of a song as parts of it, and may name the files by patterns.

mod align;
mod error;
mod file_role;
mod files;
mod import;
pub mod index;
pub mod layouts;
mod load;
mod measure;
mod meta;
mod reader;
mod refused;
pub mod songs;
mod stem_folder;
mod stem_map;
pub mod stream;

pub use error::SongError;
pub use file_role::FileRole;
pub use import::{ImportOptions, import};
pub use index::{Checks, ChunkEntry, FileEntry, Index, MeasuredSong, SongEntry, SongFiles};
pub use layouts::{Found, FoundSong, Layout, Track};
pub use load::{Song, load_song};
pub use measure::measure_song;
pub use meta::{SongMeta, read_metadata};
pub use reader::{CHUNK_S, Chunk, PADDING_LIMIT_S, ReadOptions, SongReader};
pub use refused::Refused;
pub use stem_folder::{FolderOptions, SongFolder, find_songs, find_songs_at_any_depth};
pub use stem_map::StemMap;
