//! The plugin: VST3, CLAP and standalone.
//!
//! | room | thread | what it does |
//! | --- | --- | --- |
//! | [`plugin`] | main, audio | what hosts see |
//! | [`capture`] | audio → worker | overheard sound, through rings without locks |
//! | [`worker`] | worker | listens, judges, answers, publishes a [`view::View`] |
//! | [`panel`], [`editor`] | window | draws the view, sends commands |
//! | [`params`], [`state`] | all, main and worker | what hosts automate and projects keep |

pub mod capture;
pub mod editor;
pub mod panel;
pub mod params;
pub mod plugin;
pub mod report;
pub mod state;
pub mod usual;
pub mod view;
pub mod worker;

pub use plugin::MixingBuddy;

nice_plug::nice_export_clap!(MixingBuddy);
nice_plug::nice_export_vst3!(MixingBuddy);
