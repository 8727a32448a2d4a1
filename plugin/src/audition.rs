//! Between worker and audio callback: what is auditioned, and when it ends.
//!
//! The worker prepares a [`Clip`] and sends it through a ring; the callback plays it and sends it back through another, so
//! that it is freed where it was made. A [`Switch`] of atomics tells the callback what is wanted and the worker what has
//! become of it. Each audition has a ticket, a number that only grows: an audition that the callback has ended stays
//! ended, whatever the worker does meanwhile.

use crate::capture::Flow;
use crate::view::End;
use mixing_buddy_core::audition::{Clip, Player, Version};
use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Clips on their way to the callback.
const CLIPS_WAITING: usize = 2;
/// Clips on their way back: all that can be on their way there, and those that the player holds.
const CLIPS_RETURNING: usize = CLIPS_WAITING + 4;

/// What the callback shall play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    ticket: u64,
    version: Version,
    over_song: bool,
}

impl Wanted {
    fn pack(self) -> u64 {
        self.ticket << 2 | u64::from(self.over_song) << 1 | u64::from(self.version == Version::Altered)
    }

    /// None for 0, which no ticket gives: tickets begin with 1.
    fn unpack(word: u64) -> Option<Self> {
        let version = if word & 1 == 1 { Version::Altered } else { Version::Original };
        (word != 0).then_some(Wanted { ticket: word >> 2, version, over_song: word & 2 == 2 })
    }
}

/// Shared by callback, worker and editor. Nobody waits for anybody.
#[derive(Debug, Default)]
pub struct Switch {
    /// [`Wanted`] in one word; 0 for nothing.
    wanted: AtomicU64,
    /// The last ticket that the callback ended, and why: `ticket << 8 | index in End::ALL`.
    ended: AtomicU64,
    /// Whether the editor is open.
    is_open: AtomicBool,
    /// Whether a clip can be heard.
    is_sounding: AtomicBool,
    /// Counts the host's calls.
    calls: AtomicU32,
}

impl Switch {
    /// The editor opens or closes. Closing ends an audition at the next call of the host.
    pub fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Release);
    }

    /// Whether the editor is open.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Whether the output is an audition now, or still fades.
    pub fn is_sounding(&self) -> bool {
        self.is_sounding.load(Ordering::Acquire)
    }

    /// Number of the host's calls so far; wraps.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Acquire)
    }

    fn end_of(&self, ticket: u64) -> Option<End> {
        let word = self.ended.load(Ordering::Acquire);
        let end = End::ALL.get((word & 0xFF) as usize).copied()?;
        (word >> 8 >= ticket).then_some(end)
    }
}

/// A clip and its audition.
struct Parcel {
    ticket: u64,
    clip: Box<Clip>,
}

/// A connected pair.
pub fn link() -> (AudioSide, WorkerSide) {
    let switch = Arc::new(Switch::default());
    let (clips_in, clips_out) = HeapRb::new(CLIPS_WAITING).split();
    let (back_in, back_out) = HeapRb::new(CLIPS_RETURNING).split();
    let audio = AudioSide {
        switch: switch.clone(),
        clips: clips_out,
        back: back_in,
        player: None,
        rate_hz: 0,
        is_offline: false,
        current: 0,
        ended: 0,
        was_playing: false,
    };
    (audio, WorkerSide { switch, clips: clips_in, back: back_out, ticket: 0, is_active: false })
}

/// The callback's side.
pub struct AudioSide {
    switch: Arc<Switch>,
    clips: HeapCons<Parcel>,
    back: HeapProd<Box<Clip>>,
    /// None until the host has set a sample rate.
    player: Option<Player>,
    rate_hz: u32,
    is_offline: bool,
    /// The last ticket that was seen.
    current: u64,
    /// The last ticket that was ended here.
    ended: u64,
    /// Whether the song has played since the current audition began.
    was_playing: bool,
}

impl AudioSide {
    /// What the editor shares.
    pub fn switch(&self) -> &Arc<Switch> {
        &self.switch
    }

    /// Prepares for a sample rate. Main thread, while the callback rests.
    pub fn prepare(&mut self, rate_hz: u32, is_offline: bool) {
        if self.rate_hz == rate_hz && self.is_offline == is_offline && self.player.is_some() {
            return;
        }
        self.stop(if is_offline { End::Renders } else { End::Host });
        (self.rate_hz, self.is_offline) = (rate_hz, is_offline);
        self.player = Some(Player::new(rate_hz));
    }

    /// Ends at once. Allocates and frees nothing.
    pub fn stop(&mut self, end: End) {
        if let Some(wanted) = Wanted::unpack(self.switch.wanted.load(Ordering::Acquire)) {
            self.end(wanted.ticket, end);
        }
        if let Some(player) = &mut self.player {
            player.halt();
        }
        self.give_back();
        self.tell_sounding();
    }

