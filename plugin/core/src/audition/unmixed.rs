//! A window of sound with estimates of its stems.

use super::masks::StemMasks;
use crate::audio::StereoPcm;
use crate::stem::Stem;

/// A window taken apart.
pub struct Unmixed {
    sound: StereoPcm,
    separated: Vec<(Stem, StereoPcm)>,
    masks: StemMasks,
}

impl Unmixed {
    /// A window with the sound of the stems that were separated (perhaps none), as long as `sound`, and masks of all stems,
    /// for the others. The centre of the masks' first frame is the first sample.
    pub fn new(sound: StereoPcm, separated: Vec<(Stem, StereoPcm)>, masks: StemMasks) -> Self {
        Unmixed { sound, separated, masks }
    }

    /// Gives the stems that were separated since.
    pub fn set_separated(&mut self, separated: Vec<(Stem, StereoPcm)>) {
        self.separated = separated;
    }

    /// The mix.
    pub fn sound(&self) -> &StereoPcm {
        &self.sound
    }

    /// The stems that were separated.
    pub fn separated(&self) -> &[(Stem, StereoPcm)] {
        &self.separated
    }

    /// How the power of each cell of the mix is shared among all stems.
    pub fn masks(&self) -> &StemMasks {
        &self.masks
    }
}
