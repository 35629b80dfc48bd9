use super::*;

/// CRC of `width` 8 or 16 with polynomial `poly`, most significant bit first, as in FLAC frames.
fn crc(bytes: &[u8], width: u32, poly: u16) -> u16 {
    let (top, mask) = (1u32 << (width - 1), (1u32 << width) - 1);
    let crc = bytes.iter().fold(0u32, |mut crc, &byte| {
        crc ^= u32::from(byte) << (width - 8);
        for _ in 0..8 {
            crc = (crc << 1) ^ if crc & top != 0 { u32::from(poly) } else { 0 };
        }
        crc & mask
    });
    crc as u16
}

/// A FLAC file of uncompressed frames of 1000 samples (RFC 9639). `samples` are interleaved;
/// `promised` is the length the header gives, 0 for unknown.
fn flac(rate: u32, channels: usize, bits: u32, samples: &[i32], promised: u64) -> Vec<u8> {
    const BLOCK: usize = 1000;
    let mut info = Vec::new();
    info.extend([(BLOCK as u16).to_be_bytes(); 2].concat());
    info.extend([0; 6]);
    let packed = u64::from(rate) << 44 | (channels as u64 - 1) << 41 | u64::from(bits - 1) << 36 | promised;
    info.extend(packed.to_be_bytes());
    info.extend([0; 16]);
    let mut file = [b"fLaC", &[0x80, 0, 0, 34][..], &info].concat();
    for (number, block) in samples.chunks(BLOCK * channels).enumerate() {
        let len = (block.len() / channels - 1) as u16;
        let mut frame = vec![0xFF, 0xF8, 0x70, ((channels - 1) << 4) as u8, number as u8];
        assert!(number < 128, "longer numbers need more bytes");
        frame.extend(len.to_be_bytes());
        frame.push(crc(&frame, 8, 0x07) as u8);
        for channel in 0..channels {
            frame.push(0x02); // verbatim
            for sample in block[channel..].iter().step_by(channels) {
                frame.extend(&sample.to_be_bytes()[4 - bits as usize / 8..]);
            }
        }
        frame.extend(crc(&frame, 16, 0x8005).to_be_bytes());
        file.extend(frame);
    }
    file
}

/// 12.5 frames of 16-bit mono, and what it is as `f32`.
fn example() -> (Vec<i32>, Vec<f32>) {
    let (codes, samples) = ramp(12_500);
    (codes.iter().map(|&code| i32::from(code)).collect(), samples)
}

#[test]
fn flac_is_not_altered() {
    let scratch = Scratch::new();
    let (codes, samples) = example();
    for promised in [0, 12_500] {
        let clip = read_clip(&scratch.file("a", &flac(16_000, 1, 16, &codes, promised))).unwrap();
        assert_eq!(clip.samples, samples);
        assert_eq!(clip.info.frames, (promised > 0).then_some(promised));
        assert_eq!((clip.info.format, clip.info.rate, clip.info.channels), ("FLAC", 16_000, 1));
    }
}

#[test]
fn flac_depths_and_channels_do_not_differ_in_level() {
    let scratch = Scratch::new();
    for (channels, bits) in [(1, 8), (2, 16), (8, 24), (1, 32)] {
        let codes = vec![1 << (bits - 3); 4800 * channels];
        let clip = read_clip(&scratch.file("a.flac", &flac(48_000, channels, bits, &codes, 4800))).unwrap();
        assert_eq!(clip.samples.len(), 1600);
        assert!(clip.samples[400..1200].iter().all(|s| (s - 0.25).abs() < 1e-5), "{bits} bits");
    }
}

