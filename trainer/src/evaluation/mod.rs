//! The benchmark: protocol, scoring, controls and report, independent of the model that is tested.
//!
//! | file | what it does |
//! | --- | --- |
//! | `drive` | [`evaluate`]: song by song, each kept when it is done; `asking` asks the advisor every question |
//! | `advisor` | [`Advisor`]: what a model under test must answer; `engine` is the model that ships |
//! | `records` | what was measured and answered; `figures` makes the report of it; `kept` what of it lies on disk |
//! | `extras` | what an evaluation may have besides songs and an advisor |
//! | `judges` | the oracle's bound, and the same rule behind the model's own meter |
//! | `baselines`, `separating` | what a user might pick instead of the model; `onnx` any separator as an ONNX file |
//! | `score` | exact scores of structured answers; `confusion` which outcome was taken for which |
//! | `meter` | how well stem levels are measured |
//! | `conventions` | whether the advice moves mixes towards what engineers do |
//! | `audition` | how near auditions come to true remixes |
//! | `bootstrap` | 95 % intervals over songs |
//! | [`sizes`] | two language models behind the same ears |
//! | `compare` | two reports on the same samples |
//! | [`judge`] | an LLM as judge of the advice; `agreement` between raters |
//! | [`study`] | a study with human raters |
//! | [`words`] | scores of the advice's words |
//! | `report` | JSON, `rows` each sample in it; `table` the terminal's version, `plot` a picture, [`page`] all of it as one HTML page |

mod advisor;
mod agreement;
mod asking;
mod audition;
mod baselines;
mod bootstrap;
mod compare;
mod confusion;
mod conventions;
mod drive;
pub mod engine;
mod extras;
mod figures;
pub mod judge;
mod judges;
mod kept;
mod meter;
#[cfg(feature = "onnx")]
mod onnx;
pub mod page;
pub mod plot;
mod records;
mod report;
mod rows;
mod score;
mod separating;
pub mod sizes;
pub mod study;
mod table;
pub mod words;

pub use advisor::{Advisor, Answered, Progress, Question, Settings, VocalConvention};
pub use agreement::krippendorff_alpha;
pub use audition::{AuditionReport, AuditionRow, AuditionSettings, measure_auditions};
pub use bootstrap::{FEWEST_SONGS, Figure, Interval, SongResamples};
pub use compare::{Comparison, Difference, ReadReport, compare};
pub use confusion::{Confusion, OUTCOMES, outcome_names};
pub use conventions::{Conventions, Moves, VOCALS_DB, usual_distance_db, vocal_distance_db};
pub use drive::{Evaluation, SongSource, evaluate, records_of};
pub use extras::Extras;
pub use judges::{NormsSource, REFERENCE_BOUND_SD_DB};
pub use kept::{KeptAnalyses, KeptRecords};
pub use meter::{MeterError, MeterFigures, median, median_absolute, meter_figures};
#[cfg(feature = "onnx")]
pub use onnx::OnnxSeparator;
pub use records::{Answers, SongRecord, WindowRecord};
pub use report::{AnsweredWindow, LeftOut, REPORT_VERSION, Report};
pub use score::{
    CalibrationBin, CoveragePoint, Figures, Judged, calibration_bins, coverage_curve, is_well_formed, score,
};
pub use separating::{SeparatedLevels, SeparatorMeter, VocalSeparator};
