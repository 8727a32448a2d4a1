//! What of a library is aimed at.

use super::group::Target;
use super::library::Listing;
use super::song::{SongId, SongLevels};
use serde::{Deserialize, Serialize};

/// A part of the library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A song.
    Song(SongId),
    /// The group of this name.
    Group(String),
}

/// A part that is aimed at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The part.
    pub part: Part,
    /// How much it counts against other parts. A group counts as much as a song of the same weight.
    pub weight: f32,
}

/// The songs of the choices with their weights, and the target that they give; none if the library has no such song.
pub fn target(listing: &Listing, choices: &[Choice]) -> Option<Target> {
    let songs = choices.iter().flat_map(|choice| songs(listing, choice));
    Target::of(songs.collect::<Vec<_>>())
}

fn songs<'a>(listing: &'a Listing, choice: &Choice) -> Vec<(&'a SongLevels, f32)> {
    match &choice.part {
        Part::Song(id) => listing.song(id).map(|song| (song, choice.weight)).into_iter().collect(),
        Part::Group(name) => {
            let members = listing.group(name).map(|group| listing.members(group)).unwrap_or_default();
            let total: f32 = members.iter().map(|(_, weight)| weight).sum();
            members.into_iter().map(|(song, weight)| (song, choice.weight * weight / total)).collect()
        }
    }
}

/// The parts whose names contain `name`, whatever the case; only the one whose name it is, where there is one. A song is
/// also found by the start of its identifier.
pub fn find(listing: &Listing, name: &str) -> Vec<(Part, String)> {
    let wanted = name.trim().to_lowercase();
    let groups = listing.groups.iter().map(|group| (Part::Group(group.name.clone()), group.name.clone()));
    let songs = listing.songs.iter().map(|song| (Part::Song(song.id.clone()), song.name.clone()));
    let all: Vec<(Part, String)> = groups.chain(songs).collect();
    let is = |(part, name): &&(Part, String)| {
        let without_ending = name.rsplit_once('.').map_or(name.as_str(), |(name, _)| name).to_lowercase();
        let is_id = matches!(part, Part::Song(id) if wanted.len() >= 8 && id.as_str().starts_with(&wanted));
        is_id || name.to_lowercase() == wanted || without_ending == wanted
    };
    let exact: Vec<(Part, String)> = all.iter().filter(is).cloned().collect();
    if !exact.is_empty() || wanted.is_empty() {
        return exact;
    }
    all.into_iter().filter(|(_, name)| name.to_lowercase().contains(&wanted)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::ReferenceBalance;
    use crate::profile::Group;
    use crate::stem::PerStem;

    fn song(digit: char, level_db: f32) -> SongLevels {
        SongLevels {
            id: digit.to_string().repeat(32).parse().unwrap(),
            name: format!("Song {digit}.wav"),
            model: "compact 1.0.0".into(),
            balance: ReferenceBalance::of_levels(PerStem::all(Some(level_db))),
            levels_lu: PerStem::all(Some(level_db)),
        }
    }

    fn listing() -> Listing {
        let songs = vec![song('a', -3.0), song('b', -5.0), song('c', -10.0)];
        let mut group = Group::new("Pop");
        group.put(songs[0].id.clone(), 1.0);
        group.put(songs[1].id.clone(), 1.0);
        Listing { songs, groups: vec![group], problems: Vec::new() }
    }

    #[test]
    fn a_group_counts_as_much_as_a_song() {
        let listing = listing();
        let group = Choice { part: Part::Group("pop".into()), weight: 1.0 };
        let single = Choice { part: Part::Song(listing.songs[2].id.clone()), weight: 1.0 };
        let target = target(&listing, &[group, single]).unwrap();
        assert_eq!((target.balance.level_db.vocals, target.songs), (Some(-7.0), 3));
    }

    #[test]
    fn what_is_not_in_the_library_gives_no_target() {
        let gone = Choice { part: Part::Group("jazz".into()), weight: 1.0 };
        assert_eq!(target(&listing(), &[gone]), None);
        assert_eq!(target(&listing(), &[]), None);
    }

    #[test]
    fn parts_are_found_by_name_and_by_identifier() {
        let listing = listing();
        let names = |name: &str| find(&listing, name).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names("POP"), ["Pop"]);
        assert_eq!(names("song b"), ["Song b.wav"]);
        assert_eq!(names("bbbbbbbb"), ["Song b.wav"]);
        assert_eq!(names("song").len(), 3);
        assert_eq!(names("").len(), 0);
    }
}
