//! A coarse picture of a window's sound, which tells whether two windows are the same take.
//!
//! When a fader moves by `g` dB, the power in each cell of time and frequency moves by something between nothing and `g`: much
//! where the stem is most of it, little elsewhere, always to the same side. Another take goes up here and down there.

use crate::features::BandPower;
use half::f16;

/// Frames of a cell: a quarter of a second at the model's rate, a note.
const CELL_FRAMES: usize = 12;
/// Bands of a cell: ten cells over the shipped model's 80 bands.
const CELL_BANDS: usize = 8;
/// Cells that are this far under the loudest are left out, in dB: little changes them much.
const FLOOR_DB: f32 = 40.0;
/// Fewest cells that are compared.
const FEWEST_CELLS: usize = 20;
/// Part of the cells beyond which the tails are read.
const TAIL: f32 = 0.05;

/// Power of a window in coarse cells of time and frequency, in dB: less than a kilobyte, and no sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Print {
    cells_db: Vec<f16>,
    bands: usize,
}

/// How the cells of two prints differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tails {
    /// How far the cells go up in dB: the 95th percentile, at least 0.
    pub up_db: f32,
    /// How far they go down in dB: the 5th percentile, as a positive number.
    pub down_db: f32,
}

impl Print {
    /// The print of a window.
    pub fn of(power: &BandPower) -> Self {
        let bands = power.bands.div_ceil(CELL_BANDS);
        let sum = |map: &[f32], cell: usize, band: usize| -> f32 {
            let rows = map.chunks(power.bands.max(1)).skip(cell * CELL_FRAMES).take(CELL_FRAMES);
            let range = band * CELL_BANDS..power.bands.min((band + 1) * CELL_BANDS);
            rows.filter_map(|row| row.get(range.clone())).flatten().sum()
        };
        let cells = 0..power.frames / CELL_FRAMES;
        let cells_db = cells.flat_map(|cell| {
            (0..bands).map(move |band| {
                let power = sum(&power.mid, cell, band) + sum(&power.side, cell, band);
                f16::from_f32(10.0 * power.max(1e-12).log10())
            })
        });
        Print { cells_db: cells_db.collect(), bands }
    }

    /// How the cells differ from those of a later pass. None where too little is loud enough in both.
    pub fn tails(&self, later: &Print) -> Option<Tails> {
        if self.bands != later.bands {
            return None;
        }
        let loudest =
            |print: &Print| print.cells_db.iter().map(|x| x.to_f32()).fold(f32::NEG_INFINITY, f32::max);
        let (floor, later_floor) = (loudest(self) - FLOOR_DB, loudest(later) - FLOOR_DB);
        let mut changes: Vec<f32> = self
            .cells_db
            .iter()
            .zip(&later.cells_db)
            .map(|(before, after)| (before.to_f32(), after.to_f32()))
            .filter(|(before, after)| *before > floor || *after > later_floor)
            .map(|(before, after)| after.max(later_floor - 10.0) - before.max(floor - 10.0))
            .collect();
        if changes.len() < FEWEST_CELLS {
            return None;
        }
        changes.sort_by(f32::total_cmp);
        let at = |part: f32| changes[(part * (changes.len() - 1) as f32).round() as usize];
        let (low, high) = (at(TAIL), at(1.0 - TAIL));
        // The same change everywhere is the level of the whole mix, which the readings do not have either.
        let (low, high) = if high - low < 0.5 { (0.0, 0.0) } else { (low, high) };
        Some(Tails { up_db: high.max(0.0), down_db: (-low).max(0.0) })
    }
}

impl Tails {
    /// The smaller of the two sides: 0 for a single fader.
    pub fn both_ways_db(self) -> f32 {
        self.up_db.min(self.down_db)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two stems in separate bands; `gain` is that of the upper one, `turn` moves its notes in time.
    fn power(gain: f32, turn: usize) -> BandPower {
        let (frames, bands) = (240, 16);
        let note = |frame: usize, band: usize| if (frame / 12 + band).is_multiple_of(3) { 1.0 } else { 0.03 };
        let mid = (0..frames * bands)
            .map(|at| {
                let (frame, band) = (at / bands, at % bands);
                if band < 8 { note(frame, band) } else { gain * note(frame + 12 * turn, band / 8) }
            })
            .collect();
        BandPower { frames, bands, mid, side: vec![0.0; frames * bands], shares: Vec::new() }
    }

    #[test]
    fn a_fader_goes_one_way_and_another_take_both() {
        let before = Print::of(&power(1.0, 0));
        assert_eq!(before.tails(&before), Some(Tails { up_db: 0.0, down_db: 0.0 }));
        let down = before.tails(&Print::of(&power(0.25, 0))).unwrap();
        assert!(down.up_db < 0.1 && (down.down_db - 6.0).abs() < 0.2, "{down:?}");
        let take = before.tails(&Print::of(&power(1.0, 1))).unwrap();
        assert!(take.both_ways_db() > 6.0, "{take:?}");
    }

    #[test]
    fn the_level_of_the_whole_mix_is_no_change() {
        let louder =
            |power: BandPower| BandPower { mid: power.mid.iter().map(|x| 4.0 * x).collect(), ..power };
        let tails = Print::of(&power(1.0, 0)).tails(&Print::of(&louder(power(1.0, 0)))).unwrap();
        assert_eq!(tails.both_ways_db(), 0.0);
        assert_eq!(tails.up_db, 0.0);
    }
}
