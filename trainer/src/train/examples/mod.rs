//! What the language model learns from: readings, simulated or measured, with a question and the right answer.

pub mod advice;
pub mod flaws;
pub mod preferences;
pub mod readings;
pub mod sequences;
pub mod simulate;
