//! The exact table of stem levels, for those who have it: read by the trainer, never shipped.

use super::density::{BalanceDensity, PreparedKernels};
use crate::protocol::{MIXTURE_GATE_DBFS, STEM_GATE_DBFS, Split};
use mixing_buddy_core::error::{Error, Result};
use mixing_buddy_core::norms::summary::KERNEL_BANDWIDTH_DB;
use mixing_buddy_core::norms::{Balance, rest_levels_from_levels};
use mixing_buddy_core::{PerStem, Stem};
use std::collections::BTreeMap;
use std::path::Path;

/// One 10 s chunk of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelRow {
    /// Which part of the collection.
    pub split: Split,
    /// Number of the song, as text.
    pub song: String,
    /// Where the chunk begins in its song.
    pub start_s: f64,
    /// RMS level of the mixture.
    pub mixture_dbfs: f64,
    /// RMS level of each stem.
    pub stems_dbfs: PerStem<f64>,
}

impl LevelRow {
    /// Reads a table with the columns `split`, `song`, `start_s`, `mixture_rms_dbfs`, `vocals_rms_dbfs`, ….
    pub fn read_csv(path: &Path) -> Result<Vec<LevelRow>> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let fault =
            |line: usize, what: &str| Error::Format(format!("{}: line {line}: {what}", path.display()));
        let mut lines = text.lines().enumerate();
        let (_, header) = lines.next().ok_or_else(|| fault(1, "the table is empty"))?;
        let columns: Vec<&str> = header.split(',').map(str::trim).collect();
        let column = |name: &str| {
            columns
                .iter()
                .position(|column| *column == name)
                .ok_or_else(|| fault(1, &format!("there is no column '{name}'")))
        };
        let (split, song) = (column("split")?, column("song")?);
        let (start, mixture) = (column("start_s")?, column("mixture_rms_dbfs")?);
        let mut stems = [0; 4];
        for stem in Stem::ALL {
            stems[stem.index()] = column(&format!("{stem}_rms_dbfs"))?;
        }
        let mut rows = Vec::new();
        for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let field = |column: usize| {
                fields.get(column).copied().ok_or_else(|| fault(index + 1, "a field is missing"))
            };
            let number = |column: usize| {
                field(column)?.parse::<f64>().map_err(|_| fault(index + 1, "a level is no number"))
            };
            let mut levels = [0.0; 4];
            for (level, column) in levels.iter_mut().zip(stems) {
                *level = number(column)?;
            }
            rows.push(LevelRow {
                split: match field(split)? {
                    "train" => Split::Train,
                    "test" => Split::Test,
                    _ => return Err(fault(index + 1, "the split is neither train nor test")),
                },
                song: field(song)?.to_string(),
                start_s: number(start)?,
                mixture_dbfs: number(mixture)?,
                stems_dbfs: PerStem::from_array(levels),
            });
        }
        Ok(rows)
    }

    /// Whether every stem and the mixture are loud enough to be judged.
    pub fn passes_gate(&self) -> bool {
        self.mixture_dbfs > MIXTURE_GATE_DBFS
            && self.stems_dbfs.to_array().into_iter().all(|level| level > STEM_GATE_DBFS)
    }
}

/// Stem-minus-rest levels of many chunks, each song weighing the same.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkNorms {
    balances_db: Vec<Balance>,
    weights: Vec<f64>,
    songs: usize,
}

impl ChunkNorms {
    /// From the `train` chunks that pass the gate.
    pub fn from_rows(rows: &[LevelRow]) -> Result<ChunkNorms> {
        let chosen: Vec<&LevelRow> =
            rows.iter().filter(|row| row.split == Split::Train && row.passes_gate()).collect();
        let mut chunks_of_song = BTreeMap::<&str, usize>::new();
        for row in &chosen {
            *chunks_of_song.entry(&row.song).or_default() += 1;
        }
        let songs = chunks_of_song.len();
        if songs < 2 {
            return Err(Error::Format("norms need chunks of at least two training songs".into()));
        }
        Ok(ChunkNorms {
            balances_db: chosen.iter().map(|row| rest_levels_from_levels(&row.stems_dbfs)).collect(),
            weights: chosen
                .iter()
                .map(|row| 1.0 / (songs * chunks_of_song[row.song.as_str()]) as f64)
                .collect(),
            songs,
        })
    }

    /// Reads the table and keeps the `train` chunks that pass the gate.
    pub fn load_csv(path: &Path) -> Result<ChunkNorms> {
        ChunkNorms::from_rows(&LevelRow::read_csv(path)?)
    }

    /// Balance of each chunk in dB.
    pub fn balances_db(&self) -> &[Balance] {
        &self.balances_db
    }

    /// Weight of each chunk: they sum to 1, and so does each song's part of it times the number of songs.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Number of songs.
    pub fn songs(&self) -> usize {
        self.songs
    }

    /// The kernel density of these chunks through a meter with an error of `extra_sd_db` a stem.
    pub fn density(&self, extra_sd_db: Balance) -> BalanceDensity {
        let sd_db = extra_sd_db.map(|sd| (KERNEL_BANDWIDTH_DB * KERNEL_BANDWIDTH_DB + sd * sd).sqrt());
        BalanceDensity::Chunks(PreparedKernels::new(&self.balances_db, &self.weights, sd_db))
    }
}
