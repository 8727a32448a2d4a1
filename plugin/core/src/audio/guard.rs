//! Panics inside symphonia become errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use symphonia::core::errors::Error as SymphoniaError;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a part of the decoder, and makes an error of a panic: damaged files can lead to one inside symphonia 0.6.1.
/// `audio_fuzz` found an assertion about distances in fragmented MP4 files, and an index in Vorbis' codebooks.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, SymphoniaError>) -> Result<T, SymphoniaError> {
    let was_guarded = IS_GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    result.unwrap_or(Err(SymphoniaError::DecodeError("the decoder panicked")))
}

/// From now on, a panic that the reading of a damaged file leads to prints nothing; all other panics print as before.
///
/// For programs, once at their start. It replaces the panic hook of the whole process, which in a plugin is the host's.
pub fn hide_caught_panics() {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        if IS_GUARDED.get() {
            tracing::debug!("{panic}");
        } else {
            usual(panic);
        }
    }));
}
