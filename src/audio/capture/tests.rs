//! The way from the callback to the reader, driven without a device.

use proptest::prelude::*;

use super::intake::{Intake, Outlet};
use super::timeline::Timeline;
use super::*;

const RATE: u32 = 48_000;
/// Frames of 10 ms.
const BLOCK: usize = 480;

fn take(outlet: &mut Outlet) -> Vec<f32> {
    let mut out = Vec::new();
    outlet.take(&mut out);
    out
}

/// What arrives of `samples`, all pushed at once.
fn heard<T: Pcm>(channels: u16, choice: ChannelChoice, samples: &[T]) -> Vec<f32> {
    let (mut intake, mut outlet) = Intake::new(RATE, channels, choice);
    intake.push(samples, 1_000_000, 0);
    take(&mut outlet)
}

#[test]
fn no_sample_format_is_misread() {
    fn check<T: Pcm>(samples: [T; 4]) {
        let out = heard(1, ChannelChoice::Mix, &samples);
        assert_eq!(out, [-1.0, -0.5, 0.0, 0.5], "{}", std::any::type_name::<T>());
    }
    check([i8::MIN, -64, 0, 64]);
    check([i16::MIN, -16_384, 0, 16_384]);
    check([i32::MIN, -(1 << 30), 0, 1 << 30]);
    check([i64::MIN, -(1 << 62), 0, 1 << 62]);
    check([0u8, 64, 128, 192]);
    check([0u16, 1 << 14, 1 << 15, 3 << 14]);
    check([0u32, 1 << 30, 1 << 31, 3 << 30]);
    check([0u64, 1 << 62, 1 << 63, 3 << 62]);
    check([-1.0f32, -0.5, 0.0, 0.5]);
    check([-1.0f64, -0.5, 0.0, 0.5]);
    check([-(1 << 23), -(1 << 22), 0, 1 << 22].map(cpal::I24::new_unchecked));
    check([0, 1 << 22, 1 << 23, 3 << 22].map(cpal::U24::new_unchecked));
    // Without the sign in the fourth byte, as some drivers leave it.
    check([0x80_0000, 0xC0_0000, 0, 1 << 22].map(cpal::I24::new_unchecked));
}

#[test]
fn values_that_are_no_numbers_become_silence() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0, -1e30, 0.25];
    assert_eq!(heard(1, ChannelChoice::Mix, &odd), [0.0, 1.0, -1.0, 1.0, -1.0, 0.25]);
    assert_eq!(heard(1, ChannelChoice::Mix, &[f64::NAN, 1e300]), [0.0, 1.0]);
}

#[test]
fn the_chosen_channel_is_heard() {
    let frames: Vec<f32> = (0..600).flat_map(|n| [n as f32 / 1000.0, -0.5, 0.25]).collect();
    let first: Vec<f32> = (0..600).map(|n| n as f32 / 1000.0).collect();
    assert_eq!(heard(3, ChannelChoice::Only(1.try_into().unwrap()), &frames), first);
    assert_eq!(heard(3, ChannelChoice::Only(2.try_into().unwrap()), &frames), [-0.5; 600]);
    assert_eq!(heard(3, ChannelChoice::Only(3.try_into().unwrap()), &frames), [0.25; 600]);
    for (mixed, first) in heard(3, ChannelChoice::Mix, &frames).iter().zip(&first) {
        assert!((mixed - (first - 0.25) / 3.0).abs() < 1e-6);
    }
}

#[test]
fn digital_silence_differs_from_a_quiet_room() {
    let (mut intake, outlet) = Intake::new(RATE, 1, ChannelChoice::Mix);
    let silent = || outlet.flow.silent.load(Relaxed);
    intake.push(&[0i16; BLOCK], 0, 0);
    intake.push(&[0i16; BLOCK], 0, 0);
    assert_eq!(silent(), 2 * BLOCK as u64);
    let mut quiet = [0i16; BLOCK];
    quiet[BLOCK - 10] = 1;
    intake.push(&quiet, 0, 0);
    assert_eq!(silent(), 9);
}

#[test]
fn every_lost_sample_is_counted() {
    let (mut intake, mut outlet) = Intake::new(RATE, 2, ChannelChoice::Mix);
    let mut arrived = 0;
    let blocks = 1_001u64;
    for number in 0..blocks {
        intake.push(&[0.5f32; 2 * BLOCK], number * 10_000, 0);
        if number == 600 {
            arrived += take(&mut outlet).len() as u64;
        }
    }
    arrived += take(&mut outlet).len() as u64;
    assert_eq!(arrived + outlet.dropped(), blocks * BLOCK as u64);
    assert_eq!(outlet.dropped(), 201 * BLOCK as u64, "beyond four seconds, the first time");
    assert_eq!(outlet.overruns(), 1, "the second time the ring is exactly full");
    intake.push(&[0.5f32; 2 * BLOCK], blocks * 10_000, 0);
    assert_eq!((outlet.overruns(), outlet.dropped()), (1, 201 * BLOCK as u64));
}

