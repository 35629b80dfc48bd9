//! The sound of a recording, before any network hears it.

use std::ops::Range;

use serde::Serialize;

use crate::features::SAMPLE_RATE;
use crate::features::level::{dbfs, snr_db};
use crate::features::vad::{BLOCK, SPEECH, Vad};

/// Absolute value from which on a sample counts as clipped.
const FULL_SCALE: f32 = 0.99;

/// How a recording of a phrase sounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Signal {
    /// Speech within the phrase, in seconds.
    pub speech_s: f32,
    /// Level of the phrase.
    pub level_dbfs: f32,
    /// Share of the phrase's samples at full scale, 0 to 1.
    pub clipped: f32,
    /// Signal-to-noise ratio of the recording.
    pub snr_db: f32,
}

impl Signal {
    /// Measures `recording` (16 kHz mono) with a phrase at `span`.
    pub fn measure(recording: &[f32], span: &Range<usize>) -> Self {
        let phrase = &recording[span.clone()];
        let clipped = phrase.iter().filter(|sample| sample.abs() >= FULL_SCALE).count();
        Self {
            speech_s: speech(recording, span),
            level_dbfs: dbfs(phrase),
            clipped: clipped as f32 / phrase.len() as f32,
            snr_db: snr_db(recording),
        }
    }
}

/// Seconds of speech within `span` of `recording`.
fn speech(recording: &[f32], span: &Range<usize>) -> f32 {
    let mut vad = Vad::new(SPEECH, BLOCK as f32 / SAMPLE_RATE as f32);
    let mut blocks = 0;
    for (index, block) in recording.chunks_exact(BLOCK).enumerate() {
        let middle = index * BLOCK + BLOCK / 2;
        if vad.push(block) && span.contains(&middle) {
            blocks += 1;
        }
    }
    (blocks * BLOCK) as f32 / SAMPLE_RATE as f32
}
