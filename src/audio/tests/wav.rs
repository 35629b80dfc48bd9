use super::*;

/// 16-bit mono 16 kHz, the format most tests use.
fn plain() -> Vec<u8> {
    fmt(1, 1, 16_000, 16)
}

fn samples_of(bytes: &[u8]) -> Vec<f32> {
    let scratch = Scratch::new();
    let clip = read_clip(&scratch.file("a.wav", bytes)).unwrap();
    assert_eq!(clip.info.format, "WAV");
    clip.samples
}

fn failure_of(bytes: &[u8]) -> (Vec<f32>, Option<AudioErrorKind>) {
    let scratch = Scratch::new();
    drain(&scratch.file("a.wav", bytes))
}

#[test]
fn sixteen_bit_at_16_khz_is_not_altered() {
    let (codes, samples) = ramp(10_000);
    assert_eq!(samples_of(&wav(1, 1, 16_000, 16, &i16_bytes(&codes))), samples);
}

#[test]
fn a_list_chunk_before_data_does_not_shift_samples() {
    let (codes, samples) = ramp(100);
    let list = chunk(b"LIST", 26, b"INFOISFT\x0e\0\0\0Lavf59.27.100\0");
    let data = chunk(b"data", 200, &i16_bytes(&codes));
    assert_eq!(samples_of(&riff(None, &[plain(), list.clone(), data.clone()])), samples);
    assert_eq!(samples_of(&riff(None, &[plain(), data, list])), samples);
}

#[test]
fn an_odd_chunk_does_not_misalign_the_next() {
    let (codes, samples) = ramp(100);
    let data = chunk(b"data", 200, &i16_bytes(&codes));
    let odd = chunk(b"junk", 3, b"abc");
    assert_eq!(samples_of(&riff(None, &[odd.clone(), plain(), odd, data])), samples);
}

#[test]
fn sample_formats_do_not_differ_in_level() {
    let steps = [-128i32, -64, -1, 0, 1, 64, 127];
    let expected: Vec<f32> = steps.iter().map(|&s| s as f32 / 128.0).collect();
    let int = |bytes: usize| -> Vec<u8> {
        steps.iter().flat_map(|s| (s << 24).to_le_bytes()[4 - bytes..].to_vec()).collect()
    };
    let u8s: Vec<u8> = steps.iter().map(|s| (s + 128) as u8).collect();
    let f32s: Vec<u8> = expected.iter().flat_map(|s| s.to_le_bytes()).collect();
    let f64s: Vec<u8> = expected.iter().flat_map(|&s| f64::from(s).to_le_bytes()).collect();
    assert_eq!(samples_of(&wav(1, 1, 16_000, 8, &u8s)), expected);
    assert_eq!(samples_of(&wav(1, 1, 16_000, 16, &int(2))), expected);
    assert_eq!(samples_of(&wav(1, 1, 16_000, 24, &int(3))), expected);
    assert_eq!(samples_of(&wav(1, 1, 16_000, 32, &int(4))), expected);
    assert_eq!(samples_of(&wav(3, 1, 16_000, 32, &f32s)), expected);
    assert_eq!(samples_of(&wav(3, 1, 16_000, 64, &f64s)), expected);
}

#[test]
fn channels_are_averaged_not_interleaved_or_summed() {
    let frames = [[1000i16, 3000], [-32_768, -32_768], [32_767, -32_767]];
    let bytes = i16_bytes(frames.as_flattened());
    let expected = [2000.0 / 32_768.0, -1.0, 0.0];
    assert_eq!(samples_of(&wav(1, 2, 16_000, 16, &bytes)), expected);

    let eight: Vec<i16> = (0..16).map(|i| i * 80).collect();
    let expected = [280.0 / 32_768.0, 920.0 / 32_768.0];
    assert_eq!(samples_of(&wav(1, 8, 16_000, 16, &i16_bytes(&eight))), expected);
}

#[test]
fn channels_of_opposite_polarity_are_an_error() {
    let stereo = |left: i16, right: i16| {
        let codes: Vec<i16> = (0..8000).flat_map(|n| [left, right].map(|code| code * (n % 7 - 3))).collect();
        failure_of(&wav(1, 2, 16_000, 16, &i16_bytes(&codes))).1
    };
    assert!(matches!(stereo(1000, -1000), Some(AudioErrorKind::OppositeChannels)));
    assert!(matches!(stereo(1000, -900), Some(AudioErrorKind::OppositeChannels)));
    for (left, right) in [(1000, 1000), (1000, 0), (1000, -500), (0, 0)] {
        assert!(stereo(left, right).is_none(), "{left} {right}");
    }
}

#[test]
fn files_written_by_hound_are_not_refused() {
    let scratch = Scratch::new();
    // hound writes WAVE_FORMAT_EXTENSIBLE for 24 bits and for more than two channels.
    for (channels, bits) in [(1, 8), (1, 16), (2, 24), (6, 16), (8, 32)] {
        let path = scratch.path(format!("{channels}-{bits}.wav"));
        let sample_format = hound::SampleFormat::Int;
        let spec = hound::WavSpec { channels, sample_rate: 16_000, bits_per_sample: bits, sample_format };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for _ in 0..480 * channels {
            writer.write_sample(1i32 << (bits - 3)).unwrap();
        }
        writer.finalize().unwrap();
        let clip = read_clip(&path).unwrap();
        assert_eq!(clip.samples, [0.25; 480], "{channels} channels, {bits} bits");
        assert_eq!(clip.info.frames, Some(480));
    }
}

