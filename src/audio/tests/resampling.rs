use super::*;

fn convert(rate: u32, input: &[f32], mut next_block: impl FnMut() -> usize) -> Vec<f32> {
    let mut resampler = Resampler::new(rate).unwrap();
    let (mut out, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(next_block().min(rest.len()));
        resampler.push(now, &mut out).unwrap();
        rest = later;
    }
    resampler.finish(&mut out).unwrap();
    out
}

/// Power of `actual - expected` relative to `expected` in dB, without 100 ms at either edge.
fn error_db(actual: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let middle = 1600..actual.len() - 1600;
    let power =
        |values: &mut dyn Iterator<Item = f32>| -> f64 { values.map(|v| f64::from(v) * f64::from(v)).sum() };
    let pairs = actual[middle.clone()].iter().zip(&expected[middle.clone()]);
    let error = power(&mut pairs.map(|(a, e)| a - e));
    10.0 * (error / power(&mut expected[middle].iter().copied())).log10()
}

#[test]
fn a_tone_does_not_change_pitch_level_or_place() {
    // An error of -60 dB on a 1 kHz tone also bounds the time shift to 0.003 samples.
    for rate in [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 176_400, 192_000] {
        let out = convert(rate, &sine(1000.0, rate, 2 * rate as usize, 0.5), || 1000);
        let error = error_db(&out, &sine(1000.0, 16_000, 32_000, 0.5));
        assert!(error < -60.0, "{rate} Hz: error {error:.1} dB");
    }
}

#[test]
fn an_awkward_rate_is_not_refused_or_degraded() {
    for rate in [8_001, 44_101, 191_999] {
        let out = convert(rate, &sine(1000.0, rate, rate as usize, 0.5), || 4096);
        let error = error_db(&out, &sine(1000.0, 16_000, 16_000, 0.5));
        assert!(error < -60.0, "{rate} Hz: error {error:.1} dB");
    }
}

#[test]
fn speech_frequencies_are_not_dulled() {
    for rate in [44_100, 48_000] {
        let out = convert(rate, &sine(7000.0, rate, rate as usize, 0.5), || 480);
        let error = error_db(&out, &sine(7000.0, 16_000, 16_000, 0.5));
        assert!(error < -60.0, "{rate} Hz: error {error:.1} dB");
    }
}

#[test]
fn ultrasound_does_not_alias_into_speech() {
    for (rate, hz) in [(48_000, 12_000.0), (44_100, 9_000.0), (192_000, 40_000.0)] {
        let out = convert(rate, &sine(hz, rate, rate as usize, 0.5), || 480);
        let peak = out[1600..14_400].iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
        assert!(peak < 0.0005, "{rate} Hz: {hz} Hz leaves {peak}");
    }
}

#[test]
fn block_sizes_do_not_change_the_samples() {
    let mut noise = Noise(7);
    for rate in [8_000, 16_000, 44_100, 48_000] {
        let input: Vec<f32> = (0..rate).map(|_| noise.below(65_536) as f32 / 32_768.0 - 1.0).collect();
        let whole = convert(rate, &input, || usize::MAX);
        assert_eq!(convert(rate, &input, || 1), whole);
        assert_eq!(convert(rate, &input, || noise.below(3000)), whole);
    }
}

#[test]
fn no_sample_is_lost_or_added() {
    for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 192_000] {
        for frames in [0, 1, 2, 3, 441, 1439, 1440, 1441, 30_000] {
            let expected = (frames as f64 * 16_000.0 / f64::from(rate)).round() as usize;
            let out = convert(rate, &vec![0.1; frames], || 777);
            assert_eq!(out.len(), expected, "{frames} frames at {rate} Hz");
        }
    }
}

#[test]
fn a_click_does_not_move() {
    for rate in [8_000, 44_100, 48_000, 192_000] {
        let mut input = vec![0.0; rate as usize];
        input[rate as usize / 2] = 1.0;
        let out = convert(rate, &input, || 512);
        let peak = (0..out.len()).max_by(|&a, &b| out[a].abs().total_cmp(&out[b].abs()));
        assert_eq!(peak, Some(8000), "{rate} Hz");
    }
}

#[test]
fn a_second_stream_does_not_hear_the_first() {
    let tone = sine(440.0, 48_000, 10_000, 0.5);
    let mut resampler = Resampler::new(48_000).unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    resampler.push(&vec![1.0; 5000], &mut first).unwrap();
    resampler.finish(&mut first).unwrap();
    resampler.push(&tone, &mut second).unwrap();
    resampler.finish(&mut second).unwrap();
    assert_eq!(second, convert(48_000, &tone, || 10_000));
}

#[test]
fn rates_out_of_range_are_refused() {
    for rate in [0, 1, 7_999, 192_001, u32::MAX] {
        assert!(matches!(Resampler::new(rate), Err(AudioErrorKind::UnsupportedRate(_))));
    }
}
