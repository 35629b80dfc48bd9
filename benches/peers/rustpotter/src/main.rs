//! `bench-rustpotter RECORDING TAKE...`: enrols the takes with the settings that rustpotter has by default, and prints the
//! second of each detection in the recording (16 kHz mono, 16 bits).

use rustpotter::{Rustpotter, RustpotterConfig, WakewordRef, WakewordRefBuildFromFiles as _};

/// What rustpotter's own command line uses.
const MFCC_SIZE: u16 = 16;
const RATE: usize = 16_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let recording = arguments.next().ok_or("usage: bench-rustpotter RECORDING TAKE...")?;
    let takes = arguments.collect();
    let phrase = WakewordRef::new_from_sample_files("phrase".into(), None, None, takes, MFCC_SIZE)?;
    let mut detector = Rustpotter::new(&RustpotterConfig::default())?;
    detector.add_wakeword_ref("phrase", phrase)?;

    let mut wav = hound::WavReader::open(recording)?;
    let mut samples = wav.samples::<i16>();
    let block = detector.get_samples_per_frame();
    let mut heard = 0;
    loop {
        let audio = samples.by_ref().take(block).collect::<Result<Vec<i16>, _>>()?;
        if audio.len() < block {
            return Ok(());
        }
        heard += block;
        let audio: Vec<f32> = audio.into_iter().map(|sample| f32::from(sample) / 32_768.0).collect();
        if detector.process_samples(audio).is_some() {
            println!("{:.3}", heard as f64 / RATE as f64);
        }
    }
}
