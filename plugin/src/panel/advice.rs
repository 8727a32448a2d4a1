//! The advice: a headline with its gain, and the evidence for it.

use super::theme::{self, BODY_PT, FIGURE_PT, HEADLINE_PT, Palette, SMALL_PT};
use super::widgets::bar;
use super::words::{self, Headline, Tone};
use crate::view::{Activity, View};
use egui::text::{LayoutJob, TextFormat};
use egui::{Align, Color32, FontId, Label, Layout, Rect, RichText, Sense, Ui, vec2};
use mixing_buddy_core::Direction;

/// Width of the gain at the right, in points.
const FIGURE_WIDTH_PT: f32 = 136.0;

/// Smallest height of the advice in points, so that nothing below moves when the text changes.
const LEAST_HEIGHT_PT: f32 = 58.0;

/// Draws the advice.
pub(super) fn show(ui: &mut Ui, colours: &Palette, view: &View) {
    let headline = words::headline(view);
    ui.horizontal_top(|ui| {
        ui.set_min_height(LEAST_HEIGHT_PT);
        let figure = if headline.gain_db.is_some() { FIGURE_WIDTH_PT } else { 0.0 };
        let width = ui.available_width() - figure - if figure > 0.0 { 12.0 } else { 0.0 };
        ui.allocate_ui_with_layout(vec2(width, 0.0), Layout::top_down(Align::Min), |ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = 5.0;
            sentence(ui, colours, &headline);
            evidence(ui, colours, &headline);
            if let (Activity::Filling { filled_s }, None) = (&view.activity, &view.newest) {
                let (rect, _) = ui.allocate_exact_size(vec2(width.min(320.0), 4.0), Sense::hover());
                bar(ui, rect, (filled_s / 10.0).clamp(0.0, 1.0), colours.band, colours.good);
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
}

/// The second line: confidence, reason and evidence. It wraps if it is too long.
fn evidence(ui: &mut Ui, colours: &Palette, headline: &Headline) {
    let part = |font_id: FontId, color: Color32| TextFormat {
        font_id,
        color,
        line_height: Some(17.0),
        valign: Align::Center,
        ..TextFormat::default()
    };
    let mut line = LayoutJob::default();
    if let Some(confidence) = headline.confidence {
        let sure = format!("{} sure", words::percent(confidence));
        line.append(&sure, 0.0, part(theme::strong_font(SMALL_PT), colours.text));
    }
    if !headline.note.is_empty() {
        line.append(between(&line), 0.0, part(FontId::proportional(SMALL_PT), colours.dim));
        line.append(&headline.note, 0.0, part(FontId::proportional(BODY_PT), colours.text));
    }
    for fact in &headline.evidence {
        line.append(between(&line), 0.0, part(FontId::proportional(SMALL_PT), colours.dim));
        line.append(fact, 0.0, part(FontId::proportional(SMALL_PT), colours.dim));
    }
    ui.horizontal_top(|ui| {
        if let Some(confidence) = headline.confidence {
            let (rect, _) = ui.allocate_exact_size(vec2(38.0, 17.0), Sense::hover());
            let rect = Rect::from_center_size(rect.center(), vec2(38.0, 4.0));
            bar(ui, rect, confidence.clamp(0.0, 1.0), colours.band, tone_colour(colours, headline.tone));
        }
        ui.add(Label::new(line).wrap());
    });
}

/// A dot between two parts. The space before it does not break, so the dot stays at the end of a line.
fn between(line: &LayoutJob) -> &'static str {
    if line.text.is_empty() { "" } else { "\u{a0}· " }
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
