//! The benchmark: protocol, scoring, controls and report, independent of the model that is tested.
//!
//! | file | what it does |
//! | --- | --- |
//! | `drive` | [`evaluate`]: asks the advisor and the controls every question |
//! | `advisor` | [`Advisor`]: what a model under test must answer |
//! | `judges` | the oracle's bound, and the same rule behind the model's own meter |
//! | `score` | exact scores of structured answers |
//! | `meter` | how well stem levels are measured |
//! | `audition` | how near auditions come to true remixes |
//! | `bootstrap` | 95 % intervals over songs |
//! | `report` | JSON, `table` the terminal's version, `plot` a picture |

mod advisor;
mod audition;
mod bootstrap;
mod drive;
mod judges;
mod meter;
pub mod plot;
mod report;
mod score;
mod table;

pub use advisor::{Advisor, Answered, Progress, Question, Settings};
pub use audition::{AuditionReport, AuditionRow, AuditionSettings, measure_auditions};
pub use bootstrap::{Interval, SongResamples};
pub use drive::evaluate;
pub use judges::{NormsSource, REFERENCE_BOUND_SD_DB};
pub use meter::{MeterError, MeterFigures, median_absolute, meter_figures};
pub use report::{LeftOut, REPORT_VERSION, Report};
pub use score::{
    CalibrationBin, CoveragePoint, Figure, Figures, Judged, calibration_bins, coverage_curve, is_well_formed,
    score,
};
