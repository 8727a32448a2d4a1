//! The report as a table for the terminal.

use super::bootstrap::Figure;
use super::conventions::Moves;
use super::meter::MeterFigures;
use super::report::Report;
use super::score::Figures;
use crate::protocol::Category;
use mixing_buddy_core::stem::{PerStem, Stem};
use std::fmt;

/// The unit in which a figure is written.
#[derive(Clone, Copy)]
enum Unit {
    Percent,
    Decibels,
    Ratio,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Protocol '{}', seed {}, norms: {}\n{} of {} songs, {} windows, {} samples; [95 % interval over songs]",
            self.protocol,
            self.seed,
            self.norms,
            self.eligible_songs,
            self.songs,
            self.windows,
            self.model.samples
        )?;
        match self.why_no_intervals() {
            Some(reason) => writeln!(f, "Intervals {reason}.\n")?,
            None => writeln!(f)?,
        }
        for (label, figure, unit) in [
            ("joint (stem and direction right)", self.model.joint, Unit::Percent),
            ("  bound: exact levels, same windows", self.controls.bound.joint, Unit::Percent),
            ("  part of the bound reached", self.joint_over_bound, Unit::Ratio),
            ("  of flawed mixes alone", self.model.joint_of_flawed, Unit::Percent),
            ("balanced mixes left alone", self.model.balanced_left_alone, Unit::Percent),
            ("wrong direction", self.model.wrong_direction, Unit::Percent),
            ("gain error, mean", self.model.gain_mae_db, Unit::Decibels),
            ("magnitude band right", self.model.magnitude_band_right, Unit::Percent),
            ("coverage at 90 % accuracy", self.model.coverage_at_90, Unit::Percent),
            ("samples spoken on", self.model.spoken_on, Unit::Percent),
            ("  of these right", self.model.joint_of_spoken, Unit::Percent),
            ("calibration error (ECE)", self.model.ece, Unit::Percent),
            ("error detection: precision", self.model.error_precision, Unit::Percent),
            ("error detection: recall", self.model.error_recall, Unit::Percent),
            ("answers that parse", self.model.parse_rate, Unit::Percent),
        ] {
            writeln!(f, "{label:<38}{}", written(figure, unit))?;
        }
        writeln!(f, "\nJoint by category and stem")?;
        for (category, figure) in Category::ALL.into_iter().zip(self.model.joint_by_category) {
            writeln!(f, "  {:<36}{}", category.name().replace('_', " "), written(figure, Unit::Percent))?;
        }
        for (stem, figure) in Stem::TARGETS.into_iter().zip(self.model.joint_by_stem) {
            writeln!(f, "  {:<36}{}", stem.name(), written(figure, Unit::Percent))?;
        }
        for (direction, figure) in ["too quiet", "too loud"].iter().zip(self.model.joint_by_direction) {
            writeln!(f, "  {direction:<36}{}", written(figure, Unit::Percent))?;
        }
        writeln!(
            f,
            "\nConventions                             towards       away  distance before, after (dB)"
        )?;
        write_moves(f, "usual levels of MUSDB18", &self.conventions.usual_levels)?;
        write_moves(f, "  by advice that is spoken", &self.conventions.usual_levels_of_spoken)?;
        write_moves(f, "vocals against accompaniment", &self.conventions.vocals)?;
        write_meter(f, "Meter, all mixes (dB)", &self.meter)?;
        write_meter(f, "Meter, unflawed mixes (dB)", &self.unflawed_meter)?;
        writeln!(
            f,
            "\n{:<22}{:>8}{:>11}{:>11}{:>11}{:>10}",
            "Controls", "joint", "balanced", "wrong dir", "cover@90", "gain err"
        )?;
        write_control(f, "this model", &self.model)?;
        for (name, figures) in self.controls.named() {
            write_control(f, &name.replace('_', " "), figures)?;
        }
        for left_out in &self.left_out {
            writeln!(f, "Left out: {}, because {}", left_out.song, left_out.reason)?;
        }
        Ok(())
    }
}

fn written(figure: Figure, unit: Unit) -> String {
    let number = |value: f64| match unit {
        Unit::Percent => format!("{:.1}", 100.0 * value),
        Unit::Decibels | Unit::Ratio => format!("{value:.2}"),
    };
    let sign = match unit {
        Unit::Percent => " %",
        Unit::Decibels => " dB",
        Unit::Ratio => "",
    };
    let value = figure.value.map_or("-".to_string(), |value| format!("{}{sign}", number(value)));
    let interval =
        figure.ci95.map_or(String::new(), |[low, high]| format!("  [{}, {}]", number(low), number(high)));
    format!("{value:>8}{interval}")
}

fn write_moves(f: &mut fmt::Formatter<'_>, label: &str, moves: &Moves) -> fmt::Result {
    let [towards, away] = [moves.towards, moves.away].map(|figure| short(figure, 100.0));
    let [before, after] = [moves.before_db, moves.after_db].map(|figure| short(figure, 1.0));
    writeln!(f, "  {label:<34}{towards:>9} %{away:>9} %{before:>18}{after:>7}")
}

fn write_meter(f: &mut fmt::Formatter<'_>, title: &str, meter: &MeterFigures) -> fmt::Result {
    write!(f, "\n{title:<38}")?;
    for stem in Stem::ALL {
        write!(f, "{:>8}", stem.name())?;
    }
    writeln!(f)?;
    for (label, figures) in [
        ("median absolute error", &meter.mad_db),
        ("90th percentile of it", &meter.p90_db),
        ("bias", &meter.bias_db),
        ("standard deviation", &meter.sd_db),
    ] {
        write!(f, "  {label:<36}")?;
        for figure in PerStem::to_array(figures) {
            write!(f, "{:>8}", short(figure, 1.0))?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn write_control(f: &mut fmt::Formatter<'_>, name: &str, figures: &Figures) -> fmt::Result {
    writeln!(
        f,
        "  {name:<20}{:>8}{:>11}{:>11}{:>11}{:>10}",
        short(figures.joint, 100.0),
        short(figures.balanced_left_alone, 100.0),
        short(figures.wrong_direction, 100.0),
        short(figures.coverage_at_90, 100.0),
        short(figures.gain_mae_db, 1.0)
    )
}

fn short(figure: Figure, scale: f64) -> String {
    let digits = if scale == 1.0 { 2 } else { 1 };
    figure.value.map_or("-".to_string(), |value| format!("{:.digits$}", scale * value))
}
