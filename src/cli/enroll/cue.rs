//! Sounds that say when to speak, for whoever does not look at the screen.

use wakeword::audio::playback::play;

/// Bytes before the samples, as `enroll/cues/make.py` writes them: 16 kHz mono, 16 bits.
const HEADER: usize = 44;

/// A sound of `enroll/cues`.
#[derive(Clone, Copy)]
pub enum Cue {
    /// Speak now.
    Ready,
    /// That was no good.
    Again,
    /// It is over.
    Done,
}

impl Cue {
    /// Plays it, and returns when it is over. Without a loudspeaker nothing happens.
    pub fn play(self) {
        if let Err(error) = play(self.samples()) {
            tracing::debug!("no cue: {error}");
        }
    }

    fn samples(self) -> Vec<f32> {
        let bytes: &[u8] = match self {
            Self::Ready => include_bytes!("../../../enroll/cues/ready.wav"),
            Self::Again => include_bytes!("../../../enroll/cues/again.wav"),
            Self::Done => include_bytes!("../../../enroll/cues/done.wav"),
        };
        let sample = |two: &[u8]| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32768.0;
        bytes[HEADER..].chunks_exact(2).map(sample).collect()
    }
}
