//! The advice: one large sentence with its gain, and the evidence for it.

use super::header::bar;
use super::theme::{self, FIGURE_PT, HEADLINE_PT, Palette, SMALL_PT};
use super::words::{self, Headline, Tone};
use crate::view::{Activity, View};
use egui::{Align, Color32, Label, Layout, RichText, Sense, Ui, vec2};
use mixing_buddy_core::Direction;

/// Room for the gain at the right, in points.
const FIGURE_WIDTH_PT: f32 = 136.0;

/// Draws the advice.
pub(super) fn show(ui: &mut Ui, colours: &Palette, view: &View) {
    let headline = words::headline(view);
    ui.horizontal_top(|ui| {
        let figure = if headline.gain_db.is_some() { FIGURE_WIDTH_PT } else { 0.0 };
        let width = ui.available_width() - figure - if figure > 0.0 { 12.0 } else { 0.0 };
        ui.allocate_ui_with_layout(vec2(width, 0.0), Layout::top_down(Align::Min), |ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = 5.0;
            sentence(ui, colours, &headline);
            evidence(ui, colours, &headline);
            if let (Activity::Listening { heard_s }, None) = (&view.activity, &view.newest) {
                let (rect, _) = ui.allocate_exact_size(vec2(width.min(320.0), 4.0), Sense::hover());
                bar(ui, rect, (heard_s / 10.0).clamp(0.0, 1.0), colours.band, colours.good);
            }
        });
        if let Some((gain_db, sd_db)) = headline.gain_db {
            ui.with_layout(Layout::top_down(Align::Max), |ui| {
                ui.spacing_mut().item_spacing.y = 1.0;
                gain(ui, colours, &headline, gain_db, sd_db);
            });
        }
    });
}

fn sentence(ui: &mut Ui, colours: &Palette, headline: &Headline) {
    let colour = match headline.tone {
        Tone::Advice(..) => colours.strong,
        Tone::Balanced => colours.good,
        Tone::Quiet => colours.text,
    };
    let text = RichText::new(&headline.sentence).font(theme::headline_font(HEADLINE_PT)).color(colour);
    ui.add(Label::new(text).wrap());
    if !headline.note.is_empty() {
        ui.add(Label::new(RichText::new(&headline.note).color(colours.text)).wrap());
    }
}

fn evidence(ui: &mut Ui, colours: &Palette, headline: &Headline) {
    if headline.confidence.is_none() && headline.evidence.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        if let Some(confidence) = headline.confidence {
            let (rect, _) = ui.allocate_exact_size(vec2(38.0, 4.0), Sense::hover());
            bar(ui, rect, confidence.clamp(0.0, 1.0), colours.band, tone_colour(colours, headline.tone));
            let sure = format!("{} sure", words::percent(confidence));
            ui.label(RichText::new(sure).font(theme::strong_font(SMALL_PT)).color(colours.text));
        }
        for (place, part) in headline.evidence.iter().enumerate() {
            if place > 0 || headline.confidence.is_some() {
                ui.label(RichText::new("·").size(SMALL_PT).color(colours.dim));
            }
            ui.label(RichText::new(part).size(SMALL_PT).color(colours.dim));
        }
    });
}

fn gain(ui: &mut Ui, colours: &Palette, headline: &Headline, gain_db: f32, sd_db: Option<f32>) {
    let Tone::Advice(stem, direction) = headline.tone else { return };
    let verb = match direction {
        Direction::Quiet => "raise",
        Direction::Loud => "lower",
    };
    let colour = colours.of(stem);
    let figure = RichText::new(words::signed_db(gain_db)).font(theme::headline_font(FIGURE_PT)).color(colour);
    ui.add(Label::new(figure).extend());
    let spread = sd_db.filter(|sd| sd.is_finite()).map(|sd| format!(" · ± {sd:.1}")).unwrap_or_default();
    let what = RichText::new(format!("{verb} {stem}{spread}")).size(SMALL_PT).color(colours.dim);
    ui.add(Label::new(what).extend());
}

fn tone_colour(colours: &Palette, tone: Tone) -> Color32 {
    match tone {
        Tone::Advice(stem, _) => colours.of(stem),
        Tone::Balanced => colours.good,
        Tone::Quiet => colours.dim,
    }
}