#[test]
fn audio_behind_open_sizes_is_read() {
    let (codes, samples) = ramp(5000);
    let body = i16_bytes(&codes);
    for size in [0, 0x7FFF_F000, 0x8000_0000, u32::MAX] {
        for riff_size in [0, 36, 0x7FFF_F024, u32::MAX] {
            let bytes = riff(Some(riff_size), &[plain(), chunk(b"data", size, &body)]);
            assert_eq!(samples_of(&bytes), samples, "data {size:#x}, RIFF {riff_size:#x}");
        }
    }
}

#[test]
fn a_size_of_64_bits_is_never_ignored() {
    let (codes, samples) = ramp(5000);
    let list = chunk(b"LIST", 4, b"INFO");
    for magic in [b"RF64", b"BW64"] {
        let with_size = |size: u64| {
            let long = [&0u64.to_le_bytes()[..], &size.to_le_bytes(), &[0; 12]].concat();
            let body = [
                chunk(b"ds64", 28, &long),
                plain(),
                chunk(b"data", u32::MAX, &i16_bytes(&codes)),
                list.clone(),
            ];
            [&magic[..], &u32::MAX.to_le_bytes(), b"WAVE", &body.concat()].concat()
        };
        assert_eq!(samples_of(&with_size(10_000)), samples, "what follows is no audio");
        let (_, error) = failure_of(&with_size(1 << 40));
        assert!(
            matches!(error, Some(AudioErrorKind::Truncated { promised, .. }) if promised == 1 << 39),
            "{error:?}"
        );
    }
}

#[test]
fn an_honestly_empty_data_chunk_does_not_make_metadata_audible() {
    let list = chunk(b"LIST", 4, b"INFO");
    let (samples, error) = failure_of(&riff(None, &[plain(), chunk(b"data", 0, &[]), list]));
    assert!(samples.is_empty());
    assert!(matches!(error, Some(AudioErrorKind::Empty)), "{error:?}");
}

#[test]
fn a_truncated_file_is_not_silently_short() {
    let (codes, samples) = ramp(5000);
    let mut bytes = wav(1, 1, 16_000, 16, &i16_bytes(&codes));
    bytes.truncate(bytes.len() - 1001); // half a sample stays at the end
    let (delivered, error) = failure_of(&bytes);
    assert_eq!(delivered, samples[..4499]);
    assert!(matches!(error, Some(AudioErrorKind::Truncated { promised: 5000, found: 4499 })), "{error:?}");
}

#[test]
fn a_nan_does_not_reach_the_detector() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = vec![0.5f32; 12_000];
        values[8001] = bad; // frame 4000 of 2 channels
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let (delivered, error) = failure_of(&wav(3, 2, 16_000, 32, &bytes));
        assert_eq!(delivered, [0.5; 4000]);
        assert!(matches!(error, Some(AudioErrorKind::NotFinite { frame: 4000, seconds: 0.25 })), "{error:?}");
    }
}

#[test]
fn floats_beyond_full_scale_are_clipped_and_counted() {
    let scratch = Scratch::new();
    let values = [2.0f64, -1e300, 0.25, 0.0];
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let clip = read_clip(&scratch.file("a.wav", &wav(3, 1, 16_000, 64, &bytes))).unwrap();
    assert_eq!(clip.samples, [1.0, -1.0, 0.25, 0.0]);
    assert_eq!(clip.clipped, 0.5);
}

#[test]
fn absurd_headers_are_refused() {
    let data = || chunk(b"data", 4, &[0; 4]);
    let header =
        |tag, channels, rate, bits| failure_of(&riff(None, &[fmt(tag, channels, rate, bits), data()])).1;
    use AudioErrorKind::*;
    assert!(matches!(header(1, 0, 16_000, 16), Some(UnsupportedChannels(0))));
    assert!(matches!(header(1, 9, 16_000, 16), Some(UnsupportedChannels(9))));
    assert!(matches!(header(1, 65_535, 16_000, 32), Some(UnsupportedChannels(65_535))));
    assert!(matches!(header(1, 1, 0, 16), Some(UnsupportedRate(0))));
    assert!(matches!(header(1, 1, 7_999, 16), Some(UnsupportedRate(7_999))));
    assert!(matches!(header(1, 1, 192_001, 16), Some(UnsupportedRate(192_001))));
    assert!(matches!(header(1, 1, u32::MAX, 16), Some(UnsupportedRate(u32::MAX))));
    assert!(matches!(header(1, 1, 16_000, 12), Some(UnsupportedEncoding(_))));
    assert!(matches!(header(0x55, 1, 16_000, 0), Some(UnsupportedEncoding(_))));
    assert!(matches!(failure_of(&riff(None, &[data(), plain()])).1, Some(BadHeader(_))));
    assert!(matches!(failure_of(&riff(None, &[plain()])).1, Some(BadHeader(_))));
    let endless = chunk(b"junk", u32::MAX, &[]);
    assert!(matches!(failure_of(&riff(None, &[plain(), endless, data()])).1, Some(BadHeader(_))));
    let mut crooked = plain();
    crooked[20] = 3; // block size
    assert!(matches!(failure_of(&riff(None, &[crooked, data()])).1, Some(BadHeader(_))));
}

#[test]
fn no_damage_to_a_header_causes_a_panic() {
    let (codes, _) = ramp(300);
    let list = chunk(b"LIST", 4, b"INFO");
    let intact = riff(None, &[plain(), list, chunk(b"data", 600, &i16_bytes(&codes))]);
    let scratch = Scratch::new();
    let mut noise = Noise(1);
    for round in 0..3000 {
        let mut bytes = intact.clone();
        for _ in 0..=noise.below(4) {
            let at = noise.below(64);
            bytes[at] = [0, 1, 0x7F, 0xFF, noise.below(256) as u8][noise.below(5)];
        }
        bytes.truncate(noise.below(2 * bytes.len()));
        drain(&scratch.file(&format!("{round}.wav"), &bytes));
    }
}
