//! Whole folders of recordings through the daemon's engine.

pub mod autokws;
pub mod score;
