//! Songs that come one after another, also from places that hold more than this disk: each is on it only while it is used.
//!
//! | file | what it does |
//! | --- | --- |
//! | `coming` | [`ComingSong`]: a song that is opened when its turn comes |
//! | `shards` | [`songs_of_shards`]: tar files in WebDataset's layout |
//! | `place` | [`Place`]: a file, standard input, or an address |
//! | `braces` | `train-{000..146}.tar` as the names it stands for |
//! | `stores` | object stores and HTTP, in builds with the feature `stores`; [`songs_of_store`]: a folder of songs there |

mod braces;
mod coming;
mod place;
mod shards;
#[cfg(feature = "stores")]
mod stores;

pub use coming::{ComingSong, OpenSong};
pub use place::Place;
pub use shards::{Shards, songs_of_shards};
#[cfg(feature = "stores")]
pub use stores::songs_of_store;

/// A folder of songs in an object store.
///
/// # Errors
/// Always: this build cannot read stores.
#[cfg(not(feature = "stores"))]
pub fn songs_of_store(
    address: &url::Url,
    _part: crate::part::Part,
    _calib_share: f64,
) -> anyhow::Result<Vec<ComingSong>> {
    Err(place::no_stores(address))
}
