//! The meters of the master bus, in one line, and the warning of a limiter.

use super::theme::Palette;
use super::{widgets, words};
use crate::view::View;
use egui::Ui;
use mixing_buddy_core::clock;
use mixing_buddy_core::loudness::Meters;

/// Said when the sound seems to have gone through a limiter.
pub const LIMITER_WARNING: &str =
    "! Seems to stand behind a limiter, which hides how loud the stems were. Move it before.";

/// Draws the line.
pub(super) fn show(ui: &mut Ui, colours: &Palette, view: &View) {
    let meters = &view.meters;
    widgets::section(ui, colours, "Loudness", |ui| {
        let line = line(meters);
        let response = widgets::remark_in_one_line(ui, &line, colours.text);
        let enabled = ui.is_enabled();
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::Label, enabled, format!("Loudness: {line}"))
        });
        response.on_hover_text(explanation(meters));
    });
    if meters.is_limited {
        widgets::remark(ui, LIMITER_WARNING, colours.text);
    }
}

/// "−14.2 LUFS · last 3 s −13.1 · range 6.3 LU · true peak −0.8 dB".
pub fn line(meters: &Meters) -> String {
    if meters.seconds <= 0.0 {
        return "Play to measure".to_string();
    }
    let number =
        |value: Option<f64>| value.map_or("–".to_string(), |value| words::signed_tenth(value as f32));
    // A range has no sign.
    let range = meters.range_lu.map_or("–".to_string(), |range| format!("{range:.1}"));
    format!(
        "{} LUFS · last 3 s {} · range {range} LU · true peak {} dB",
        number(meters.integrated_lufs),
        number(meters.short_term_lufs),
        number(meters.true_peak_dbtp)
    )
}

fn explanation(meters: &Meters) -> String {
    format!(
        "Integrated and short-term loudness, loudness range and highest true peak of the last {}, since playback began. \
         After EBU R 128. The range needs 30 s.",
        clock::text(meters.seconds)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_yet_is_a_dash() {
        assert_eq!(line(&Meters::default()), "Play to measure");
        let meters = Meters { seconds: 1.0, true_peak_dbtp: Some(-0.84), ..Meters::default() };
        assert_eq!(line(&meters), "– LUFS · last 3 s – · range – LU · true peak −0.8 dB");
        let meters = Meters {
            integrated_lufs: Some(-14.23),
            short_term_lufs: Some(-13.06),
            range_lu: Some(6.34),
            true_peak_dbtp: Some(0.3),
            ..meters
        };
        assert_eq!(line(&meters), "−14.2 LUFS · last 3 s −13.1 · range 6.3 LU · true peak +0.3 dB");
    }
}
