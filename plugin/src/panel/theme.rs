//! Colours, fonts and spacing of the panel, for dark and light rooms.

use crate::settings::Theme;
use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke,
    Style, TextStyle, Visuals, vec2,
};
use mixing_buddy_core::{PerStem, Stem};
use std::sync::Arc;

/// Size of running text in points.
pub const BODY_PT: f32 = 13.0;
/// Size of remarks in points.
pub const SMALL_PT: f32 = 11.5;
/// Size of the advice in points.
pub const HEADLINE_PT: f32 = 23.0;
/// Size of the gain next to the advice in points.
pub const FIGURE_PT: f32 = 34.0;

/// The colours of one theme. Text and symbols have a contrast of at least 4.5 to 1 on every background that they are
/// drawn on (WCAG 2.2, 1.4.3).
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Background of the panel.
    pub background: Color32,
    /// Background of header, footer, notices and boxes.
    pub surface: Color32,
    /// Background of buttons.
    pub raised: Color32,
    /// Background of buttons under the pointer.
    pub hovered: Color32,
    /// Background of text fields and tracks.
    pub well: Color32,
    /// Hairlines.
    pub line: Color32,
    /// Running text.
    pub text: Color32,
    /// The advice.
    pub strong: Color32,
    /// Remarks and titles.
    pub dim: Color32,
    /// Focus and selection.
    pub accent: Color32,
    /// Background of what is selected.
    pub chosen: Color32,
    /// Balanced.
    pub good: Color32,
    /// Something failed.
    pub error: Color32,
    /// The band of usual levels, and the empty part of bars.
    pub band: Color32,
    /// One colour per stem. People with any colour vision can tell them apart (after Okabe and Ito, 2008).
    pub stem: PerStem<Color32>,
}

const DARK: Palette = Palette {
    background: Color32::from_rgb(0x15, 0x17, 0x1A),
    surface: Color32::from_rgb(0x1B, 0x1E, 0x22),
    raised: Color32::from_rgb(0x29, 0x2D, 0x33),
    hovered: Color32::from_rgb(0x35, 0x3A, 0x42),
    well: Color32::from_rgb(0x0E, 0x10, 0x12),
    line: Color32::from_rgb(0x2E, 0x33, 0x3A),
    text: Color32::from_rgb(0xD3, 0xD8, 0xDE),
    strong: Color32::from_rgb(0xF2, 0xF4, 0xF7),
    dim: Color32::from_rgb(0x94, 0x9D, 0xA8),
    accent: Color32::from_rgb(0x8A, 0xB8, 0xFF),
    chosen: Color32::from_rgb(0x2C, 0x42, 0x63),
    good: Color32::from_rgb(0x7F, 0xC8, 0xA9),
    error: Color32::from_rgb(0xFF, 0x8F, 0x7A),
    band: Color32::from_rgb(0x3A, 0x41, 0x4B),
    stem: PerStem {
        vocals: Color32::from_rgb(0xF2, 0xA5, 0x3C),
        drums: Color32::from_rgb(0x66, 0xB8, 0xF2),
        bass: Color32::from_rgb(0x2F, 0xC0, 0x95),
        other: Color32::from_rgb(0xA4, 0xAD, 0xB8),
    },
};

