//! What a host can read of the advice, the levels and the meters: parameters that only the plugin changes.
//!
//! They are for people who cannot see the panel, for controllers and for scripts, in the order in which a screen reader
//! meets them: what is wrong, how sure that is, then the measurements. A host neither writes nor records them, and a
//! project does not keep them: they follow from what it keeps. The worker changes them; that is a store of atomics, and the
//! host is told with its next block.

use crate::view::View;
use mixing_buddy_core::gain_grid::GainStep;
use mixing_buddy_core::{Advice, PerStem, Stem, Verdict};
use nice_plug::prelude::*;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Levels in LU against the rest of the mix. The lowest stands for a stem that is absent.
const LEVEL_LU: RangeInclusive<f32> = -60.0..=30.0;
/// Loudness in LUFS, and peaks in dBTP. The lowest, the gate of EBU R 128, stands for what is not measured yet.
const LOUDNESS_LUFS: RangeInclusive<f32> = -70.0..=10.0;
/// Loudness range in LU. Zero stands for what is not measured yet.
const RANGE_LU: RangeInclusive<f32> = 0.0..=60.0;

/// The parameters. Ids never change.
#[derive(Params)]
pub struct Readouts {
    /// The judgement of the newest window.
    #[id = "r_verd"]
    pub verdict: EnumParam<VerdictReadout>,
    /// The stem that it names.
    #[id = "r_stem"]
    pub stem: EnumParam<StemReadout>,
    /// The gain that corrects the mix, in dB; 0 without a stem.
    #[id = "r_gain"]
    pub gain_db: FloatParam,
    /// The confidence of the judgement, 0 to 1.
    #[id = "r_conf"]
    pub confidence: FloatParam,
    /// Level of the vocals in LU against the rest, in the newest window; likewise those below.
    #[id = "r_voc"]
    pub vocals_lu: FloatParam,
    /// Level of the drums.
    #[id = "r_drum"]
    pub drums_lu: FloatParam,
    /// Level of the bass.
    #[id = "r_bass"]
    pub bass_lu: FloatParam,
    /// Level of everything else.
    #[id = "r_oth"]
    pub other_lu: FloatParam,
    /// Integrated loudness in LUFS, since playback began.
    #[id = "r_int"]
    pub integrated_lufs: FloatParam,
    /// Loudness of the last three seconds in LUFS.
    #[id = "r_shrt"]
    pub short_term_lufs: FloatParam,
    /// Loudness range in LU.
    #[id = "r_rang"]
    pub range_lu: FloatParam,
    /// Highest true peak in dBTP.
    #[id = "r_peak"]
    pub true_peak_dbtp: FloatParam,
}

impl Default for Readouts {
    fn default() -> Self {
        let level = |name| reading(name, LEVEL_LU, *LEVEL_LU.start(), " LU", "absent");
        let loudness = |name, unit| reading(name, LOUDNESS_LUFS, *LOUDNESS_LUFS.start(), unit, "none yet");
        Readouts {
            verdict: EnumParam::new("Verdict", VerdictReadout::NoAdvice).read_only(),
            stem: EnumParam::new("Advised stem", StemReadout::None).read_only(),
            gain_db: reading("Advised gain", -GainStep::MAX_DB..=GainStep::MAX_DB, 0.0, " dB", "none"),
            confidence: FloatParam::new("Confidence", 0.0, FloatRange::Linear { min: 0.0, max: 1.0 })
                .with_unit(" %")
                .with_value_to_string(formatters::v2s_f32_percentage(0))
                .with_string_to_value(formatters::s2v_f32_percentage())
                .read_only(),
            vocals_lu: level("Vocals level"),
            drums_lu: level("Drums level"),
            bass_lu: level("Bass level"),
            other_lu: level("Other level"),
            integrated_lufs: loudness("Integrated loudness", " LUFS"),
            short_term_lufs: loudness("Short-term loudness", " LUFS"),
            range_lu: reading("Loudness range", RANGE_LU, 0.0, " LU", "none yet"),
            true_peak_dbtp: loudness("True peak", " dBTP"),
        }
    }
}

