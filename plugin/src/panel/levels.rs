//! The level of each stem against the rest of the mix, with the usual range or the reference.

use super::theme::{self, Palette, SMALL_PT};
use super::{widgets, words};
use crate::view::{Mark, View};
use egui::{
    Align2, CornerRadius, FontId, Pos2, Rangef, Rect, Response, Role, Sense, Shape, Ui, WidgetInfo, pos2,
    vec2,
};
use mixing_buddy_core::{Stem, clock};

/// Ends of the scale in LU. Levels beyond are drawn at the end; the number next to them is exact.
const SCALE_LU: Rangef = Rangef { min: -24.0, max: 12.0 };
/// Numbers on the scale, in LU.
const TICKS_LU: [f32; 4] = [-18.0, -12.0, -6.0, 6.0];
/// Height of the row of a stem in points.
const ROW_PT: f32 = 24.0;

/// Draws the levels of the newest window, or of the selected mark.
pub(super) fn show(ui: &mut Ui, colours: &Palette, view: &View, selected: Option<&Mark>) {
    let (levels, when) = match selected {
        Some(mark) => (&mark.advice.levels_lu, format!("at {}", clock::span(mark.start_s, mark.end_s))),
        None => (&view.levels_lu, "LU against the rest of the mix".to_string()),
    };
    widgets::section(ui, colours, "Levels", |ui| {
        widgets::remark_in_one_line(ui, format!("{when} · {}", legend(view)), colours.dim);
    });
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let mut track = Rangef::NOTHING;
        let top = ui.cursor().top();
        for (stem, level) in levels.iter() {
            track = row(ui, colours, view, stem, *level);
        }
        let bottom = ui.cursor().top();
        scale(ui, colours, track, Rangef::new(top, bottom));
    });
}

fn legend(view: &View) -> String {
    match &view.reference {
        Some(reference) => format!("diamond: {}", reference.name),
        None => "wide band: usual range".to_string(),
    }
}

/// Draws the row of a stem; returns the horizontal range of its track.
fn row(ui: &mut Ui, colours: &Palette, view: &View, stem: Stem, level: Option<f32>) -> Rangef {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_PT), Sense::hover());
    let track = Rect::from_x_y_ranges(
        Rangef::new(rect.left() + 58.0, rect.right() - 96.0),
        Rangef::new(rect.center().y - 3.0, rect.center().y + 3.0),
    );
    let colour = colours.of(stem);
    let middle = rect.center().y;
    let painter = ui.painter();
    let name_colour = if level.is_some() { colours.text } else { colours.dim };
    let name_font = FontId::proportional(theme::BODY_PT);
    painter.text(pos2(rect.left(), middle), Align2::LEFT_CENTER, words::title(stem), name_font, name_colour);

    let radius = CornerRadius::same(3);
    painter.rect_filled(track, radius, colours.well);
    let comparison = comparison(view, stem);
    if let Comparison::Band(band) = comparison {
        let band = Rect::from_x_y_ranges(
            Rangef::new(x_of(track, band.min), x_of(track, band.max)),
            Rangef::new(middle - 8.0, middle + 8.0),
        );
        painter.rect_filled(band, radius, colours.band);
    }
    if let Some(level) = level.filter(|level| level.is_finite()) {
        let x = x_of(track, level);
        painter.rect_filled(track.with_max_x(x.max(track.left() + 3.0)), radius, colour);
        let tip = Rect::from_center_size(pos2(x, middle), vec2(3.0, 14.0));
        painter.rect_filled(tip, CornerRadius::same(1), colour);
    }
    if let Comparison::Mark(mark_lu) = comparison {
        diamond(ui, colours, pos2(x_of(track, mark_lu), middle));
    }
    figures(ui, colours, rect, level, comparison);
    describe(ui, &response, stem, level, comparison);
    track.x_range()
}

/// What the level of a stem is compared with.
#[derive(Clone, Copy)]
enum Comparison {
    /// The usual range, in LU.
    Band(Rangef),
    /// The reference's level in LU.
    Mark(f32),
    /// Nothing: the reference does not have this stem.
    Nothing,
}

impl Comparison {
    /// How far a level is off, in LU; zero within the band.
    fn off_lu(self, level_lu: f32) -> Option<f32> {
        match self {
            Comparison::Band(band) => Some((level_lu - band.max).max(0.0) + (level_lu - band.min).min(0.0)),
            Comparison::Mark(mark) => Some(level_lu - mark),
            Comparison::Nothing => None,
        }
    }
}

