//! Takes as files, for whoever asks for them.

use std::fs::DirBuilder;
use std::io::BufWriter;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::Context as _;
use wakeword::features::SAMPLE_RATE;

/// Makes the folder, before anybody speaks in vain.
pub fn folder(folder: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("{folder:?}: no folder for the takes"))
}

/// Writes each take as `NAME-N.wav`, with the first numbers that are free.
pub fn takes<'a>(folder: &Path, name: &str, takes: impl Iterator<Item = &'a [f32]>) -> anyhow::Result<()> {
    let mut free =
        (1..).map(|number| folder.join(format!("{name}-{number}.wav"))).filter(|path| !path.exists());
    for take in takes {
        let path = free.next().context("no name is free")?;
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE as u32,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        // For its owner alone, and there as a whole or not at all.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let mut writer = hound::WavWriter::new(BufWriter::new(&mut file), spec)?;
        for sample in take {
            writer.write_sample((sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16)?;
        }
        writer.finalize()?;
        file.persist_noclobber(&path).with_context(|| format!("{path:?}"))?;
    }
    Ok(())
}
