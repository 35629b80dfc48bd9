//! What to expect of a profile at each threshold, from its own takes, and the threshold to choose.
//!
//! docs/calibration.md says where the figures below come from and how far the estimates are from what was measured.

mod genuine;
mod outlook;
mod point;
mod room;
#[cfg(test)]
mod tests;

pub use outlook::{Expectation, Outlook};
pub use point::Point;
pub use room::{Room, RoomMonitor};
