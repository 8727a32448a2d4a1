//! The published protocol (Vadhulas and Lerch, 2025) as types: categories, gates, samples, splits and sources.
//!
//! | part | what it holds |
//! | --- | --- |
//! | [`Category`] | the five kinds of mixes and their gain ranges |
//! | [`gate`] | which windows of a song count |
//! | [`samples`] | what is asked about a window, and the right answer |
//! | [`Split`] | what a song may be used for |
//! | [`SourceKind`] | where a song comes from |

pub mod category;
pub mod gate;
pub mod samples;
pub mod source;
pub mod split;

pub use category::Category;
pub use gate::{
    ACTIVE_FRAME_DBFS, ACTIVE_SHARE, FRAMES_PER_SECOND, GatedWindow, MIXTURE_GATE_DBFS, QUIETEST_MEASURED_DB,
    STEM_GATE_DBFS, SongAudio, WINDOW_S, gated_windows, missing_stem, rms_dbfs,
};
pub use samples::{Flaw, GAINS, Protocol, Sample, plan_window, shuffled_mixes, shuffled_within_anchors};
pub use source::SourceKind;
pub use split::Split;
