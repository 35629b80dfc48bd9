//! Acoustic conditions in which recordings are evaluated.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::acoustics::room::Rooms;
use crate::acoustics::telephone;
use crate::audio::{AudioError, read_clip};
use crate::enroll::takes::{TakesError, audio_files};
use crate::features::level::{level_gain, noise_gain};

/// An acoustic condition.
#[derive(Clone)]
pub enum Condition {
    /// Unchanged.
    Clean,
    /// With noise, at this signal-to-noise ratio in dB.
    Noise(Arc<Noises>, f32),
    /// At two metres in a room with this reverberation time (RT60) in seconds.
    Room(Arc<Rooms>, f32),
    /// In such a room, with noise at this ratio in dB to the speech that arrives.
    NoisyRoom(Arc<Rooms>, f32, Arc<Noises>, f32),
    /// Through a telephone line.
    Telephone,
    /// At this active speech level in dBFS, rounded to 16 bits.
    Level(f32),
}

/// Recordings of noise, 16 kHz mono.
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
    /// Reads the recordings in `folder`, sorted by name. `seed` and the name of a clip choose which part is mixed in.
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
        let bed = &self.beds[draw(self.seed, name, 0, self.beds.len())];
        let start = draw(self.seed, name, 1, bed.len());
        let noise: Vec<f32> =
            bed[start..].iter().chain(bed.iter().cycle()).take(samples.len()).copied().collect();
        let gain = noise_gain(samples, &noise, snr_db);
        samples
            .iter_mut()
            .zip(noise)
            .for_each(|(sample, noise)| *sample = (*sample + gain * noise).clamp(-1.0, 1.0));
    }
}

/// A number below `limit`: the `index`th that `seed` and `name` give.
fn draw(seed: u64, name: &str, index: usize, limit: usize) -> usize {
    let digest: [u8; 32] = Sha256::new_with_prefix(seed.to_le_bytes()).chain_update(name).finalize().into();
    let number = digest[8 * index..][..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    (number % limit as u64) as usize
}

impl Condition {
    /// Its name: `clean`, `10 dB`, `room 0.5 s`, `room 0.5 s, 10 dB`.
    pub fn name(&self) -> String {
        match self {
            Condition::Clean => "clean".into(),
            Condition::Noise(_, snr_db) => format!("{snr_db} dB"),
            Condition::Room(_, rt60) => format!("room {rt60} s"),
            Condition::NoisyRoom(_, rt60, _, snr_db) => format!("room {rt60} s, {snr_db} dB"),
            Condition::Telephone => "telephone".into(),
            Condition::Level(dbfs) => format!("{dbfs} dBFS"),
        }
    }

    /// `samples` of the recording `name` (16 kHz mono) as heard in this condition: always the same.
    pub fn apply(&self, name: &str, samples: &mut [f32]) {
        match self {
            Condition::Clean => {}
            Condition::Noise(noises, snr_db) => noises.mix(samples, name, *snr_db),
            Condition::Room(rooms, _) => rooms.apply(samples, draw(0, name, 0, usize::MAX)),
            // The noises were recorded in places of their own.
            Condition::NoisyRoom(rooms, rt60, noises, snr_db) => {
                Condition::Room(rooms.clone(), *rt60).apply(name, samples);
                noises.mix(samples, name, *snr_db);
            }
            Condition::Telephone => telephone(samples),
            Condition::Level(dbfs) => {
                let gain = level_gain(samples, *dbfs);
                let whole = |sample: f32| (sample * 32768.0).round().clamp(-32768.0, 32767.0) / 32768.0;
                samples.iter_mut().for_each(|sample| *sample = whole(*sample * gain));
            }
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
    fn noise_is_mixed_relative_to_active_speech() {
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

    #[test]
    fn noise_in_a_room_is_dry_and_at_its_level() {
        let noises = Arc::new(Noises { beds: vec![tone(2, 0.1)], seed: 1 });
        let rooms = Arc::new(Rooms::new(0.3, 1));
        let heard = |condition: Condition| {
            let mut samples: Vec<f32> = (0..16_000).map(|n| 0.2 * (n as f32 * 0.05).sin()).collect();
            condition.apply("a", &mut samples);
            samples
        };
        let quiet = heard(Condition::Room(rooms.clone(), 0.3));
        let noisy = heard(Condition::NoisyRoom(rooms, 0.3, noises, 10.0));
        let noise: Vec<f32> = noisy.iter().zip(&quiet).map(|(noisy, quiet)| noisy - quiet).collect();
        let found = 10.0 * (power(&quiet) / power(&noise)).log10();
        assert!((found - 10.0).abs() < 0.5, "{found} dB");
        // A tone as it was recorded: two neighbours of each sample say what it is.
        let factor = 2.0 * 0.3f32.cos();
        assert!(noise.windows(3).all(|three| (three[0] + three[2] - factor * three[1]).abs() < 1e-3));
    }

    #[test]
    fn levels_are_of_active_speech_in_sixteen_bits() {
        for pause in [0, 9] {
            let mut samples = [tone(1, 0.2), vec![0.0; pause * 16_000]].concat();
            Condition::Level(-50.0).apply("a", &mut samples);
            assert!((10.0 * power(&samples[..16_000]).log10() + 50.0).abs() < 0.1);
            assert!(samples.iter().all(|sample| (sample * 32768.0).fract() == 0.0));
        }
    }
}