/// A reading as a parameter. `nothing` is the value that stands for no reading, and `word` says so.
fn reading(
    name: &str,
    range: RangeInclusive<f32>,
    nothing: f32,
    unit: &'static str,
    word: &'static str,
) -> FloatParam {
    let (min, max) = range.into_inner();
    FloatParam::new(name, nothing, FloatRange::Linear { min, max })
        // With the unit in the text, because words have none.
        .with_value_to_string(Arc::new(move |value| {
            // To the tenth that is shown, and never "-0.0".
            let tenth = (value * 10.0).round() / 10.0 + 0.0;
            if (tenth - nothing).abs() < 0.05 { word.to_string() } else { format!("{tenth:.1}{unit}") }
        }))
        .with_string_to_value(Arc::new(move |text| {
            if text == word { Some(nothing) } else { text.trim_end_matches(unit).trim().parse().ok() }
        }))
        .read_only()
}

impl Readouts {
    /// Shows what a view says. Worker.
    pub fn show(&self, view: &View) {
        let advice = view.newest.as_ref().map(|mark| &mark.advice);
        self.verdict.set_read_only_value(VerdictReadout::of(advice));
        self.stem.set_read_only_value(StemReadout::of(advice.and_then(|advice| advice.stem)));
        let gain_db = advice.and_then(|advice| advice.gain_db);
        set(&self.gain_db, gain_db, -GainStep::MAX_DB..=GainStep::MAX_DB, 0.0);
        set(&self.confidence, advice.map(|advice| advice.confidence), 0.0..=1.0, 0.0);
        let levels_lu = advice.map_or(PerStem::default(), |advice| advice.levels_lu);
        for (stem, level_lu) in levels_lu.iter() {
            set(self.level(stem), *level_lu, LEVEL_LU, *LEVEL_LU.start());
        }
        let meters = &view.meters;
        for (parameter, value) in [
            (&self.integrated_lufs, meters.integrated_lufs),
            (&self.short_term_lufs, meters.short_term_lufs),
            (&self.true_peak_dbtp, meters.true_peak_dbtp),
        ] {
            set(parameter, value.map(|value| value as f32), LOUDNESS_LUFS, *LOUDNESS_LUFS.start());
        }
        set(&self.range_lu, meters.range_lu.map(|range| range as f32), RANGE_LU, 0.0);
    }

    /// The level of a stem.
    pub fn level(&self, stem: Stem) -> &FloatParam {
        match stem {
            Stem::Vocals => &self.vocals_lu,
            Stem::Drums => &self.drums_lu,
            Stem::Bass => &self.bass_lu,
            Stem::Other => &self.other_lu,
        }
    }
}

/// Sets a parameter, within its range, to a value or to what stands for none.
fn set(parameter: &FloatParam, value: Option<f32>, range: RangeInclusive<f32>, nothing: f32) {
    let value = value.filter(|value| value.is_finite()).unwrap_or(nothing);
    parameter.set_read_only_value(value.clamp(*range.start(), *range.end()));
}

/// [`Verdict`] as a parameter, with a value for no advice yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum VerdictReadout {
    /// No window has been judged.
    #[name = "No advice yet"]
    NoAdvice,
    /// [`Verdict::Silence`]
    #[name = "Silence"]
    Silence,
    /// [`Verdict::Abstain`]
    #[name = "Can't tell"]
    CannotTell,
    /// [`Verdict::NoError`]
    #[name = "Balanced"]
    Balanced,
    /// [`Verdict::VeryQuiet`]
    #[name = "Much too quiet"]
    MuchTooQuiet,
    /// [`Verdict::Quiet`]
    #[name = "Too quiet"]
    TooQuiet,
    /// [`Verdict::Loud`]
    #[name = "Too loud"]
    TooLoud,
    /// [`Verdict::VeryLoud`]
    #[name = "Much too loud"]
    MuchTooLoud,
}

impl VerdictReadout {
    fn of(advice: Option<&Advice>) -> Self {
        let Some(advice) = advice else { return VerdictReadout::NoAdvice };
        match advice.verdict {
            Verdict::Silence => VerdictReadout::Silence,
            Verdict::Abstain => VerdictReadout::CannotTell,
            Verdict::NoError => VerdictReadout::Balanced,
            Verdict::VeryQuiet => VerdictReadout::MuchTooQuiet,
            Verdict::Quiet => VerdictReadout::TooQuiet,
            Verdict::Loud => VerdictReadout::TooLoud,
            Verdict::VeryLoud => VerdictReadout::MuchTooLoud,
        }
    }
}

/// [`Stem`] as a parameter, with a value for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum StemReadout {
    /// The advice names no stem.
    #[name = "None"]
    None,
    /// [`Stem::Vocals`]
    #[name = "Vocals"]
    Vocals,
    /// [`Stem::Drums`]
    #[name = "Drums"]
    Drums,
    /// [`Stem::Bass`]
    #[name = "Bass"]
    Bass,
    /// [`Stem::Other`]
    #[name = "Other"]
    Other,
}

