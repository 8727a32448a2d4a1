//! What a song may be used for.

/// The part of MUSDB18 that a chunk comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Songs to learn norms from.
    Train,
    /// Songs to be judged.
    Test,
}