    /// Plays over a block of one or two channels in place, if an audition is wanted and may be; returns whether it does.
    /// Audio thread: no allocation, no lock, no system call.
    pub fn render(&mut self, channels: &mut [&mut [f32]], flow: Flow) -> bool {
        self.switch.calls.fetch_add(1, Ordering::AcqRel);
        let wanted = Wanted::unpack(self.switch.wanted.load(Ordering::Acquire));
        let mut wanted = wanted.filter(|wanted| wanted.ticket > self.ended);
        if let Some(asked) = wanted {
            if asked.ticket != self.current {
                (self.current, self.was_playing) = (asked.ticket, false);
            }
            if let Some(end) = self.objection(asked, flow) {
                self.end(asked.ticket, end);
                wanted = None;
            }
            self.was_playing |= flow == Flow::Playing;
        }
        self.take_clip(wanted);
        let Some(player) = &mut self.player else { return false };
        let version = wanted.map(|wanted| wanted.version);
        match channels {
            [left, right, ..] => player.render(left, Some(right), version),
            [only] => player.render(only, None, version),
            [] => {}
        }
        let is_sounding = player.is_sounding();
        self.give_back();
        self.tell_sounding();
        is_sounding
    }

    /// Why an audition may not be.
    fn objection(&self, wanted: Wanted, flow: Flow) -> Option<End> {
        match flow {
            _ if self.is_offline => Some(End::Renders),
            _ if !self.switch.is_open() => Some(End::EditorClosed),
            Flow::Bypassed => Some(End::Bypassed),
            Flow::Playing if !wanted.over_song => Some(End::SongPlays),
            Flow::Paused | Flow::Stopped if self.was_playing => Some(End::SongStopped),
            Flow::Playing | Flow::Paused | Flow::Stopped => None,
        }
    }

    fn end(&mut self, ticket: u64, end: End) {
        if ticket <= self.ended {
            return;
        }
        self.ended = ticket;
        let index = End::ALL.iter().position(|one| *one == end).unwrap_or(0) as u64;
        self.switch.ended.store(ticket << 8 | index, Ordering::Release);
    }

    /// Takes the next clip, if the player has room. A clip of an audition that is over goes back.
    fn take_clip(&mut self, wanted: Option<Wanted>) {
        // Room for this clip, and for both that the player may hold.
        if self.back.vacant_len() < 3 {
            return;
        }
        let Some(player) = self.player.as_mut().filter(|player| player.has_room()) else { return };
        let Some(parcel) = self.clips.try_pop() else { return };
        let is_wanted = wanted.is_some_and(|wanted| wanted.ticket == parcel.ticket);
        let fits = is_wanted && parcel.clip.sample_rate_hz == self.rate_hz;
        let refused = if fits { player.offer(parcel.clip).err() } else { Some(parcel.clip) };
        if let Some(clip) = refused {
            // There is room, as checked above; a clip that found none would be freed here.
            let _ = self.back.try_push(clip);
        }
    }

    fn give_back(&mut self) {
        let Some(player) = &mut self.player else { return };
        while self.back.vacant_len() > 0
            && let Some(clip) = player.take_done()
        {
            let _ = self.back.try_push(clip);
        }
    }

    fn tell_sounding(&self) {
        let is_sounding = self.player.as_ref().is_some_and(Player::is_sounding);
        self.switch.is_sounding.store(is_sounding, Ordering::Release);
    }
}

/// The worker's side.
pub struct WorkerSide {
    switch: Arc<Switch>,
    clips: HeapProd<Parcel>,
    back: HeapCons<Box<Clip>>,
    /// The newest ticket.
    ticket: u64,
    is_active: bool,
}

impl WorkerSide {
    /// What the editor shares.
    pub fn switch(&self) -> &Arc<Switch> {
        &self.switch
    }

    /// Whether an audition has begun and not ended.
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// Begins an audition, or changes how the present one is played.
    pub fn want(&mut self, version: Version, over_song: bool) {
        if !self.is_active {
            self.ticket += 1;
            self.is_active = true;
        }
        let wanted = Wanted { ticket: self.ticket, version, over_song };
        self.switch.wanted.store(wanted.pack(), Ordering::Release);
    }

    /// Whether another clip can be sent.
    pub fn has_room(&self) -> bool {
        self.clips.vacant_len() > 0
    }

    /// Sends a clip of the present audition.
    pub fn send(&mut self, clip: Clip) {
        let _ = self.clips.try_push(Parcel { ticket: self.ticket, clip: Box::new(clip) });
    }

    /// Ends the audition with a fade.
    pub fn end(&mut self) {
        self.is_active = false;
        self.switch.wanted.store(0, Ordering::Release);
    }

    /// Frees the clips that came back; if the callback has ended the audition, tells why.
    pub fn poll(&mut self) -> Option<End> {
        while self.back.try_pop().is_some() {}
        let end = self.switch.end_of(self.ticket).filter(|_| self.is_active)?;
        self.end();
        Some(end)
    }
}

#[cfg(test)]
mod tests;
