//! Plays a clip over the sound of a callback, without clicks.

use super::clip::Clip;

/// Length of every fade in seconds. Chosen, not tuned: long enough for no click, too short to be heard as a fade.
pub const FADE_S: f32 = 0.01;

/// Which version of a clip is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// The window as it was.
    Original,
    /// The window with the gains.
    #[default]
    Altered,
}

/// A value that moves between 0 and 1 in equal steps.
#[derive(Clone, Copy, Debug, Default)]
struct Ramp {
    value: f32,
}

impl Ramp {
    fn toward(&mut self, target: f32, step: f32) -> f32 {
        self.value = if self.value < target {
            (self.value + step).min(target)
        } else {
            (self.value - step).max(target)
        };
        self.value
    }
}

/// A clip that plays, and where.
#[derive(Debug)]
struct Voice {
    clip: Box<Clip>,
    at: usize,
}

impl Voice {
    /// The next frame. The clip repeats; its last frames fade into its first ones.
    fn next(&mut self, version: f32, fade: usize) -> [f32; 2] {
        let frames = self.clip.frames();
        let fade = fade.min(frames.len() / 2);
        let seam = frames.len() - fade;
        let mut sound = mixed(frames[self.at], version);
        if self.at >= seam {
            let again = mixed(frames[self.at - seam], version);
            sound = blend(sound, again, (self.at - seam) as f32 / fade as f32);
        }
        self.at += 1;
        if self.at >= frames.len() {
            self.at = fade;
        }
        sound
    }
}

fn blend(a: [f32; 2], b: [f32; 2], part: f32) -> [f32; 2] {
    [a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])]
}

/// The frame of a clip, `version` of the way from the original to the altered version.
fn mixed([left, right, altered_left, altered_right]: [f32; 4], version: f32) -> [f32; 2] {
    match version {
        0.0 => [left, right],
        1.0 => [altered_left, altered_right],
        part => blend([left, right], [altered_left, altered_right], part),
    }
}

/// Plays clips over what passes through a callback. Start, stop, a change of version and a new clip are fades of
/// [`FADE_S`]. Without a clip it leaves the sound untouched, bit for bit.
///
/// It neither makes nor drops a clip while it renders: [`Player::offer`] takes one, [`Player::take_done`] gives it back.
#[derive(Debug)]
pub struct Player {
    fade_frames: usize,
    step: f32,
    now: Option<Voice>,
    next: Option<Voice>,
    done: [Option<Box<Clip>>; 2],
    presence: Ramp,
    version: Ramp,
    swap: Ramp,
}

impl Player {
    /// A player for sound at a rate.
    pub fn new(sample_rate_hz: u32) -> Self {
        let fade_frames = (FADE_S * sample_rate_hz as f32).max(1.0) as usize;
        Player {
            fade_frames,
            step: 1.0 / fade_frames as f32,
            now: None,
            next: None,
            done: [None, None],
            presence: Ramp::default(),
            version: Ramp::default(),
            swap: Ramp::default(),
        }
    }

    /// Whether it can take a clip now.
    pub fn has_room(&self) -> bool {
        self.next.is_none() && self.done.iter().all(Option::is_none)
    }

    /// Whether anything of a clip can be heard.
    pub fn is_sounding(&self) -> bool {
        self.now.is_some() && self.presence.value > 0.0
    }

    /// Takes a clip, to be played from now on. It continues a clip of the same window at the same place.
    ///
    /// # Errors
    /// Gives the clip back if there is no room for it, or it is empty.
    pub fn offer(&mut self, clip: Box<Clip>) -> Result<(), Box<Clip>> {
        if !self.has_room() || clip.is_empty() {
            return Err(clip);
        }
        match &self.now {
            None => self.now = Some(Voice { clip, at: 0 }),
            Some(now) => {
                let continues = now.clip.window == clip.window && now.clip.len() == clip.len();
                let at = if continues { now.at } else { 0 };
                self.swap = Ramp::default();
                self.next = Some(Voice { clip, at });
            }
        }
        Ok(())
    }

    /// A clip that is no longer played.
    pub fn take_done(&mut self) -> Option<Box<Clip>> {
        self.done.iter_mut().find_map(Option::take)
    }

    /// Ends at once, without a fade: for when the host stops calling.
    pub fn halt(&mut self) {
        self.presence = Ramp::default();
        self.release();
    }

    /// Plays over one or two channels in place; none ends the clip with a fade.
    pub fn render(&mut self, left: &mut [f32], mut right: Option<&mut [f32]>, wanted: Option<Version>) {
        if self.now.is_none() {
            return;
        }
        let presence = if wanted.is_some() { 1.0 } else { 0.0 };
        let version = match wanted {
            Some(Version::Original) => 0.0,
            Some(Version::Altered) => 1.0,
            None => self.version.value,
        };
        if self.presence.value == 0.0 {
            // Nothing is heard yet, so that there is nothing to fade from.
            self.version.value = version;
        }
        for (at, left) in left.iter_mut().enumerate() {
            let Some(now) = &mut self.now else { return };
            let version = self.version.toward(version, self.step);
            let mut sound = now.next(version, self.fade_frames);
            if let Some(next) = &mut self.next {
                let part = self.swap.toward(1.0, self.step);
                sound = blend(sound, next.next(version, self.fade_frames), part);
                if part >= 1.0 {
                    self.finish_swap();
                }
            }
            let part = self.presence.toward(presence, self.step);
            let right = right.as_deref_mut().and_then(|right| right.get_mut(at));
            match right {
                Some(right) => {
                    *left = over(*left, sound[0], part);
                    *right = over(*right, sound[1], part);
                }
                None => *left = over(*left, 0.5 * (sound[0] + sound[1]), part),
            }
            if part == 0.0 && presence == 0.0 {
                self.release();
                return;
            }
        }
    }

    fn finish_swap(&mut self) {
        let ended = std::mem::replace(&mut self.now, self.next.take());
        self.done[0] = ended.map(|voice| voice.clip);
    }

    fn release(&mut self) {
        // A clip is only taken while both places are free, so that none is lost here; a swap that has just ended keeps
        // the first.
        for voice in [self.now.take(), self.next.take()].into_iter().flatten() {
            if let Some(place) = self.done.iter_mut().find(|place| place.is_none()) {
                *place = Some(voice.clip);
            }
        }
    }
}

/// A clip's sample over what was there; exactly the clip's at the end of the fade, whatever was there.
fn over(under: f32, sound: f32, part: f32) -> f32 {
    match part {
        0.0 => under,
        1.0 => sound,
        part => under + part * (sound - under),
    }
}

#[cfg(test)]
#[path = "player_tests.rs"]
mod tests;
