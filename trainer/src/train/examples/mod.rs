//! Training examples of the language model: readings, simulated or measured, each with a question and the right answer.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`sequences`] | lays prompts and answers out in a batch |
//! | [`advice`] | an example, its question, and the loss |
//! | [`simulate`] | examples with simulated readings |
//! | [`mix_reading`] | flawed mixes of real songs as an encoder reads them |
//! | [`tuning`] | examples of tuning runs |
//! | [`held_out`] | mixes that calibration and ablations measure with |
//! | [`conversations`] | simulated readings with questions and answers in the large model's words |
//! | [`preferences`] | pairs of a right and a wrong answer |

pub mod advice;
pub mod conversations;
pub mod held_out;
pub mod mix_reading;
pub mod preferences;
pub mod sequences;
pub mod simulate;
pub mod tuning;
