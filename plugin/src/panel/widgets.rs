//! Small widgets that several parts of the panel share.

use super::theme::{self, Palette, SMALL_PT};
use egui::{Align, Button, Color32, CornerRadius, Label, Layout, Rect, RichText, TextStyle, Ui, vec2};

/// A title in small capitals, with content at its right.
pub(super) fn section(ui: &mut Ui, colours: &Palette, title: &str, at_right: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.set_min_height(22.0);
        self::title(ui, colours, title);
        ui.with_layout(Layout::right_to_left(Align::Center), at_right);
    });
}

/// A title in small capitals.
pub(super) fn title(ui: &mut Ui, colours: &Palette, title: &str) {
    ui.add(Label::new(section_title(colours, title)).selectable(false));
}

fn section_title(colours: &Palette, title: &str) -> RichText {
    RichText::new(title.to_uppercase())
        .font(theme::strong_font(10.5))
        .extra_letter_spacing(0.8)
        .color(colours.dim)
}

/// A title with buttons at its right, in reading order. `labels` are the texts of the buttons.
pub(super) fn section_with_buttons(
    ui: &mut Ui,
    colours: &Palette,
    title: &str,
    labels: &[&str],
    buttons: impl FnOnce(&mut Ui),
) {
    ui.horizontal(|ui| {
        ui.set_min_height(22.0);
        self::title(ui, colours, title);
        at_right(ui, labels, buttons);
    });
}

/// Places buttons at the right end of a row, in reading order, so that Tab follows the eye. `labels` are the texts of
/// the buttons.
pub(super) fn at_right(ui: &mut Ui, labels: &[&str], buttons: impl FnOnce(&mut Ui)) {
    let free = ui.available_width() - buttons_width(ui, labels);
    ui.add_space(free.max(0.0));
    buttons(ui);
}

/// Width of a row of buttons, in points.
pub(super) fn buttons_width(ui: &Ui, labels: &[&str]) -> f32 {
    // egui draws buttons in the body style, not in the one that it calls the button style.
    let font = TextStyle::Body.resolve(ui.style());
    let padding = 2.0 * ui.spacing().button_padding.x;
    let width = |label: &&str| {
        let galley = ui.painter().layout_no_wrap((*label).to_string(), font.clone(), Color32::PLACEHOLDER);
        galley.size().x + padding
    };
    let gaps = ui.spacing().item_spacing.x * labels.len().saturating_sub(1) as f32;
    labels.iter().map(width).sum::<f32>() + gaps
}

/// A remark in small text that wraps.
pub(super) fn remark(ui: &mut Ui, text: impl Into<String>, colour: Color32) -> egui::Response {
    ui.add(Label::new(RichText::new(text.into()).size(SMALL_PT).color(colour)).wrap())
}

/// A remark in small text on one line. If it is too long it ends in an ellipsis, and a tooltip shows it in full.
pub(super) fn remark_in_one_line(ui: &mut Ui, text: impl Into<String>, colour: Color32) -> egui::Response {
    ui.add(Label::new(RichText::new(text.into()).size(SMALL_PT).color(colour)).truncate())
}

/// A row of buttons of equal width. `is_on` tells which are selected. Returns the option that was pressed.
pub(super) fn choice_row<T: Copy>(
    ui: &mut Ui,
    options: &[T],
    label: impl Fn(T) -> String,
    is_on: impl Fn(T) -> bool,
    name: impl Fn(T) -> String,
) -> Option<T> {
    let gap = 3.0;
    let count = options.len().max(1) as f32;
    let width = ((ui.available_width() - gap * (count - 1.0)) / count).floor();
    let mut pressed = None;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        ui.spacing_mut().button_padding.x = 2.0;
        for &option in options {
            let on = is_on(option);
            let button = Button::new(label(option)).selected(on);
            let response = ui.add_sized(vec2(width, ui.spacing().interact_size.y), button);
            let enabled = ui.is_enabled();
            response.widget_info(|| {
                egui::WidgetInfo::selected(egui::Role::RadioButton, enabled, on, name(option))
            });
            if response.clicked() {
                pressed = Some(option);
            }
        }
    });
    pressed
}

/// A thin bar, filled from the left by `part`, 0 to 1.
pub(super) fn bar(ui: &Ui, rect: Rect, part: f32, background: Color32, fill: Color32) {
    let radius = CornerRadius::same(2);
    ui.painter().rect_filled(rect, radius, background);
    let filled = Rect::from_min_size(rect.min, vec2(rect.width() * part, rect.height()));
    ui.painter().rect_filled(filled, radius, fill);
}

/// A button that shows only a cross. `name` is its tooltip and its name for screen readers.
pub(super) fn close_button(ui: &mut Ui, name: &str) -> egui::Response {
    let response = ui.add(
        Button::new(RichText::new("×").size(16.0)).frame_when_inactive(false).min_size(vec2(24.0, 22.0)),
    );
    let enabled = ui.is_enabled();
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, name));
    response.on_hover_text(name)
}
