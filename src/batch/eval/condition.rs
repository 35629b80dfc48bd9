//! What is done to a recording before the engine hears it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::audio::{AudioError, read_clip};
use crate::enroll::takes::{TakesError, audio_files};
use crate::features::level::noise_gain;

/// A way to hear recordings.
#[derive(Clone)]
pub enum Condition {
    /// As they are.
    Clean,
    /// With noise in which speech stands out by so many dB.
    Noise(Arc<Noises>, f32),
}

/// Noises to mix in.
pub struct Noises {
    beds: Vec<Vec<f32>>,
    seed: u64,
}

/// Noises that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoiseError {
    /// A folder cannot be read.
    #[error(transparent)]
    Folder(#[from] TakesError),
    /// A recording cannot be read.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// The folder holds none.
    #[error("{0}: no WAV or FLAC files; noises are recordings of at least a few seconds")]
    None(PathBuf),
    /// A recording without sound.
    #[error("{0}: digital silence is no noise")]
    Silent(PathBuf),
}

impl Noises {
    /// The recordings in `folder`, sorted by name; `seed` and the name of what is mixed choose the place.
    pub fn read(folder: &Path, seed: u64) -> Result<Self, NoiseError> {
        let mut beds = Vec::new();
        for path in audio_files(folder)? {
            let samples = read_clip(&path)?.samples;
            if samples.iter().all(|sample| *sample == 0.0) {
                return Err(NoiseError::Silent(path));
            }
            beds.push(samples);
        }
        if beds.is_empty() { Err(NoiseError::None(folder.into())) } else { Ok(Self { beds, seed }) }
    }

    /// Mixes noise into `samples`, `snr_db` below their speech.
    fn mix(&self, samples: &mut [f32], name: &str, snr_db: f32) {
        let mut hash = Sha256::new_with_prefix(self.seed.to_le_bytes());
        hash.update(name);
        let digest: [u8; 32] = hash.finalize().into();
        let draw = |at: usize, below: usize| {
            let number = digest[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            (number % below as u64) as usize
        };
        let bed = &self.beds[draw(0, self.beds.len())];
        let start = draw(8, bed.len());
        let noise: Vec<f32> =
            bed[start..].iter().chain(bed.iter().cycle()).take(samples.len()).copied().collect();
        let gain = noise_gain(samples, &noise, snr_db);
        samples
            .iter_mut()
            .zip(noise)
            .for_each(|(sample, noise)| *sample = (*sample + gain * noise).clamp(-1.0, 1.0));
    }
}

impl Condition {
    /// Its name: `clean`, `10 dB`.
    pub fn name(&self) -> String {
        match self {
            Condition::Clean => "clean".into(),
            Condition::Noise(_, snr_db) => format!("{snr_db} dB"),
        }
    }

    /// `samples` of the recording `name` (16 kHz mono) as heard in this condition: always the same.
    pub fn apply(&self, name: &str, samples: &mut [f32]) {
        match self {
            Condition::Clean => {}
            Condition::Noise(noises, snr_db) => noises.mix(samples, name, *snr_db),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::level::power;

    fn tone(seconds: usize, amplitude: f32) -> Vec<f32> {
        (0..seconds * 16_000).map(|n| amplitude * (n as f32 * 0.3).sin()).collect()
    }

    #[test]
    fn noise_never_misses_its_level_for_the_pauses_around_the_speech() {
        for (pause, snr) in [(0, 10.0), (3, 10.0), (9, 0.0)] {
            let clean = [tone(1, 0.2), vec![0.0; pause * 16_000]].concat();
            let bed: Vec<f32> = (0..7_919).map(|n| ((n * n % 997) as f32 / 997.0 - 0.5) * 0.1).collect();
            let condition = Condition::Noise(Arc::new(Noises { beds: vec![bed], seed: 1 }), snr);
            let mut noisy = clean.clone();
            condition.apply("a", &mut noisy);
            let noise: Vec<f32> = noisy.iter().zip(&clean).map(|(noisy, clean)| noisy - clean).collect();
            let found = 10.0 * (power(&clean[..16_000]) / power(&noise)).log10();
            assert!((found - f64::from(snr)).abs() < 0.1, "{found} dB, not {snr}");
            let mut again = clean.clone();
            condition.apply("a", &mut again);
            assert_eq!(noisy, again);
            condition.apply("b", &mut again);
            assert_ne!(noisy, again);
        }
    }
}
