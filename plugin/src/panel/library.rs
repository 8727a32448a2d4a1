//! The library of references: its songs and groups, and progress in measuring more.

use super::actions::{Action, perform, tip};
use super::controls::Controls;
use super::theme::{self, Palette};
use super::{state::PanelState, widgets};
use crate::library::{LibraryCommand, Measuring};
use crate::view::{Command, View};
use egui::{Button, Label, RichText, ScrollArea, Sense, Ui, vec2};
use mixing_buddy_core::profile::{Choice, Listing, Part};

/// Height of the list in points, at most.
const LIST_PT: f32 = 216.0;
/// Width of the button with the weight, in points.
const WEIGHT_PT: f32 = 34.0;
/// Weights that the panel offers in turn. The command line takes any.
const WEIGHTS: [f32; 3] = [1.0, 2.0, 4.0];

/// A row of the list.
struct Row {
    part: Part,
    name: String,
    /// Number of songs, of a group.
    songs: Option<usize>,
}

/// Draws the library.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    if let Some(measuring) = &view.library.measuring {
        progress(ui, colours, measuring, view, state, controls);
        return;
    }
    let full = vec2(ui.available_width(), ui.spacing().interact_size.y);
    let title = if state.library_open { "Library ▲" } else { "Library ▼" };
    let open = ui.add_sized(full, Button::new(title).selected(state.library_open));
    let is_open = state.library_open;
    let enabled = ui.is_enabled();
    open.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, enabled, is_open, "Library"));
    let about = "Songs that you like, kept for all projects";
    if open.on_hover_text(tip(Action::Library, about)).clicked() {
        perform(Action::Library, ui.ctx(), view, state, controls);
    }
    if !state.library_open {
        return;
    }
    match &view.library.listing {
        None => {
            widgets::remark(ui, "Reading…", colours.dim);
        }
        Some(listing) if listing.songs.is_empty() && listing.groups.is_empty() => {
            widgets::remark(ui, "Empty. Add songs that are balanced as you like it.", colours.dim);
        }
        Some(listing) => list(ui, colours, view, listing, controls),
    }
    ui.horizontal(|ui| {
        let half = vec2((full.x - ui.spacing().item_spacing.x) / 2.0, full.y);
        for (action, label, about) in [
            (Action::AddSongs, "Add songs…", "Measure songs"),
            (Action::AddFolder, "Add folder…", "Measure the songs of a folder, as a group"),
        ] {
            if ui.add_sized(half, Button::new(label)).on_hover_text(tip(action, about)).clicked() {
                perform(action, ui.ctx(), view, state, controls);
            }
        }
    });
}

fn list(ui: &mut Ui, colours: &Palette, view: &View, listing: &Listing, controls: &mut dyn Controls) {
    let groups = listing.groups.iter().map(|group| Row {
        part: Part::Group(group.name.clone()),
        name: group.name.clone(),
        songs: Some(listing.members(group).len()),
    });
    let songs = listing.songs.iter().map(|song| Row {
        part: Part::Song(song.id.clone()),
        name: song.name.clone(),
        songs: None,
    });
    let rows: Vec<Row> = groups.chain(songs).collect();
    let chosen: Vec<Choice> =
        view.reference.as_ref().map(|reference| reference.choices.clone()).unwrap_or_default();
    let height = ui.spacing().interact_size.y;
    ScrollArea::vertical().id_salt("library").min_scrolled_height(LIST_PT).max_height(LIST_PT).show_rows(
        ui,
        height,
        rows.len(),
        |ui, range| {
            for row in &rows[range] {
                if let Some(changed) = row_of(ui, colours, row, &chosen) {
                    controls.send(Command::Library(LibraryCommand::Aim(changed)));
                }
            }
        },
    );
}

/// Draws a row. Returns what to aim at if the user changed it.
fn row_of(ui: &mut Ui, colours: &Palette, row: &Row, chosen: &[Choice]) -> Option<Vec<Choice>> {
    let at = chosen.iter().position(|choice| choice.part == row.part);
    let height = ui.spacing().interact_size.y;
    let mut changed = None;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        let width = ui.available_width() - if at.is_some() { WEIGHT_PT + 3.0 } else { 0.0 };
        let text = match row.songs {
            Some(songs) => {
                RichText::new(format!("{} ({songs})", row.name)).font(theme::strong_font(theme::BODY_PT))
            }
            None => RichText::new(&row.name),
        };
        let mark = if at.is_some() { "✓ " } else { "" };
        let text = RichText::new(format!("{mark}{}", text.text()));
        let button = Button::new(text).truncate().selected(at.is_some()).min_size(vec2(width, height));
        let response = ui.add_sized(vec2(width, height), button);
        let (enabled, label) = (ui.is_enabled(), format!("Aim at {}", row.name));
        response
            .widget_info(|| egui::WidgetInfo::selected(egui::Role::CheckBox, enabled, at.is_some(), &label));
        if response.on_hover_text(&row.name).clicked() {
            let mut choices = chosen.to_vec();
            match at {
                Some(at) => {
                    choices.remove(at);
                }
                None => choices.push(Choice { part: row.part.clone(), weight: WEIGHTS[0] }),
            }
            changed = Some(choices);
        }
        if let Some(at) = at {
            let weight = chosen[at].weight;
            let text = RichText::new(format!("×{weight}")).color(colours.text);
            let response = ui.add_sized(vec2(WEIGHT_PT, height), Button::new(text));
            let (enabled, label) = (ui.is_enabled(), format!("Weight of {}: {weight}", row.name));
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, &label));
            if response.on_hover_text("How much it counts against the others").clicked() {
                let next = WEIGHTS
                    .iter()
                    .position(|known| *known == weight)
                    .map_or(0, |at| (at + 1) % WEIGHTS.len());
                let mut choices = chosen.to_vec();
                choices[at].weight = WEIGHTS[next];
                changed = Some(choices);
            }
        }
    });
    changed
}

fn progress(
    ui: &mut Ui,
    colours: &Palette,
    measuring: &Measuring,
    view: &View,
    state: &mut PanelState,
    controls: &mut dyn Controls,
) {
    let Measuring { name, number, of, .. } = measuring;
    ui.horizontal(|ui| {
        let text = RichText::new(format!("Measuring {number} of {of}")).color(colours.text);
        ui.add(Label::new(text));
        widgets::at_right(ui, &["Stop"], |ui| {
            let about = "Measured songs stay in the library";
            if ui.add(Button::new("Stop")).on_hover_text(tip(Action::StopMeasuring, about)).clicked() {
                perform(Action::StopMeasuring, ui.ctx(), view, state, controls);
            }
        });
    });
    widgets::remark_in_one_line(ui, name, colours.dim);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 4.0), Sense::hover());
    widgets::bar(ui, rect, measuring.whole(), colours.band, colours.accent);
}
