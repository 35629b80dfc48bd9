//! Short sounds to the default loudspeaker.

use std::sync::mpsc::channel;
use std::time::Duration;

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};

use crate::features::SAMPLE_RATE;

/// How long a sound is still heard after its last sample was asked for: the sound system's own delay.
const LINGERS: Duration = Duration::from_millis(500);
/// Longest wait for a device that takes nothing.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);

/// Why nothing was heard.
#[derive(Debug, thiserror::Error)]
pub enum PlaybackError {
    #[error("no loudspeaker")]
    NoDevice,
    /// It cannot be used: a bare sound card may not take 16 kHz mono, ALSA's default device does.
    #[error(transparent)]
    Device(#[from] cpal::Error),
    /// It takes nothing.
    #[error("the loudspeaker takes nothing")]
    Stalled,
}

/// Plays `samples` (16 kHz mono), and returns when they are over.
pub fn play(samples: Vec<f32>) -> Result<(), PlaybackError> {
    let device = cpal::default_host().default_output_device().ok_or(PlaybackError::NoDevice)?;
    let config = cpal::StreamConfig {
        channels: 1,
        sample_rate: SAMPLE_RATE as u32,
        buffer_size: cpal::BufferSize::Default,
    };
    let mut samples = samples.into_iter();
    let (end, ended) = channel();
    let fill = move |out: &mut [f32], _: &cpal::OutputCallbackInfo| {
        out.fill_with(|| samples.next().unwrap_or(0.0));
        if samples.len() == 0 {
            let _ = end.send(());
        }
    };
    let stream = device.build_output_stream(config, fill, |_| {}, Some(OPEN_TIMEOUT))?;
    stream.play()?;
    ended.recv_timeout(OPEN_TIMEOUT).map_err(|_| PlaybackError::Stalled)?;
    std::thread::sleep(LINGERS);
    Ok(())
}
