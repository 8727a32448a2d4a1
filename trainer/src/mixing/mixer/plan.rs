//! What to mix: which stems, at which levels, in which colours.

use super::{MixPlan, Mixer, StemTreatment, draw};
use crate::mixing::augment::{StemShape, eq_curve};
use mixing_buddy_core::Stem;
use mixing_buddy_core::norms::levels_from_rest_levels;
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, Normal};

impl Mixer<'_> {
    /// Draws what to mix.
    pub fn plan(&self, rng: &mut SmallRng) -> MixPlan {
        let mut plan = MixPlan::default();
        if rng.random_bool(self.settings.coherent) {
            let (song, window) = self.coherent_window(rng);
            let header = &self.cache.songs[song].header;
            for (position, &stem) in header.stems.iter().enumerate() {
                if header.windows[window].active[position] {
                    plan.stems.push(self.treatment(song, window, stem, 0));
                }
            }
            let without_voice = !plan.stems.iter().any(|t| t.stem == Stem::Vocals);
            if !self.pools[0].0.is_empty() && (without_voice || rng.random_bool(self.settings.foreign_voice))
            {
                plan.stems.retain(|t| t.stem != Stem::Vocals);
                if rng.random_bool(0.9) {
                    plan.stems.push(self.drawn(Stem::Vocals, rng));
                }
            }
            if plan.stems.len() > 2 && rng.random_bool(0.1) {
                let out = rng.random_range(0..plan.stems.len());
                plan.stems.remove(out);
            }
        } else {
            for stem in Stem::ALL {
                if !rng.random_bool(self.settings.absent) && !self.pools[stem.index()].0.is_empty() {
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
            for _ in 0..rng.random_range(1..=3) {
                plan.stems.push(self.layer(Stem::Vocals, rng));
            }
        }
        // Half of the examples from one window keep the recording's own cross terms.
        let plain = plan.stems.iter().all(|t| t.roll == 0) && rng.random_bool(0.5);
        if !plain {
            for treatment in &mut plan.stems {
                let (augment, stem) = (&self.settings.augment, treatment.stem);
                treatment.shape = StemShape::draw(augment, stem, self.frames, self.seconds_per_frame, rng);
            }
        }
        self.set_levels(&mut plan, rng);
        self.colour(&mut plan, rng);
        plan
    }

    fn coherent_window(&self, rng: &mut SmallRng) -> (usize, usize) {
        loop {
            let class = rng.random_range(0..Stem::COUNT);
            if let Some((song, window)) = draw(&self.pools[class], rng)
                && self.cache.songs[song].header.windows[window].active.iter().filter(|a| **a).count() >= 2
            {
                return (song, window);
            }
        }
    }

    /// A window in which all four stems play, of a song that has others: song, window, and up to `most` of the others.
    pub fn full_window(&self, most: usize, rng: &mut SmallRng) -> Option<(usize, usize, Vec<usize>)> {
        for _ in 0..10_000 {
            let (song, window) = draw(&self.pools[0], rng)?;
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

    /// The windows of a song in which all four stems play.
    pub fn full_windows_of(&self, song: usize) -> Vec<usize> {
        let windows = &self.cache.songs[song].header.windows;
        let is_full =
            |w: &usize| windows[*w].active.len() == Stem::COUNT && windows[*w].active.iter().all(|a| *a);
        (0..windows.len()).filter(is_full).collect()
    }

    /// A window as it is, its stems at these levels (relative, dB).
    pub fn levelled(
        &self,
        song: usize,
        window: usize,
        levels_db: &mixing_buddy_core::PerStem<f64>,
    ) -> MixPlan {
        let header = &self.cache.songs[song].header;
        let stems = header.stems.iter().map(|stem| {
            let mut treatment = self.treatment(song, window, *stem, 0);
            let gain = (10f32.powf(levels_db[*stem] as f32 / 10.0) / self.power(&treatment)).sqrt();
            treatment.amplitude.fill(gain);
            treatment
        });
        MixPlan { stems: stems.collect(), bus_eq: vec![1.0; self.bands], bus_ratio: 1.0 }
    }

    fn drawn(&self, stem: Stem, rng: &mut SmallRng) -> StemTreatment {
        let (song, window) = draw(&self.pools[stem.index()], rng).expect("the pool is not empty");
        self.treatment(song, window, stem, rng.random_range(0..self.frames))
    }

    /// Another source of a stem, somewhat softer, to be laid over it.
    fn layer(&self, stem: Stem, rng: &mut SmallRng) -> StemTreatment {
        let mut layer = self.drawn(stem, rng);
        layer.amplitude.fill(10f32.powf(rng.random_range(-12.0..0.0) / 20.0));
        layer
    }

    /// A stem as it is.
    pub fn treatment(&self, song: usize, window: usize, stem: Stem, roll: usize) -> StemTreatment {
        let shape = StemShape::default();
        StemTreatment { song, window, stem, amplitude: vec![1.0; 2 * self.bands], roll, shape }
    }

    /// Power of a plan's stem before treatment.
    fn power(&self, treatment: &StemTreatment) -> f32 {
        let header = &self.cache.songs[treatment.song].header;
        let position = header.position(treatment.stem).unwrap_or(0);
        header.windows[treatment.window].power[position].max(1e-9)
    }

    /// Sets each stem's level: after the norms with a flaw, or spread widely.
    fn set_levels(&self, plan: &mut MixPlan, rng: &mut SmallRng) {
        let wide = Normal::new(0.0, self.settings.wide_sd_db).expect("a finite spread");
        let mut levels_db: [f32; Stem::COUNT] = std::array::from_fn(|_| wide.sample(rng));
        if rng.random_bool(self.settings.after_norms) {
            let balance = self.norms.sample_window(2.0, &mut || rng.random());
            if let Some(levels) = levels_from_rest_levels(balance) {
                levels_db = levels.map(|level| *level as f32).to_array();
                let flawed = rng.random_range(0..Stem::COUNT);
                levels_db[flawed] += rng.random_range(-12.0..12.0);
            }
        }
        for treatment in &mut plan.stems {
            let gain = (10f32.powf(levels_db[treatment.stem.index()] / 10.0) / self.power(treatment)).sqrt();
            treatment.amplitude.iter_mut().for_each(|a| *a *= gain);
        }
    }

    /// Equalisers, stereo width, bus processing.
    pub fn colour(&self, plan: &mut MixPlan, rng: &mut SmallRng) {
        for treatment in &mut plan.stems {
            if self.settings.stem_eq_sd_db > 0.0 && rng.random_bool(0.7) {
                let curve = eq_curve(self.bands, self.settings.stem_eq_sd_db, rng);
                for (amplitude, eq) in treatment.amplitude.iter_mut().zip(curve.iter().chain(&curve)) {
                    *amplitude *= eq;
                }
            }
            if rng.random_bool(0.5) {
                let width = if rng.random_bool(0.15) { 0.0 } else { rng.random_range(0.3..1.7) };
                treatment.amplitude[self.bands..].iter_mut().for_each(|a| *a *= width);
            }
        }
        plan.bus_eq = if self.settings.bus_eq_sd_db > 0.0 && rng.random_bool(0.6) {
            eq_curve(self.bands, self.settings.bus_eq_sd_db, rng)
        } else {
            vec![1.0; self.bands]
        };
        if rng.random_bool(0.08) {
            // A mono bus, or one that a codec narrowed.
            plan.stems.iter_mut().for_each(|t| t.amplitude[self.bands..].fill(0.0));
        }
        plan.bus_ratio = if rng.random_bool(0.4) { rng.random_range(1.2..4.0) } else { 1.0 };
    }
}
