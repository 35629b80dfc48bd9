//! Keyword spotting: encoder vectors, template matching and score normalisation.

pub mod bank;
pub mod cohort;
mod dtw;
pub mod encoder;
pub mod path;
pub mod score;

#[cfg(test)]
mod tests;

pub use cohort::Cohort;
