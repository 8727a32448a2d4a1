//! The list of keys, shown by "Keys".

use super::actions::SHORTCUTS;
use super::theme::{self, Palette, SMALL_PT};
use super::widgets;
use egui::{Frame, Label, RichText, Ui, vec2};

/// Width of a column at least, in points.
const COLUMN_PT: f32 = 230.0;
/// Width of the name of a key, in points.
const KEY_PT: f32 = 50.0;

/// Draws the list.
pub(super) fn show(ui: &mut Ui, colours: &Palette) {
    Frame::new().fill(colours.surface).inner_margin(theme::margin(12, 8)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        widgets::title(ui, colours, "Keys");
        widgets::remark(
            ui,
            "They work once Tab, or a click on the timeline, has given the panel the keyboard. Escape gives it back \
             to the host. Space always belongs to the host, except in a text field. Tab and Enter reach everything \
             else; arrow keys move along the timeline and the sliders.",
            colours.dim,
        );
        let count = (ui.available_width() / COLUMN_PT).floor().clamp(1.0, 3.0) as usize;
        let rows = SHORTCUTS.len().div_ceil(count);
        ui.columns(count, |columns| {
            for (column, shortcuts) in columns.iter_mut().zip(SHORTCUTS.chunks(rows)) {
                column.spacing_mut().item_spacing.y = 1.0;
                for shortcut in shortcuts {
                    column.horizontal(|ui| {
                        let key = RichText::new(shortcut.text())
                            .font(theme::strong_font(SMALL_PT))
                            .color(colours.strong);
                        let key = Label::new(key).selectable(false).halign(egui::Align::Min);
                        ui.allocate_ui_with_layout(
                            vec2(KEY_PT, 16.0),
                            egui::Layout::left_to_right(egui::Align::Center),
                            |ui| {
                                ui.set_width(KEY_PT);
                                ui.add(key);
                            },
                        );
                        widgets::remark_in_one_line(ui, shortcut.words, colours.text);
                    });
                }
            }
        });
    });
}
