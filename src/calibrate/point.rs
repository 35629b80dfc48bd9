//! Operating points, for people who want no numbers.

use serde::Serialize;

/// How careful to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Point {
    /// Rather missed than woken by somebody else.
    Strict,
    /// The usual one.
    #[default]
    Balanced,
    /// Rather woken by mistake than missed.
    Relaxed,
}

impl Point {
    /// All, the most careful first.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Balanced, Self::Relaxed];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Balanced => "balanced",
            Self::Relaxed => "relaxed",
        }
    }

    /// How many missed calls a wake by somebody else with the phrase is as bad as.
    pub(super) fn weight(self) -> f64 {
        match self {
            Self::Strict => 30.0,
            Self::Balanced => 9.0,
            Self::Relaxed => 1.0,
        }
    }

    /// The most false wakes in an hour of sound.
    pub(super) fn most_per_hour(self) -> f64 {
        match self {
            Self::Strict => 0.1,
            Self::Balanced => 0.5,
            Self::Relaxed => 2.0,
        }
    }
}
