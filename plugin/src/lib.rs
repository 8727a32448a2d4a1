//! The plugin: VST3, CLAP and standalone.

pub mod panel;
pub mod view;