#[test]
fn tags_before_within_and_behind_never_hide_the_audio() {
    let scratch = Scratch::new();
    let (codes, samples) = example();
    let plain = flac(16_000, 1, 16, &codes, 12_500);
    let (marker, rest) = plain.split_at(4);
    let id3 = [&b"ID3\x04\0\0\0\0\x01\x7f"[..], &[b'x'; 255]].concat();
    // Pictures and comments of another's making, lengths that lie in them.
    let mut info = rest[..38].to_vec();
    info[0] = 0;
    let broken = [marker, &info, &[4, 0, 0, 4], &[255; 4], &[0x86, 0, 0, 2], b"?!", &rest[38..]].concat();
    let ape = [b"APETAGEX", &2000u32.to_le_bytes()[..], &40u32.to_le_bytes(), &[0; 16]].concat();
    let behind = [&plain[..], &[b'v'; 8], &ape, b"TAG", &[0; 125]].concat();
    for bytes in [[&id3[..], &plain].concat(), [&id3[..], &id3, &plain].concat(), broken, behind] {
        assert_eq!(read_clip(&scratch.file("a.flac", &bytes)).unwrap().samples, samples);
    }
}

#[test]
fn bounds_that_cannot_be_never_hide_the_audio() {
    let scratch = Scratch::new();
    let (codes, samples) = example();
    for (at, bounds) in [(8, &[0, 0][..]), (8, &[0xFF, 0xFF]), (12, &[0, 0, 9, 0, 0, 1])] {
        let mut bytes = flac(16_000, 1, 16, &codes, 12_500);
        bytes[at..at + bounds.len()].copy_from_slice(bounds);
        assert_eq!(read_clip(&scratch.file("a.flac", &bytes)).unwrap().samples, samples, "{at}");
    }
}

#[test]
fn a_truncated_flac_is_not_silently_short() {
    let scratch = Scratch::new();
    let (codes, samples) = example();
    let mut bytes = flac(16_000, 1, 16, &codes, 12_500);
    bytes.truncate(bytes.len() - 2000);
    let (delivered, error) = drain(&scratch.file("a.flac", &bytes));
    assert_eq!(delivered, samples[..11_000]);
    assert!(
        matches!(error, Some(AudioErrorKind::Truncated { promised: 12_500, found: 11_000 })),
        "{error:?}"
    );
}

#[test]
fn a_damaged_frame_does_not_shift_what_follows() {
    let scratch = Scratch::new();
    let (codes, samples) = example();
    let mut bytes = flac(16_000, 1, 16, &codes, 12_500);
    bytes[9000] ^= 1; // in the fifth frame
    let (delivered, error) = drain(&scratch.file("a.flac", &bytes));
    assert_eq!(delivered, samples[..4000]);
    assert!(matches!(error, Some(AudioErrorKind::Damaged { frame: 4000, seconds: 0.25 })), "{error:?}");
}

#[test]
fn an_unusable_flac_header_is_refused() {
    let scratch = Scratch::new();
    let kind = |bytes: &[u8]| drain(&scratch.file("a.flac", bytes)).1;
    use AudioErrorKind::*;
    assert!(matches!(kind(b"fLaC"), Some(Empty)));
    assert!(matches!(kind(&flac(16_000, 1, 16, &[], 0)), Some(Empty)));
    assert!(matches!(kind(b"fLaCfLaCfLaCfLaCfLaC"), Some(Empty | BadHeader(_))));
    assert!(matches!(kind(&flac(6_000, 1, 16, &[0; 2000], 2000)), Some(UnsupportedRate(6_000))));
    assert!(matches!(kind(&flac(16_000, 2, 32, &[0; 2000], 1000)), Some(UnsupportedEncoding(_))));
}

#[test]
fn no_damage_to_a_flac_file_causes_a_panic() {
    let scratch = Scratch::new();
    let (codes, _) = example();
    let intact = flac(16_000, 1, 16, &codes[..2500], 2500);
    let mut noise = Noise(3);
    for round in 0..1000 {
        let mut bytes = intact.clone();
        for _ in 0..=noise.below(4) {
            let at = [noise.below(60), noise.below(bytes.len())][noise.below(2)];
            bytes[at] = noise.below(256) as u8;
        }
        bytes.truncate(noise.below(2 * bytes.len()));
        drain(&scratch.file(&format!("{round}.flac"), &bytes));
    }
}
