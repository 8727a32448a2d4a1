//! The panel: draws a [`View`] and sends [`Command`](crate::view::Command)s, on the host's window thread.
//!
//! It does not know the worker: it shows the [`View`] it gets, and keeps its own state in [`PanelState`]. From top to
//! bottom: header, notices and the path box, the advice, then two columns, or one in a narrow window. The footer stays
//! at the bottom.
//!
//! Within the panel, dependencies point one way: the parts (`advice`, `levels`, …) use [`PanelState`], [`words`] and
//! the widgets; the widgets use [`theme`]; `PanelState` uses [`path_box`], which uses [`dialog`], and [`models`], which uses
//! [`program`].

pub mod actions;
mod advice;
mod ask;
pub mod clipboard;
mod controls;
pub mod dialog;
mod footer;
mod header;
mod hear;
mod help;
pub mod keys;
mod levels;
mod library;
pub mod meters;
pub mod models;
mod notices;
mod options;
pub mod path_box;
pub mod program;
mod reference;
mod since;
mod song;
pub mod state;
pub mod theme;
pub mod timeline;
mod widgets;
pub mod words;

pub use controls::Controls;
pub use keys::{KeyUse, key_use};
pub use state::{Automation, Indication, Indications, PanelState, Track};
pub use theme::install;

use crate::settings::Settings;
use crate::view::View;
use egui::{CentralPanel, Frame, Panel, ScrollArea, Ui, vec2};
use theme::Palette;

/// The panel has two columns from this width on, in points.
const TWO_COLUMNS_FROM_PT: f32 = 700.0;
/// Width of the right column in points.
const RIGHT_COLUMN_PT: f32 = 268.0;
/// Below this height the advice scrolls with the rest, in points.
const PINNED_FROM_PT: f32 = 360.0;

/// Draws the panel into the whole of `ui` and passes what the user does to `controls`.
///
/// Call [`install`] once for the context before, and [`key_use`] after each frame: it tells which keys the panel keeps
/// from the host.
pub fn show(ui: &mut Ui, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    keys::leave_space_to_host(ui.ctx());
    actions::press_keys(ui.ctx(), view, state, controls);
    apply_look(ui, state);
    let colours = theme::palette(state.look.theme);
    let settings = controls.settings();
    path_box::take_dropped(ui, controls);
    state.models.poll(ui.ctx(), controls);

    ui.painter().rect_filled(ui.max_rect(), 0, colours.background);
    let bar = |margin| Frame::new().fill(colours.surface).inner_margin(margin);
    Panel::top("header").resizable(false).frame(bar(theme::margin(12, 7))).show(ui, |ui| {
        header::show(ui, colours, view, settings, state, controls);
    });
    Panel::bottom("footer").resizable(false).frame(bar(theme::margin(12, 4))).show(ui, |ui| {
        footer::show(ui, colours, view, state, controls);
    });
    hear::banner(ui, colours, view, state, controls);
    let pinned = ui.available_height() >= PINNED_FROM_PT - 80.0;
    if pinned {
        Panel::top("top").resizable(false).show_separator_line(false).frame(Frame::new()).show(ui, |ui| {
            top(ui, colours, view, state, controls);
        });
    }
    CentralPanel::no_frame().show(ui, |ui| {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            if !pinned {
                top(ui, colours, view, state, controls);
            }
            if state.keys_open {
                help::show(ui, colours);
            }
            Frame::new().inner_margin(theme::margin(12, 8)).show(ui, |ui| {
                columns(ui, colours, view, state, settings, controls);
            });
        });
    });
}

/// Sets theme and scale of the context if they differ from those chosen.
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
fn top(ui: &mut Ui, colours: &Palette, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    ui.spacing_mut().item_spacing.y = 0.0;
    if state.look_open {
        Frame::new().fill(colours.surface).inner_margin(theme::margin(12, 6)).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 6.0;
            header::look(ui, colours, state);
        });
    }
    models::show(ui, colours, view, state, controls);
    notices::show(ui, colours, view, state, controls);
    let mut open = state.path_box.take();
    path_box::show(ui, colours, &mut open, &state.dialogs, controls);
    state.path_box = open;
    Frame::new().inner_margin(theme::margin(12, 12)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 6.0;
        advice::show(ui, colours, view);
        since::show(ui, colours, view);
    });
}

/// Results at the left and controls at the right; one below the other in a narrow window.
fn columns(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    settings: Settings,
    controls: &mut dyn Controls,
) {
    let gap = 24.0;
    if ui.available_width() < TWO_COLUMNS_FROM_PT - 24.0 {
        results(ui, colours, view, state, controls);
        ui.add_space(10.0);
        reference::show(ui, colours, view, state, controls);
        library::show(ui, colours, view, state, controls);
        options::show(ui, colours, view, settings, state, controls);
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
                    reference::show(ui, colours, view, state, controls);
                    library::show(ui, colours, view, state, controls);
                    options::show(ui, colours, view, settings, state, controls);
                }
            });
        }
    });
}

fn results(ui: &mut Ui, colours: &Palette, view: &View, state: &mut PanelState, controls: &mut dyn Controls) {
    levels::show(ui, colours, view, song::selected(view, state.selected));
    meters::show(ui, colours, view);
    ui.add_space(4.0);
    hear::show(ui, colours, view, state, controls);
    ui.add_space(4.0);
    song::show(ui, colours, view, state, controls);
    ui.add_space(4.0);
    ask::show(ui, colours, view, state, controls);
}
