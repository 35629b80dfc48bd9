//! Constants of the program, read from its file.
//!
//! Pages of a program stay resident once they were touched. Models are touched once, to be loaded, and would then make up
//! a quarter of the daemon's memory.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// A copy of `constant` that leaves its pages alone; `None` where the system does not tell its place in the file.
pub fn copy(constant: &'static [u8]) -> Option<Vec<u8>> {
    let addresses = constant.as_ptr_range();
    let addresses = addresses.start.addr() as u64..addresses.end.addr() as u64;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let offset = maps.lines().find_map(|mapping| offset(mapping, &addresses))?;
    let mut copy = vec![0; constant.len()];
    File::open("/proc/self/exe").ok()?.read_exact_at(&mut copy, offset).ok()?;
    // It may be another file that is mapped there.
    let ends = |bytes: &[u8]| (bytes.first_chunk::<64>().copied(), bytes.last_chunk::<64>().copied());
    (ends(&copy) == ends(constant)).then_some(copy)
}

/// Where in its file a mapping (a line of proc_pid_maps(5)) has these addresses, if it has all of them.
fn offset(mapping: &str, addresses: &Range<u64>) -> Option<u64> {
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    let mut fields = mapping.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (start, end, offset) = (number(start)?, number(end)?, number(fields.nth(1)?)?);
    (start <= addresses.start && addresses.end <= end).then(|| offset + addresses.start - start)
}