fn comparison(view: &View, stem: Stem) -> Comparison {
    match &view.reference {
        Some(reference) => reference.levels_lu[stem]
            .filter(|level| level.is_finite())
            .map_or(Comparison::Nothing, Comparison::Mark),
        None => {
            let (low, high) = view.usual_lu[stem];
            if low.is_finite() && high.is_finite() && low < high {
                Comparison::Band(Rangef::new(low, high))
            } else {
                Comparison::Nothing
            }
        }
    }
}

fn x_of(track: Rect, level_lu: f32) -> f32 {
    let part = (level_lu - SCALE_LU.min) / SCALE_LU.span();
    track.left() + track.width() * part.clamp(0.0, 1.0)
}

fn diamond(ui: &Ui, colours: &Palette, at: Pos2) {
    let half = 5.5;
    let points = vec![at - vec2(0.0, half), at + vec2(half, 0.0), at + vec2(0.0, half), at - vec2(half, 0.0)];
    ui.painter().add(Shape::convex_polygon(points, colours.strong, (1.5, colours.background)));
}

/// The level and how far it is off, as two columns of numbers at the right.
fn figures(ui: &Ui, colours: &Palette, rect: Rect, level: Option<f32>, comparison: Comparison) {
    let middle = rect.center().y;
    let font = FontId::proportional(theme::BODY_PT);
    let (text, colour) = match level {
        Some(level) => (words::signed_tenth(level), colours.text),
        None => ("–".to_string(), colours.dim),
    };
    ui.painter().text(pos2(rect.right() - 50.0, middle), Align2::RIGHT_CENTER, text, font, colour);
    let off = level.and_then(|level| comparison.off_lu(level)).filter(|off| off.abs() >= 0.05);
    if let Some(off) = off {
        let font = theme::strong_font(SMALL_PT);
        let text = words::signed_tenth(off);
        ui.painter().text(pos2(rect.right(), middle), Align2::RIGHT_CENTER, text, font, colours.strong);
        triangle(ui, colours, pos2(rect.right() - 40.0, middle), off > 0.0);
    }
}

fn triangle(ui: &Ui, colours: &Palette, at: Pos2, up: bool) {
    let side = if up { -1.0 } else { 1.0 };
    let points = vec![at + vec2(0.0, 3.5 * side), at + vec2(3.5, -2.5 * side), at + vec2(-3.5, -2.5 * side)];
    ui.painter().add(Shape::convex_polygon(points, colours.strong, egui::Stroke::NONE));
}

fn scale(ui: &mut Ui, colours: &Palette, track: Rangef, rows: Rangef) {
    let width = ui.available_width();
    let (rect, _) = ui.allocate_exact_size(vec2(width, 14.0), Sense::hover());
    let track = Rect::from_x_y_ranges(track, rows);
    let zero = x_of(track, 0.0);
    ui.painter().vline(zero, rows, (1.0, colours.line));
    let font = FontId::proportional(10.0);
    for tick in TICKS_LU {
        let at = pos2(x_of(track, tick), rect.top() + 6.0);
        let text = format!("{}{:.0}", if tick < 0.0 { "−" } else { "+" }, tick.abs());
        ui.painter().text(at, Align2::CENTER_CENTER, text, font.clone(), colours.dim);
    }
    ui.painter().text(pos2(zero, rect.top() + 6.0), Align2::CENTER_CENTER, "0", font.clone(), colours.dim);
    ui.painter().text(
        pos2(rect.right() - 50.0, rect.top() + 6.0),
        Align2::RIGHT_CENTER,
        "LU",
        font.clone(),
        colours.dim,
    );
    ui.painter().text(pos2(rect.right(), rect.top() + 6.0), Align2::RIGHT_CENTER, "off", font, colours.dim);
}

/// The same as text, for screen readers and as a tooltip.
fn describe(ui: &Ui, response: &Response, stem: Stem, level: Option<f32>, comparison: Comparison) {
    let level_words = match level {
        Some(level) => format!("{}: {} LU", words::title(stem), words::signed_tenth(level)),
        None => format!("{}: not detected", words::title(stem)),
    };
    let comparison_words = match comparison {
        Comparison::Band(band) => {
            format!("usual range {} to {}", words::signed_tenth(band.min), words::signed_tenth(band.max))
        }
        Comparison::Mark(mark) => format!("reference {}", words::signed_tenth(mark)),
        Comparison::Nothing => "not in the reference".to_string(),
    };
    let text = format!("{level_words}, {comparison_words}");
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Label, enabled, &text));
    response.clone().on_hover_text(text);
}
