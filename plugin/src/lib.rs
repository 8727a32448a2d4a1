//! The plugin: VST3, CLAP and standalone.

pub mod view;