impl StemReadout {
    fn of(stem: Option<Stem>) -> Self {
        match stem {
            None => StemReadout::None,
            Some(Stem::Vocals) => StemReadout::Vocals,
            Some(Stem::Drums) => StemReadout::Drums,
            Some(Stem::Bass) => StemReadout::Bass,
            Some(Stem::Other) => StemReadout::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Mark;
    use mixing_buddy_core::loudness::Meters;
    use mixing_buddy_core::{AdviceKind, BestAnswer};

    fn view(verdict: Verdict, stem: Option<Stem>, gain_db: Option<f32>) -> View {
        let advice = Advice {
            kind: AdviceKind::Balance,
            verdict,
            stem,
            gain_db,
            gain_db_sd: None,
            confidence: 0.823,
            best: BestAnswer { verdict, stem, gain_db },
            levels_lu: PerStem::all(Some(-4.3)).with(Stem::Vocals, None),
            text: String::new(),
        };
        let mark =
            Mark { start_s: 0.0, end_s: 10.0, order: 0, current: true, pass: 1, followed: None, advice };
        let meters = Meters { integrated_lufs: Some(-14.23), ..Meters::default() };
        View { newest: Some(Arc::new(mark)), meters, ..View::default() }
    }

    /// The texts that a host shows, in order.
    fn texts(readouts: &Readouts) -> Vec<String> {
        let text = |(_, parameter, _): (String, ParamPtr, String)| {
            // SAFETY: the parameters live as long as `readouts`.
            unsafe { parameter.normalized_value_to_string(parameter.modulated_normalized_value(), true) }
        };
        readouts.param_map().into_iter().map(text).collect()
    }

    #[test]
    fn the_advice_reads_in_the_order_of_a_sentence() {
        let readouts = Readouts::default();
        let nothing = ["No advice yet", "None", "none", "0 %", "absent", "absent", "absent", "absent"];
        assert_eq!(texts(&readouts)[..8], nothing);
        assert_eq!(texts(&readouts)[8..], ["none yet"; 4]);
        readouts.show(&view(Verdict::Loud, Some(Stem::Drums), Some(-4.0)));
        let shown = texts(&readouts);
        assert_eq!(shown[..4], ["Too loud", "Drums", "-4.0 dB", "82 %"]);
        assert_eq!(shown[4..8], ["absent", "-4.3 LU", "-4.3 LU", "-4.3 LU"]);
        assert_eq!(shown[8..], ["-14.2 LUFS", "none yet", "none yet", "none yet"]);
        readouts.show(&View::default());
        assert_eq!(texts(&readouts)[..8], nothing);
    }

    #[test]
    fn every_verdict_has_a_word_of_its_own() {
        let readouts = Readouts::default();
        let verdicts = [
            Verdict::Silence,
            Verdict::Abstain,
            Verdict::NoError,
            Verdict::VeryQuiet,
            Verdict::Quiet,
            Verdict::Loud,
            Verdict::VeryLoud,
        ];
        let mut words: Vec<String> = verdicts
            .into_iter()
            .map(|verdict| {
                readouts.show(&view(verdict, None, None));
                texts(&readouts)[0].clone()
            })
            .collect();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), verdicts.len(), "{words:?}");
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        let readouts = Readouts::default();
        readouts.show(&view(Verdict::VeryLoud, Some(Stem::Bass), Some(-7.5)));
        for (id, parameter, _) in readouts.param_map() {
            // SAFETY: the parameters live as long as `readouts`.
            unsafe {
                let text = parameter.normalized_value_to_string(parameter.modulated_normalized_value(), true);
                let back = parameter.string_to_normalized_value(&text);
                let again = back.map(|value| parameter.normalized_value_to_string(value, true));
                assert_eq!(again.as_deref(), Some(text.as_str()), "{id}");
            }
        }
    }

    #[test]
    fn readings_beyond_the_range_are_at_its_end() {
        let readouts = Readouts::default();
        let mut loud = view(Verdict::NoError, None, None);
        loud.meters.true_peak_dbtp = Some(f64::INFINITY);
        loud.meters.integrated_lufs = Some(400.0);
        readouts.show(&loud);
        assert_eq!(readouts.true_peak_dbtp.to_string(), "none yet");
        assert_eq!(readouts.integrated_lufs.to_string(), "10.0 LUFS");
    }
}