const LIGHT: Palette = Palette {
    background: Color32::from_rgb(0xF1, 0xF1, 0xEE),
    surface: Color32::from_rgb(0xFB, 0xFB, 0xF9),
    raised: Color32::from_rgb(0xE3, 0xE4, 0xE1),
    hovered: Color32::from_rgb(0xD6, 0xD8, 0xD5),
    well: Color32::from_rgb(0xFF, 0xFF, 0xFF),
    line: Color32::from_rgb(0xD5, 0xD6, 0xD1),
    text: Color32::from_rgb(0x2B, 0x2F, 0x35),
    strong: Color32::from_rgb(0x12, 0x14, 0x17),
    dim: Color32::from_rgb(0x5C, 0x63, 0x6B),
    accent: Color32::from_rgb(0x1D, 0x5F, 0xC4),
    chosen: Color32::from_rgb(0xC6, 0xDA, 0xF7),
    good: Color32::from_rgb(0x1E, 0x7A, 0x57),
    error: Color32::from_rgb(0xB4, 0x35, 0x1C),
    band: Color32::from_rgb(0xD3, 0xD8, 0xDD),
    stem: PerStem {
        vocals: Color32::from_rgb(0xA0, 0x56, 0x00),
        drums: Color32::from_rgb(0x0F, 0x6A, 0xB0),
        bass: Color32::from_rgb(0x00, 0x7A, 0x5C),
        other: Color32::from_rgb(0x66, 0x6D, 0x76),
    },
};

/// The colours of a theme.
pub const fn palette(theme: Theme) -> &'static Palette {
    match theme {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}

impl Palette {
    /// The colour of a stem.
    pub fn of(&self, stem: Stem) -> Color32 {
        self.stem[stem]
    }
}

/// The font for emphasis.
pub fn strong_font(size_pt: f32) -> FontId {
    FontId::new(size_pt, FontFamily::Name("strong".into()))
}

/// The font for the headline.
pub fn headline_font(size_pt: f32) -> FontId {
    FontId::new(size_pt, FontFamily::Name("headline".into()))
}

/// Installs fonts and both themes. Call once for each context, before the first [`show`](super::show).
pub fn install(context: &Context) {
    context.set_fonts(fonts());
    for theme in [Theme::Dark, Theme::Light] {
        context.set_style_of(egui_theme(theme), style(theme));
    }
    context.options_mut(|options| {
        // Shortcuts for zoom and quit belong to the host.
        options.zoom_with_keyboard = false;
        options.quit_shortcuts.clear();
    });
}

/// The toolkit's name for a theme.
pub(super) const fn egui_theme(theme: Theme) -> egui::Theme {
    match theme {
        Theme::Dark => egui::Theme::Dark,
        Theme::Light => egui::Theme::Light,
    }
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let files: [(&str, &'static [u8]); 3] = [
        ("Inter", include_bytes!("../../../assets/fonts/Inter-Regular.otf")),
        ("Inter SemiBold", include_bytes!("../../../assets/fonts/Inter-SemiBold.otf")),
        ("Inter Display", include_bytes!("../../../assets/fonts/InterDisplay-SemiBold.otf")),
    ];
    for (name, bytes) in files {
        fonts.font_data.insert(name.to_string(), Arc::new(FontData::from_static(bytes)));
    }
    let families = [
        (FontFamily::Proportional, "Inter"),
        (FontFamily::Monospace, "Inter"),
        (FontFamily::Name("strong".into()), "Inter SemiBold"),
        (FontFamily::Name("headline".into()), "Inter Display"),
    ];
    for (family, font) in families {
        fonts.families.insert(family, vec![font.to_string()]);
    }
    fonts
}

fn style(theme: Theme) -> Style {
    let colours = palette(theme);
    let mut style = Style { visuals: visuals(theme, colours), ..Style::default() };
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(SMALL_PT)),
        (TextStyle::Body, FontId::proportional(BODY_PT)),
        (TextStyle::Button, FontId::proportional(BODY_PT)),
        (TextStyle::Monospace, FontId::monospace(BODY_PT)),
        (TextStyle::Heading, headline_font(HEADLINE_PT)),
    ]
    .into();
    style.spacing.item_spacing = vec2(6.0, 6.0);
    style.spacing.button_padding = vec2(9.0, 4.0);
    style.spacing.interact_size = vec2(24.0, 24.0);
    style.spacing.text_edit_width = 120.0;
    style.spacing.scroll = egui::style::ScrollStyle::thin();
    style.animation_time = 0.08;
    style
}

