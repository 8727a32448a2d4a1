//! What to mix: which stems, at which levels, with which equalisers.
//!
//! Chances and ranges that a run's configuration does not set are constants here. Except where a reason is given, they
//! were chosen when the mixer was written, and never tuned. The order of the draws is part of what a seed means: do
//! not change it.

use super::example::{MixPlan, StemTreatment};
use super::pools::{Mixer, draw};
use crate::mixing::augment::{StemShape, eq_curve};
use crate::mixing::shares::ErrorSource;
use mixing_buddy_core::norms::levels_from_rest_levels;
use mixing_buddy_core::{GainStep, PerStem, Stem};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, Normal};
use std::ops::{Range, RangeInclusive};

/// Where a window's own voice is taken out: chance that another song's takes its place. The other mixes have no voice.
const VOICE_REPLACED: f64 = 0.9;
/// Fewest stems of a mix; a stem alone has no balance.
const FEWEST_STEMS: usize = 2;
/// Further voices in a choir.
const CHOIR_VOICES: RangeInclusive<i32> = 1..=3;
/// Share of the mixes from one window that keep the recording's own cross terms, which a changed shape would not have.
const KEPT_PLAIN: f64 = 0.5;
/// Level of a layer against the stem that it is laid over, in dB: at most as loud.
const LAYER_DB: Range<f32> = -12.0..0.0;
/// By how much a stem is turned far down, in dB.
const FAR_DOWN_DB: Range<f32> = 6.0..18.0;
/// Spread in dB that is added to the norms' balances, so that unusual songs are learnt from as well.
const NORMS_EXTRA_SD_DB: f64 = 2.0;
/// Chance that a stem gets an equaliser curve.
const STEM_EQ: f64 = 0.7;
/// Chance that a stem's stereo width is changed.
const WIDTH_CHANGED: f64 = 0.5;
/// Of those, the share that becomes mono.
const WIDTH_MONO: f64 = 0.15;
/// Factor of the side channel of the others.
const WIDTH: Range<f32> = 0.3..1.7;
/// Chance of an equaliser curve on the bus.
const BUS_EQ: f64 = 0.6;
/// Chance that the whole mix is mono, or was made so by a codec.
const BUS_MONO: f64 = 0.08;
/// Chance of a compressor on the bus.
const BUS_COMPRESSED: f64 = 0.4;
/// Its ratio.
const BUS_RATIO: Range<f32> = 1.2..4.0;
/// Power under which a stem's gain would be without bounds.
const LEAST_POWER: f32 = 1e-9;
/// Draws before the search for a full window is given up: in a cache with such windows, one is found long before.
const FULL_WINDOW_TRIES: usize = 10_000;

