//! Telling the host of changes of read-only parameters.

use nice_plug_core::params::ParamFlags;
use nice_plug_core::params::internals::ParamPtr;
use std::sync::atomic::{AtomicU32, Ordering};

/// The parameters that only the plugin changes, each with the value that the host knows.
///
/// # Invariants
///
/// The parameters must outlive this object. The wrappers hold the plugin's `Params` for as long.
pub(crate) struct ReadOnlyParams(Vec<ReadOnlyParam>);

struct ReadOnlyParam {
    hash: u32,
    ptr: ParamPtr,
    /// The bits of the normalized value that the host knows.
    told: AtomicU32,
}

impl ReadOnlyParams {
    /// Those of `params` that have [`ParamFlags::READ_ONLY`]. Other parameters are left out.
    pub(crate) fn new(params: impl IntoIterator<Item = (u32, ParamPtr)>) -> Self {
        let read_only = params.into_iter().filter_map(|(hash, ptr)| {
            let (flags, value) = unsafe { (ptr.flags(), ptr.modulated_normalized_value()) };
            flags
                .contains(ParamFlags::READ_ONLY)
                .then(|| ReadOnlyParam { hash, ptr, told: AtomicU32::new(value.to_bits()) })
        });
        Self(read_only.collect())
    }

    /// Call `tell` with the hash and the normalized value of each parameter that has changed. It
    /// returns whether the host has taken the value; otherwise it is told again the next time.
    pub(crate) fn tell_changes(&self, mut tell: impl FnMut(&ReadOnlyChange) -> bool) {
        for param in &self.0 {
            let normalized = unsafe { param.ptr.modulated_normalized_value() };
            if param.told.load(Ordering::Relaxed) == normalized.to_bits() {
                continue;
            }
            let step_count = unsafe { param.ptr.step_count() };
            if tell(&ReadOnlyChange { hash: param.hash, normalized, step_count }) {
                param.told.store(normalized.to_bits(), Ordering::Relaxed);
            }
        }
    }
}

/// The new value of a read-only parameter.
pub(crate) struct ReadOnlyChange {
    pub(crate) hash: u32,
    pub(crate) normalized: f32,
    pub(crate) step_count: Option<usize>,
}
