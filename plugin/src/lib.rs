//! The plugin: VST3, CLAP and standalone.
//!
//! | module | thread | what it does |
//! | --- | --- | --- |
//! | [`plugin`] | main, audio | what hosts see |
//! | [`capture`] | audio → worker | copies audio to the worker through lock-free rings |
//! | [`audition`] | worker → audio | plays the last ten seconds with other gains |
//! | [`worker`] | worker | analyzes windows, asks the model, publishes a [`view::View`] |
//! | [`panel`], [`editor`] | window | draws the view, sends commands |
//! | [`params`], [`state`] | all; main and worker | what hosts automate, and what projects keep |
//! | [`readouts`] | worker; all read | the advice as parameters that only the plugin changes |
//! | [`settings`], [`view`], [`library`], [`since`] | all | plain values that the modules above share |
//! | [`log`] | main | the log, for debugging |
//!
//! Dependencies point one way: panel → view, settings ← worker, state, params. The panel and the worker do not know
//! each other.

pub mod audition;
pub mod capture;
pub mod editor;
pub mod library;
pub mod log;
pub mod panel;
pub mod params;
pub mod platform;
pub mod plugin;
pub mod readouts;
pub mod report;
pub mod settings;
pub mod since;
pub mod state;
pub mod view;
pub mod worker;

pub use plugin::MixingBuddy;

nice_plug::nice_export_clap!(MixingBuddy);
nice_plug::nice_export_vst3!(MixingBuddy);
