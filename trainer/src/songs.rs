//! Reads folders of songs: one folder a song, one file a stem class.
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

mod error;
mod find;
mod load;
mod meta;

pub use error::SongError;
pub use find::{SongFolder, find_songs};
pub use load::{PADDING_LIMIT_S, Song, load_song};
pub use meta::{SongMeta, read_metadata};
