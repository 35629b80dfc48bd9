//! `bench-oww-rs RECORDING`: listens for the crate's own "Alexa", and prints the second of each detection in the
//! recording (16 kHz mono, 16 bits).

use oww_rs::config::SpeechUnlockType::OpenWakeWordAlexa;
use oww_rs::oww::{OWW_MODEL_CHUNK_SIZE, OwwModel};

/// The crate's default.
const THRESHOLD: f32 = 0.3;
const RATE: usize = 16_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let recording = std::env::args().nth(1).ok_or("usage: bench-oww-rs RECORDING")?;
    let mut model = OwwModel::new(OpenWakeWordAlexa, THRESHOLD)?;
    let mut wav = hound::WavReader::open(recording)?;
    let mut samples = wav.samples::<i16>();
    let mut heard = 0;
    loop {
        let audio = samples.by_ref().take(OWW_MODEL_CHUNK_SIZE).collect::<Result<Vec<i16>, _>>()?;
        if audio.len() < OWW_MODEL_CHUNK_SIZE {
            return Ok(());
        }
        heard += OWW_MODEL_CHUNK_SIZE;
        let audio = audio.into_iter().map(|sample| f32::from(sample) / 32_768.0).collect();
        if model.detection(audio).detected {
            println!("{:.3}", heard as f64 / RATE as f64);
        }
    }
}
