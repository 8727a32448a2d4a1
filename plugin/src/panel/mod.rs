//! The panel: draws a [`View`] and sends [`Command`](crate::view::Command)s, on the host's window thread.
//!
//! It knows nothing of the worker: what it shows is the [`View`] it is given, and what it remembers is in
//! [`PanelState`]. From top to bottom: header, what has to be said ([`notices`], a box for a path), the advice, and
//! two columns, which become one where the window is narrow; the footer stays at the bottom.

mod advice;
mod aim;
mod ask;
mod choices;
mod controls;
pub mod dialog;
mod footer;
mod header;
pub mod keys;
mod levels;
mod notices;
pub mod path_box;
mod song;
pub mod state;
pub mod theme;
pub mod timeline;
mod widgets;
pub mod words;

pub use controls::{Controls, Hop, Params};
pub use keys::{KeyUse, key_use};
pub use state::{Look, PanelState, Theme};
pub use theme::install;

use crate::view::View;
use egui::{CentralPanel, Frame, Panel, ScrollArea, Ui, vec2};
use theme::Palette;

/// Smallest size of the panel in points, at any scale.
pub const MIN_SIZE_PT: [f32; 2] = [560.0, 420.0];
/// Size of the panel when it is opened for the first time, in points.
pub const DEFAULT_SIZE_PT: [f32; 2] = [820.0, 600.0];

/// From this width on the panel has two columns, in points.
const TWO_COLUMNS_FROM_PT: f32 = 700.0;
/// Width of the right column in points.
const RIGHT_COLUMN_PT: f32 = 268.0;
/// Under this height the advice scrolls with the rest, in points.
const PINNED_FROM_PT: f32 = 360.0;

/// Draws the panel into the whole of `ui` and sends what the user asks for through `controls`.
///
/// [`install`] must have been called for the context. Ask [`key_use`] afterwards which keys to keep from the host.
pub fn show(ui: &mut Ui, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    keys::leave_space_to_host(ui.ctx());
    apply_look(ui, state);
    let colours = theme::palette(state.look.theme);
    let params = controls.params();
    path_box::take_dropped(ui, controls);

    ui.painter().rect_filled(ui.max_rect(), 0, colours.ground);
    let bar = |margin| Frame::new().fill(colours.surface).inner_margin(margin);
    Panel::top("header").resizable(false).frame(bar(theme::margin(12, 7))).show(ui, |ui| {
        header::show(ui, colours, view, params, state, controls);
    });
    Panel::bottom("footer").resizable(false).frame(bar(theme::margin(12, 4))).show(ui, |ui| {
        footer::show(ui, colours, view, state, controls);
    });
    let pinned = ui.available_height() >= PINNED_FROM_PT - 80.0;
    if pinned {
        Panel::top("said").resizable(false).show_separator_line(false).frame(Frame::new()).show(ui, |ui| {
            said(ui, colours, view, state, controls);
        });
    }
    CentralPanel::no_frame().show(ui, |ui| {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            if !pinned {
                said(ui, colours, view, state, controls);
            }
            Frame::new().inner_margin(theme::margin(12, 8)).show(ui, |ui| {
                columns(ui, colours, view, state, params, controls);
            });
        });
    });
}

/// Theme and scale, where they differ from what the context has.
fn apply_look(ui: &mut Ui, state: &PanelState) {
    let context = ui.ctx().clone();
    let theme = theme::egui_theme(state.look.theme);
    if context.theme() != theme {
        context.set_theme(theme);
        ui.set_style(context.style_of(theme));
    }
    let scale = state.look.scale();
    if (context.zoom_factor() - scale).abs() > 0.001 {
        context.set_zoom_factor(scale);
    }
}

/// Everything between header and columns.
fn said(ui: &mut Ui, colours: &Palette, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    ui.spacing_mut().item_spacing.y = 0.0;
    if state.look_open {
        Frame::new().fill(colours.surface).inner_margin(theme::margin(12, 6)).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 6.0;
            header::look(ui, colours, state);
        });
    }
    notices::show(ui, colours, view, state, controls);
    let mut open = state.path_box.take();
    path_box::show(ui, colours, &mut open, &state.dialogs, controls);
    state.path_box = open;
    Frame::new().inner_margin(theme::margin(12, 12)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 6.0;
        advice::show(ui, colours, view);
    });
}

/// What is heard at the left, what is chosen at the right; one below the other in a narrow window.
fn columns(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    params: Params,
    controls: &mut dyn Controls,
) {
    let gap = 24.0;
    if ui.available_width() < TWO_COLUMNS_FROM_PT - 24.0 {
        results(ui, colours, view, state, controls);
        ui.add_space(10.0);
        aim::show(ui, colours, view, state, controls);
        choices::show(ui, colours, view, params, controls);
        return;
    }
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        let left = ui.available_width() - RIGHT_COLUMN_PT - gap;
        for (width, is_left) in [(left, true), (RIGHT_COLUMN_PT, false)] {
            ui.allocate_ui_with_layout(vec2(width, 0.0), egui::Layout::top_down(egui::Align::Min), |ui| {
                ui.set_width(width);
                ui.spacing_mut().item_spacing.x = 6.0;
                if is_left {
                    results(ui, colours, view, state, controls);
                } else {
                    aim::show(ui, colours, view, state, controls);
                    choices::show(ui, colours, view, params, controls);
                }
            });
        }
    });
}

fn results(ui: &mut Ui, colours: &Palette, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    levels::show(ui, colours, view, song::selected(view, state.selected));
    ui.add_space(4.0);
    song::show(ui, colours, view, state, controls);
    ui.add_space(4.0);
    ask::show(ui, colours, view, state, controls);
}