#[test]
fn audio_is_dated_by_its_capture() {
    let (mut intake, mut outlet) = Intake::new(RATE, 1, ChannelChoice::Mix);
    // Its first frame was heard at 7 s; each block comes 30 ms after its first frame was heard.
    for number in 0..300u64 {
        intake.push(&[0.5f32; BLOCK], 7_030_000 + number * 10_000, 30_000);
    }
    let taken = take(&mut outlet).len() as f64;
    assert_eq!(taken, 3.0 * f64::from(RATE));
    assert!(outlet.heard_us(0.0, RATE).abs_diff(7_000_000) < 5);
    assert!(outlet.heard_us(taken, RATE).abs_diff(10_000_000) < 5);
}

/// Frames missing after blocks of 10 ms, of which `lateness` says how late each is, in microseconds,
/// and how many of its frames are lost. The device's clock is off by `drift`.
fn missing(drift: f64, blocks: usize, mut fate: impl FnMut(usize) -> (u64, u64)) -> u64 {
    let mut timeline = Timeline::new(RATE);
    let mut all = 0;
    for number in 0..blocks {
        let (late, lost) = fate(number);
        all += BLOCK as u64;
        let heard = 5e6 + all as f64 * 1e6 / f64::from(RATE) * (1.0 + drift);
        timeline.push(BLOCK as u64 - lost, heard as u64 + late);
    }
    timeline.missing()
}

const HOUR: usize = 360_000;

#[test]
fn clock_drift_is_no_loss() {
    for drift in [-500e-6, -100e-6, 0.0, 100e-6, 500e-6, 900e-6] {
        let uneven = |number: usize| ((number as u64 * 7919) % 9_000, 0);
        assert_eq!(missing(drift, HOUR, uneven), 0, "{drift}");
    }
}

#[test]
fn a_slow_start_is_no_loss() {
    // What waited for the first 400 ms comes at once.
    assert_eq!(missing(0.0, 1_000, |number| (400_000u64.saturating_sub(number as u64 * 10_000), 0)), 0);
}

#[test]
fn missing_audio_is_noticed() {
    // A tenth of a second, once: known within three seconds.
    let once = missing(100e-6, 800, |number| (0, if (500..510).contains(&number) { 480 } else { 0 }));
    assert!(once.abs_diff(4_800) < 100, "{once} of 4800 frames");
    // One in a hundred, all the time.
    let steady =
        missing(0.0, 6_000, |number| ((number as u64 * 7919) % 5_000, if number % 2 == 0 { 10 } else { 0 }));
    assert!((24_000..=31_000).contains(&steady), "{steady} of 30000 frames");
    // More than half of it, as from a server without time to run.
    let half = missing(0.0, 6_000, |number| (0, if number % 2 == 0 { 480 } else { 0 }));
    assert!((1_380_000..=1_440_000).contains(&half), "{half} of 1440000 frames");
}

proptest! {
    #[test]
    fn scheduling_jitter_is_no_loss(
        lateness in prop::collection::vec(0u64..10_000, 1_000..3_000),
        stall in 0usize..1_000, length in 0usize..50,
    ) {
        // Besides, the reader is kept from running for up to half a second, and then catches up.
        let lost = missing(200e-6, lateness.len(), |number| {
            let held = if (stall..stall + length).contains(&number) { (stall + length - number) as u64 } else { 0 };
            (lateness[number] + held * 10_000, 0)
        });
        prop_assert_eq!(lost, 0);
    }
}

#[test]
fn every_error_says_whether_to_try_again() {
    let of = |kind| CaptureError::new("kitchen", &cpal::Error::new(kind)).retry();
    for kind in [
        ErrorKind::DeviceNotAvailable,
        ErrorKind::DeviceBusy,
        ErrorKind::HostUnavailable,
        ErrorKind::BackendError,
    ] {
        assert_eq!(of(kind), Retry::Later, "{kind:?}");
    }
    assert_eq!(of(ErrorKind::StreamInvalidated), Retry::Now);
    for kind in [ErrorKind::PermissionDenied, ErrorKind::UnsupportedConfig] {
        assert_eq!(of(kind), Retry::Never, "{kind:?}");
    }
}

#[test]
fn recoverable_errors_do_not_end_a_stream() {
    let (trouble, flow) = (Trouble::default(), Flow::default());
    for kind in [ErrorKind::Xrun, ErrorKind::DeviceChanged, ErrorKind::RealtimeDenied, ErrorKind::Xrun] {
        trouble.note(cpal::Error::with_message(kind, "so it is"), &flow);
    }
    assert!(trouble.fatal.get().is_none());
    assert_eq!(flow.xruns.load(Relaxed), 2);
    assert_eq!(trouble.denied.get().map(String::as_str), Some("so it is"));
    for message in ["the cause", "its consequence"] {
        trouble.note(cpal::Error::with_message(ErrorKind::BackendError, message), &flow);
    }
    assert_eq!(trouble.fatal.get().unwrap().to_string(), "the cause");
}
