use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::*;

#[test]
fn other_kinds_of_files_are_named() {
    let scratch = Scratch::new();
    let fifo = scratch.path("fifo.wav");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let socket = scratch.path("socket.wav");
    let _listener = UnixListener::bind(&socket).unwrap();
    let kind = |path: &Path| open_error(path).kind;
    use AudioErrorKind::*;
    assert!(matches!(kind(&scratch.path("absent.wav")), NotFound));
    assert!(matches!(kind(&scratch.path("")), IsDirectory));
    assert!(matches!(kind(&fifo), NotAFile));
    assert!(matches!(kind(&socket), NotAFile));
    assert!(matches!(kind(Path::new("/dev/zero")), NotAFile));
    assert!(matches!(kind(&scratch.file("empty.wav", b"")), Empty));
    assert!(matches!(kind(&scratch.file("notes.wav", b"Dear diary, today RIFF")), NotAudio));
    assert!(matches!(kind(&scratch.file("short.wav", b"RIFF")), NotAudio));
    assert!(matches!(kind(&scratch.file("rf64.wav", b"RF64\xff\xff\xff\xffWAVEds64")), BadHeader(_)));
    let foreign = [
        (&b"\0\0\0\x1cftypM4A \0\0"[..], "M4A"),
        (b"OggS\0\x02\0\0\0\0\0\0", "Ogg"),
        (b"#!AMR\n<Tqf", "AMR"),
        (b"FORM\0\0\x01\0AIFFCOMM", "AIFF"),
        (b"\xff\xfb\x90\xc4\0\0\0\0", "MP3"),
        (b"\xff\xf1\x50\x80\0\0\0\0", "AAC"),
        (b"ID3\x04\0\0\0\0\0\x03abc\xff\xfb\x90\xc4", "MP3"),
    ];
    for (bytes, name) in foreign {
        let text = open_error(&scratch.file("phone.wav", bytes)).to_string();
        assert!(text.contains(name) && text.contains("ffmpeg -i"), "{text}");
    }
}

#[test]
fn a_permission_error_is_not_reported_as_a_broken_file() {
    let kind = AudioErrorKind::from(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
    assert!(matches!(kind, AudioErrorKind::PermissionDenied));
}

#[test]
fn messages_name_file_reason_and_remedy() {
    let scratch = Scratch::new();
    let error = open_error(&scratch.file("my\ntake 1.wav", b"hello")).to_string();
    assert!(error.contains(r#"my\ntake 1.wav": is neither WAV nor FLAC; convert it"#), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn unusual_names_do_not_matter() {
    let scratch = Scratch::new();
    let (codes, samples) = ramp(160);
    let bytes = wav(1, 1, 16_000, 16, &i16_bytes(&codes));
    for name in [&b"my take (2).wav"[..], b"caf\xe9.wav", b"-", b"take.flac", b"no extension"] {
        let path = scratch.path(OsStr::from_bytes(name));
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read_clip(&path).unwrap().samples, samples);
    }
}

#[test]
fn silence_short_files_and_clipping_are_not_errors() {
    let scratch = Scratch::new();
    let silence = read_clip(&scratch.file("s.wav", &wav(1, 1, 16_000, 16, &[0; 3200]))).unwrap();
    assert_eq!((silence.samples, silence.clipped), (vec![0.0; 1600], 0.0));

    let short = wav(1, 1, 16_000, 16, &[0; 2 * 3040]);
    assert_eq!(read_clip(&scratch.file("t.wav", &short)).unwrap().samples.len(), 3040);

    let square: Vec<i16> = (0..48_000).map(|i| if i % 96 < 48 { 32_767 } else { -32_768 }).collect();
    let loud = wav(1, 1, 48_000, 16, &i16_bytes(&square));
    let loud = read_clip(&scratch.file("c.wav", &loud)).unwrap();
    assert_eq!((loud.samples.len(), loud.clipped), (16_000, 1.0));
    assert!(loud.samples.iter().all(|sample| sample.abs() <= 1.0));
}

#[test]
fn long_files_are_streams_but_no_clips() {
    let scratch = Scratch::new();
    let path = scratch.path("long.wav");
    let data_size = 1_000_000_000;
    std::fs::write(&path, riff(None, &[fmt(1, 1, 8_000, 8), chunk(b"data", data_size, &[])])).unwrap();
    // A sparse file: it takes no space on disk.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(44 + u64::from(data_size)).unwrap();
    let error = read_clip(&path).unwrap_err();
    assert!(matches!(error.kind, AudioErrorKind::TooLong { .. }), "{error}");
    assert_eq!(FileSource::open(&path).unwrap().info().frames, Some(1_000_000_000));
}
