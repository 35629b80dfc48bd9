//! Keyword spotting: encoder vectors, template matching and score normalisation.

pub mod bank;
pub mod cohort;
mod dtw;
pub mod encoder;
pub mod score;

pub use cohort::Cohort;
