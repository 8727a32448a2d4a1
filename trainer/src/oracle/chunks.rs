//! The exact table of stem levels: read by those who have it, never shipped.

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
    /// Which part of the collection: train or test.
    pub split: Split,
    /// The song, a number in the published table.
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
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Format`], with the line, when a column or a field is
    /// missing, a level is not a number, or a split is neither `train` nor `test`.
    pub fn read_csv(path: &Path) -> Result<Vec<LevelRow>> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let fault =
            |line: usize, what: &str| Error::Format(format!("{}: line {line}: {what}", path.display()));
        let broken = |cause: csv::Error| Error::Format(format!("{}: {cause}", path.display()));
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
        let header = reader.headers().map_err(broken)?.clone();
        if header.is_empty() {
            return Err(fault(1, "the table is empty"));
        }
        let column = |name: &str| {
            let position = header.iter().position(|column| column == name);
            position.ok_or_else(|| fault(1, &format!("there is no column '{name}'")))
        };
        let (split, song) = (column("split")?, column("song")?);
        let (start, mixture) = (column("start_s")?, column("mixture_rms_dbfs")?);
        let mut stems = PerStem::<usize>::default();
        for stem in Stem::ALL {
            stems[stem] = column(&format!("{stem}_rms_dbfs"))?;
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(broken)?;
            if record.iter().all(str::is_empty) {
                continue;
            }
            let line = line_of_record(&text, record.position().map_or(0, csv::Position::byte));
            let field = |column: usize| record.get(column).ok_or_else(|| fault(line, "a field is missing"));
            let number = |column: usize| {
                field(column)?.parse::<f64>().map_err(|_| fault(line, "a level is not a number"))
            };
            let mut stems_dbfs = PerStem::<f64>::default();
            for (stem, column) in stems.iter() {
                stems_dbfs[stem] = number(*column)?;
            }
            let split = Split::from(field(split)?.to_string());
            if !matches!(split, Split::Train | Split::Test) {
                return Err(fault(line, "the split is neither train nor test"));
            }
            rows.push(LevelRow {
                split,
                song: field(song)?.to_string(),
                start_s: number(start)?,
                mixture_dbfs: number(mixture)?,
                stems_dbfs,
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

/// Line of the record that begins at a byte of the text, counted from 1. The reader's own position is that of the
/// empty lines before the record.
fn line_of_record(text: &str, byte: u64) -> usize {
    let at = usize::try_from(byte).unwrap_or(usize::MAX).min(text.len());
    let (before, after) = text.as_bytes().split_at(at);
    let empty = after.iter().take_while(|byte| byte.is_ascii_whitespace());
    1 + before.iter().chain(empty).filter(|byte| **byte == b'\n').count()
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

    /// Weight of each chunk. All sum to 1; those of one song sum to 1 over the number of songs.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Number of songs.
    pub fn songs(&self) -> usize {
        self.songs
    }

    /// The kernel density of these chunks through a meter with an error of `extra_sd_db` per stem.
    pub fn density(&self, extra_sd_db: Balance) -> BalanceDensity {
        let sd_db = extra_sd_db.map(|sd| (KERNEL_BANDWIDTH_DB * KERNEL_BANDWIDTH_DB + sd * sd).sqrt());
        BalanceDensity::Chunks(PreparedKernels::new(&self.balances_db, &self.weights, sd_db))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "song,split,start_s,mixture_rms_dbfs,vocals_rms_dbfs,drums_rms_dbfs,bass_rms_dbfs,other_rms_dbfs";

    fn read(text: &str) -> Result<Vec<LevelRow>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("levels.csv");
        std::fs::write(&path, text).unwrap();
        LevelRow::read_csv(&path)
    }

    #[test]
    fn rows_are_read_by_the_names_of_their_columns() {
        let rows =
            read(&format!("{HEADER}\n7, test ,10.0,-15,-20,-21,-22,-23\n\n8,train,0,-1,-2,-3,-4,-5\n"))
                .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].song.as_str(), &rows[0].split, rows[0].start_s), ("7", &Split::Test, 10.0));
        assert_eq!(rows[0].stems_dbfs.to_array(), [-20.0, -21.0, -22.0, -23.0]);
    }

    #[test]
    fn faults_are_named_with_their_line() {
        for (text, words) in [
            (String::new(), "line 1: the table is empty"),
            (HEADER.replace("bass_rms_dbfs", "bass"), "line 1: there is no column 'bass_rms_dbfs'"),
            (format!("{HEADER}\n7,train,0,-1"), "line 2: a field is missing"),
            (format!("{HEADER}\n\n7,train,0,-1,-2,-3,loud,-5"), "line 3: a level is not a number"),
            (format!("{HEADER}\n7,valid,0,-1,-2,-3,-4,-5"), "line 2: the split is neither train nor test"),
        ] {
            let sentence = read(&text).unwrap_err().to_string();
            assert!(sentence.contains("levels.csv") && sentence.contains(words), "{sentence}");
        }
    }
}
