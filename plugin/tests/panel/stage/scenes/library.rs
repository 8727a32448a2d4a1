//! The library of references.

use super::super::song::{lu, playing};
use super::Scene;
use mixing_buddy::library::{LibraryView, Measuring};
use mixing_buddy::view::{Reference, Undoable, View};
use mixing_buddy_core::PerStem;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::profile::{Choice, Group, Listing, Part, SongLevels};
use std::sync::Arc;

fn song_levels(digit: char, name: &str) -> SongLevels {
    SongLevels {
        id: digit.to_string().repeat(32).parse().expect("32 digits identify a song"),
        name: name.to_string(),
        model: "compact 0.1.0".to_string(),
        balance: ReferenceBalance::of_levels(PerStem::all(Some(-5.0))),
        levels_lu: lu(-3.2, -4.8, -8.1, -1.9),
    }
}

/// Songs and groups, two of them aimed at.
pub fn listed() -> Scene {
    let songs: Vec<SongLevels> = ('a'..='f')
        .zip([
            "Blue Hour.flac",
            "Kitchen Lights.wav",
            "Northbound.mp3",
            "Paper Boats.flac",
            "Slow Tide.wav",
            "The Long Way Home, Remastered and Extended.flac",
        ])
        .map(|(digit, name)| song_levels(digit, name))
        .collect();
    let mut pop = Group::new("my pop records");
    songs.iter().take(4).for_each(|song| pop.put(song.id.clone(), 1.0));
    let choices = vec![
        Choice { part: Part::Group(pop.name.clone()), weight: 2.0 },
        Choice { part: Part::Song(songs[4].id.clone()), weight: 1.0 },
    ];
    let reference = Reference {
        name: "my pop records + Slow Tide.wav".to_string(),
        balance: ReferenceBalance::default(),
        levels_lu: lu(-3.2, -4.8, -8.1, -1.9),
        windows: 108,
        songs: 5,
        choices,
    };
    let listing = Arc::new(Listing { songs, groups: vec![pop], problems: Vec::new() });
    let view = View {
        reference: Some(reference),
        library: LibraryView { listing: Some(listing), measuring: None },
        undo: Some(Undoable::Reference),
        ..playing()
    };
    let mut scene = Scene::new("library", view);
    scene.state.library_open = true;
    scene
}

/// Songs being measured.
pub fn measuring() -> Scene {
    let measuring = Measuring { name: "Northbound.mp3".to_string(), number: 3, of: 12, part: 0.4 };
    let library = LibraryView { listing: None, measuring: Some(measuring) };
    Scene::new("measuring_songs", View { library, ..playing() })
}
