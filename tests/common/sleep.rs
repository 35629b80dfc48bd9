//! The sleep of a machine as one process sees it: of its clocks, the one that runs on in sleep jumps ahead.
//! Nobody can set that clock; so the process gets another way to read it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::daemon::signal;

/// By how much the clock jumps.
pub const SECONDS: u8 = 120;

/// The system call `clock_gettime`, with `SECONDS` more for CLOCK_BOOTTIME.
const READ_CLOCK: [u8; 17] = [
    0xb8, 0xe4, 0, 0, 0, // mov eax, 228
    0x0f, 0x05, // syscall
    0x83, 0xff, 0x07, // cmp edi, 7
    0x75, 0x04, // jne to the end
    0x48, 0x83, 0x06, SECONDS, // add qword [rsi], SECONDS
    0xc3,    // ret
];

/// Lets a process that this one started believe that the machine slept.
pub fn pretend(process: u32, folder: &Path) {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).expect("what reads the clocks is mapped");
    let (range, _) = line.split_once(' ').unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let address = |text| u64::from_str_radix(text, 16).unwrap();
    let (start, end) = (address(start), address(end));
    let memory = File::options().read(true).write(true).open(format!("/proc/{process}/mem")).unwrap();
    let mut image = vec![0; (end - start) as usize];
    memory.read_exact_at(&mut image, start).unwrap();
    let file = folder.join("vdso.so");
    fs::write(&file, image).unwrap();
    let symbols = Command::new("nm").arg("--dynamic").arg(&file).output().unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let symbol = symbols.lines().find(|line| line.contains("__vdso_clock_gettime")).unwrap();
    let offset = address(symbol.split_once(' ').unwrap().0);
    // Asleep, nobody reads a clock.
    signal(process, Signal::STOP);
    memory.write_all_at(&READ_CLOCK, start + offset).unwrap();
    signal(process, Signal::CONT);
}