impl Mixer<'_> {
    /// Draws what to mix.
    pub fn plan(&self, rng: &mut SmallRng) -> MixPlan {
        let mut plan = MixPlan::default();
        if rng.random_bool(self.settings.coherent) {
            self.add_window(&mut plan, rng);
        } else {
            for stem in Stem::ALL {
                if !rng.random_bool(self.settings.absent) && self.has_windows_of(stem) {
                    plan.stems.push(self.drawn(stem, rng));
                    if rng.random_bool(self.settings.augment.layered) {
                        plan.stems.push(self.layer(stem, rng));
                    }
                }
            }
        }
        if plan.stems.iter().all(|t| t.stem == plan.stems[0].stem) {
            return self.plan(rng);
        }
        let sings = plan.stems.iter().any(|treatment| treatment.stem == Stem::Vocals);
        if sings && rng.random_bool(self.settings.augment.choir) {
            for _ in 0..rng.random_range(CHOIR_VOICES) {
                plan.stems.push(self.layer(Stem::Vocals, rng));
            }
        }
        let plain = plan.stems.iter().all(|t| t.roll == 0) && rng.random_bool(KEPT_PLAIN);
        if !plain {
            for treatment in &mut plan.stems {
                let (augment, stem) = (&self.settings.augment, treatment.stem);
                treatment.shape = StemShape::draw(augment, stem, self.frames, self.seconds_per_frame, rng);
            }
        }
        self.set_levels(&mut plan, rng);
        self.colour(&mut plan, rng);
        self.draw_share_errors(&mut plan, rng);
        plan
    }

    /// Chooses whose separator errors the mix gets: those of the stem's own window; of another one where it has none, or
    /// where the mix has no such stem. Draws nothing without a separator.
    fn draw_share_errors(&self, plan: &mut MixPlan, rng: &mut SmallRng) {
        plan.share_errors = Vec::with_capacity(self.separated.len());
        for (index, stem) in self.separated.iter().enumerate() {
            let has_errors = |t: &&StemTreatment| self.cache.songs[t.song].header.has_share_errors;
            let own = plan.stems.iter().find(|t| t.stem == *stem);
            let window = own.or_else(|| plan.stems.first()).filter(has_errors).map(|t| ErrorSource {
                song: t.song,
                window: t.window,
                roll: t.roll,
            });
            let is_active = |source: &ErrorSource| {
                let header = &self.cache.songs[source.song].header;
                header.position(*stem).is_some_and(|at| header.windows[source.window].active[at])
            };
            let is_misread = |source: &ErrorSource| self.is_misread(source.song, source.window, index);
            let window = window.filter(|source| is_active(source) == own.is_some() && !is_misread(source));
            plan.share_errors.push(window.or_else(|| self.errors[*stem].draw(own.is_some(), rng)));
        }
    }

    /// Whether the separator misread its `index`-th stem in a window by more than the settings allow.
    fn is_misread(&self, song: usize, window: usize, index: usize) -> bool {
        let window = &self.cache.songs[song].header.windows[window];
        window.is_misread(index, self.settings.largest_separator_error_db)
    }

    /// Adds the stems of one window of one song; its voice may be another song's.
    fn add_window(&self, plan: &mut MixPlan, rng: &mut SmallRng) {
        let (song, window) = self.coherent_window(rng);
        let header = &self.cache.songs[song].header;
        for (position, &stem) in header.stems.iter().enumerate() {
            if header.windows[window].active[position] {
                plan.stems.push(self.treatment(song, window, stem, 0));
            }
        }
        let without_voice = !plan.stems.iter().any(|t| t.stem == Stem::Vocals);
        if self.has_windows_of(Stem::Vocals)
            && (without_voice || rng.random_bool(self.settings.foreign_voice))
        {
            plan.stems.retain(|t| t.stem != Stem::Vocals);
            if rng.random_bool(VOICE_REPLACED) {
                plan.stems.push(self.drawn(Stem::Vocals, rng));
            }
        }
        if plan.stems.len() > FEWEST_STEMS && rng.random_bool(self.settings.left_out) {
            let out = rng.random_range(0..plan.stems.len());
            plan.stems.remove(out);
        }
    }

    fn has_windows_of(&self, stem: Stem) -> bool {
        !self.pools[stem].0.is_empty()
    }

    fn coherent_window(&self, rng: &mut SmallRng) -> (usize, usize) {
        loop {
            let stem = Stem::ALL[rng.random_range(0..Stem::COUNT)];
            if let Some((song, window)) = draw(&self.pools[stem], rng)
                && self.cache.songs[song].header.windows[window].active.iter().filter(|a| **a).count()
                    >= FEWEST_STEMS
            {
                return (song, window);
            }
        }
    }

    /// A window in which all four stems play, of a song that has others: song, window, and up to `most` of the others.
    pub fn full_window(&self, most: usize, rng: &mut SmallRng) -> Option<(usize, usize, Vec<usize>)> {
        for _ in 0..FULL_WINDOW_TRIES {
            let (song, window) = draw(&self.pools[Stem::Vocals], rng)?;
            let full = self.full_windows_of(song);
            if full.len() > 1 && full.contains(&window) {
                let mut others: Vec<usize> = full.into_iter().filter(|w| *w != window).collect();
                others.shuffle(rng);
                others.truncate(most);
                return Some((song, window, others));
            }
        }
        None
    }

    /// The windows of a song in which all four stems play, and the separator reads its own as well as the settings want.
    pub fn full_windows_of(&self, song: usize) -> Vec<usize> {
        let windows = &self.cache.songs[song].header.windows;
        let is_full =
            |w: &usize| windows[*w].active.len() == Stem::COUNT && windows[*w].active.iter().all(|a| *a);
        let is_read = |w: &usize| (0..self.separated.len()).all(|index| !self.is_misread(song, *w, index));
        (0..windows.len()).filter(is_full).filter(is_read).collect()
    }

    /// A window without other changes, its stems at these levels (relative, dB).
    pub fn levelled(&self, song: usize, window: usize, levels_db: &PerStem<f64>) -> MixPlan {
        let header = &self.cache.songs[song].header;
        let stems = header.stems.iter().map(|stem| {
            let mut treatment = self.treatment(song, window, *stem, 0);
            let gain = (10f32.powf(levels_db[*stem] as f32 / 10.0) / self.power(&treatment)).sqrt();
            treatment.amplitude.fill(gain);
            treatment
        });
        let source = header.has_share_errors.then_some(ErrorSource { song, window, roll: 0 });
        MixPlan {
            stems: stems.collect(),
            bus_eq: vec![1.0; self.bands],
            bus_ratio: 1.0,
            share_errors: vec![source; self.separated.len()],
        }
    }

    fn drawn(&self, stem: Stem, rng: &mut SmallRng) -> StemTreatment {
        let (song, window) =
            draw(&self.pools[stem], rng).expect("the caller checked that the pool is not empty");
        self.treatment(song, window, stem, rng.random_range(0..self.frames))
    }

    /// Another recording of a stem, at most as loud, to be laid over it.
    fn layer(&self, stem: Stem, rng: &mut SmallRng) -> StemTreatment {
        let mut layer = self.drawn(stem, rng);
        layer.amplitude.fill(10f32.powf(rng.random_range(LAYER_DB) / 20.0));
        layer
    }

    /// A stem without changes.
    pub fn treatment(&self, song: usize, window: usize, stem: Stem, roll: usize) -> StemTreatment {
        let shape = StemShape::default();
        StemTreatment { song, window, stem, amplitude: vec![1.0; 2 * self.bands], roll, shape }
    }

    /// Power of a plan's stem before treatment.
    fn power(&self, treatment: &StemTreatment) -> f32 {
        let header = &self.cache.songs[treatment.song].header;
        let position = header.position(treatment.stem).unwrap_or(0);
        header.windows[treatment.window].power[position].max(LEAST_POWER)
    }

    /// Sets each stem's level: after the norms with a flaw, or spread widely.
    fn set_levels(&self, plan: &mut MixPlan, rng: &mut SmallRng) {
        let wide = Normal::new(0.0, self.settings.wide_sd_db).expect("the configuration has a finite spread");
        let mut levels_db: [f32; Stem::COUNT] = std::array::from_fn(|_| wide.sample(rng));
        if rng.random_bool(self.settings.after_norms) {
            let balance = self.norms.sample_window(NORMS_EXTRA_SD_DB, &mut || rng.random());
            if let Some(levels) = levels_from_rest_levels(balance) {
                levels_db = levels.map(|level| *level as f32).to_array();
                let flawed = rng.random_range(0..Stem::COUNT);
                levels_db[flawed] += rng.random_range(-GainStep::MAX_DB..GainStep::MAX_DB);
            }
        }
        if self.settings.far_down > 0.0 && rng.random_bool(self.settings.far_down) {
            let stem = plan.stems[rng.random_range(0..plan.stems.len())].stem;
            levels_db[stem.index()] -= rng.random_range(FAR_DOWN_DB);
        }
        for treatment in &mut plan.stems {
            let gain = (10f32.powf(levels_db[treatment.stem.index()] / 10.0) / self.power(treatment)).sqrt();
            treatment.amplitude.iter_mut().for_each(|a| *a *= gain);
        }
    }

    /// Changes the sound of a plan: equalisers, stereo width, bus processing.
    pub fn colour(&self, plan: &mut MixPlan, rng: &mut SmallRng) {
        for treatment in &mut plan.stems {
            if self.settings.stem_eq_sd_db > 0.0 && rng.random_bool(STEM_EQ) {
                let curve = eq_curve(self.bands, self.settings.stem_eq_sd_db, rng);
                for (amplitude, eq) in treatment.amplitude.iter_mut().zip(curve.iter().chain(&curve)) {
                    *amplitude *= eq;
                }
            }
            if rng.random_bool(WIDTH_CHANGED) {
                let width = if rng.random_bool(WIDTH_MONO) { 0.0 } else { rng.random_range(WIDTH) };
                treatment.amplitude[self.bands..].iter_mut().for_each(|a| *a *= width);
            }
        }
        plan.bus_eq = if self.settings.bus_eq_sd_db > 0.0 && rng.random_bool(BUS_EQ) {
            eq_curve(self.bands, self.settings.bus_eq_sd_db, rng)
        } else {
            vec![1.0; self.bands]
        };
        if rng.random_bool(BUS_MONO) {
            plan.stems.iter_mut().for_each(|t| t.amplitude[self.bands..].fill(0.0));
        }
        plan.bus_ratio = if rng.random_bool(BUS_COMPRESSED) { rng.random_range(BUS_RATIO) } else { 1.0 };
    }
}
