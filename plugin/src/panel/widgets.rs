//! Small parts that several rooms of the panel share.

use super::theme::{self, Palette, SMALL_PT};
use egui::{Align, Button, Color32, Label, Layout, RichText, TextStyle, Ui, vec2};

/// A title in small capitals, with room for something at its right.
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

/// A title with buttons at its right, in reading order; `labels` are what stands on them.
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

/// Lays buttons out at the right end of a row, in reading order, so that Tab follows the eye; `labels` are what
/// stands on them.
pub(super) fn at_right(ui: &mut Ui, labels: &[&str], buttons: impl FnOnce(&mut Ui)) {
    let free = ui.available_width() - buttons_width(ui, labels);
    ui.add_space(free.max(0.0));
    buttons(ui);
}

/// Width of buttons side by side, in points.
pub(super) fn buttons_width(ui: &Ui, labels: &[&str]) -> f32 {
    // Buttons are written in the style of running text, whatever the other style is called.
    let font = TextStyle::Body.resolve(ui.style());
    let padding = 2.0 * ui.spacing().button_padding.x;
    let width = |label: &&str| {
        let galley = ui.painter().layout_no_wrap((*label).to_string(), font.clone(), Color32::PLACEHOLDER);
        galley.size().x + padding
    };
    let gaps = ui.spacing().item_spacing.x * labels.len().saturating_sub(1) as f32;
    labels.iter().map(width).sum::<f32>() + gaps
}

/// Side remark that wraps.
pub(super) fn remark(ui: &mut Ui, text: impl Into<String>, colour: Color32) -> egui::Response {
    ui.add(Label::new(RichText::new(text.into()).size(SMALL_PT).color(colour)).wrap())
}

/// Side remark on one line, cut with an ellipsis where it is too long; the whole of it shows under the pointer.
pub(super) fn remark_in_one_line(ui: &mut Ui, text: impl Into<String>, colour: Color32) -> egui::Response {
    ui.add(Label::new(RichText::new(text.into()).size(SMALL_PT).color(colour)).truncate())
}

/// Buttons of equal width side by side; `is_on` says which are chosen. Returns the one that was pressed.
pub(super) fn choice_row<T: Copy>(
    ui: &mut Ui,
    options: &[T],
    label: impl Fn(T) -> &'static str,
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

/// A button that is no more than its cross.
pub(super) fn close_button(ui: &mut Ui, name: &str) -> egui::Response {
    let response = ui.add(
        Button::new(RichText::new("×").size(16.0)).frame_when_inactive(false).min_size(vec2(24.0, 22.0)),
    );
    let enabled = ui.is_enabled();
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, name));
    response.on_hover_text(name)
}