fn visuals(theme: Theme, colours: &Palette) -> Visuals {
    let mut visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    let radius = CornerRadius::same(4);
    let widget = |background: Color32, edge: Stroke, text: Color32| egui::style::WidgetVisuals {
        bg_fill: background,
        weak_bg_fill: background,
        bg_stroke: edge,
        corner_radius: radius,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let edge = Stroke::new(1.0, colours.line);
    visuals.widgets.noninteractive = widget(colours.surface, edge, colours.text);
    visuals.widgets.inactive = widget(colours.raised, Stroke::NONE, colours.text);
    visuals.widgets.hovered = widget(colours.hovered, Stroke::NONE, colours.strong);
    // "Active" is also the widget with keyboard focus: its ring must be visible.
    visuals.widgets.active = widget(colours.hovered, Stroke::new(2.0, colours.accent), colours.strong);
    visuals.widgets.open = widget(colours.hovered, edge, colours.strong);
    visuals.selection.bg_fill = colours.chosen;
    visuals.selection.stroke = Stroke::new(1.5, colours.strong);
    visuals.override_text_color = None;
    visuals.weak_text_color = Some(colours.dim);
    visuals.hyperlink_color = colours.accent;
    visuals.extreme_bg_color = colours.well;
    visuals.text_edit_bg_color = Some(colours.well);
    visuals.faint_bg_color = colours.surface;
    visuals.error_fg_color = colours.error;
    visuals.panel_fill = colours.background;
    visuals.window_fill = colours.surface;
    visuals.window_stroke = edge;
    visuals.popup_shadow = Shadow::NONE;
    visuals.text_cursor.stroke = Stroke::new(2.0, colours.accent);
    visuals.slider_trailing_fill = true;
    visuals
}

/// A margin of `x` points left and right and `y` points above and below.
pub(super) const fn margin(x: i8, y: i8) -> Margin {
    Margin::symmetric(x, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_report_has_the_same_colours() {
        let css = include_str!("../../core/src/report/page.css");
        let (dark, light) = css.split_once("prefers-color-scheme: light").expect("there are two themes");
        for (theme, part) in [(Theme::Dark, dark), (Theme::Light, light)] {
            let colours = palette(theme);
            let mut named: Vec<(&str, Color32)> = vec![
                ("background", colours.background),
                ("surface", colours.surface),
                ("well", colours.well),
                ("line", colours.line),
                ("text", colours.text),
                ("strong", colours.strong),
                ("dim", colours.dim),
                ("good", colours.good),
                ("error", colours.error),
                ("band", colours.band),
            ];
            named.extend(Stem::ALL.map(|stem| (stem.name(), colours.of(stem))));
            for (name, colour) in named {
                let [red, green, blue, _] = colour.to_array();
                let declared = format!("--{name}: #{red:02X}{green:02X}{blue:02X};");
                assert!(part.contains(&declared), "{theme:?}: {declared}");
            }
        }
    }

    /// Relative luminance, WCAG 2.2.
    fn luminance(colour: Color32) -> f32 {
        let [red, green, blue, _] = egui::Rgba::from(colour).to_array();
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn all_colours_have_enough_contrast_in_both_themes() {
        for theme in [Theme::Dark, Theme::Light] {
            let colours = palette(theme);
            let mut foregrounds =
                vec![colours.text, colours.strong, colours.dim, colours.good, colours.error, colours.accent];
            foregrounds.extend(Stem::ALL.map(|stem| colours.of(stem)));
            for foreground in foregrounds {
                for background in [colours.background, colours.surface, colours.well] {
                    assert!(
                        contrast(foreground, background) >= 4.5,
                        "{theme:?}: {foreground:?} on {background:?}"
                    );
                }
            }
            for (foreground, background) in [
                (colours.text, colours.raised),
                (colours.strong, colours.hovered),
                (colours.strong, colours.chosen),
                (colours.dim, colours.raised),
            ] {
                assert!(
                    contrast(foreground, background) >= 4.5,
                    "{theme:?}: {foreground:?} on {background:?}"
                );
            }
        }
    }
}
