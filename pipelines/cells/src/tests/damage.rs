//! Damaged files: each is read or refused, in bounded time and memory, and never with a panic.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{data, unpack};
use crate::{Limits, Options, Part, open};

/// Cases for each valid file.
const CASES: usize = 700;
/// The most that one case may take.
const LONGEST: Duration = Duration::from_secs(10);
/// The most memory that all cases together may add to the process, in KiB.
const MEMORY_KIB: u64 = 512 << 10;

const LIMITS: Limits =
    Limits { max_bytes_uncompressed: 64 << 20, max_ratio: 200, max_values: 1_000_000, max_bytes_held: 32 << 20 };

/// A generator of the same numbers each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// Damages a file: cut off, a bit flipped, bytes overwritten, or a number made huge.
fn damage(bytes: &mut Vec<u8>, filled: &[usize], numbers: &mut Numbers) {
    let at = filled[numbers.below(filled.len())];
    match numbers.below(8) {
        0 => bytes.truncate(at),
        1..=3 => bytes[at] ^= 1 << numbers.below(8),
        4 => bytes[at] = numbers.next().to_le_bytes()[0],
        5 => bytes[at] = 0xff,
        6 => {
            let end = bytes.len().min(at + 8);
            bytes[at..end].fill(if numbers.below(2) == 0 { 0x7f } else { 0xff });
        }
        _ => {
            let (from, length) = (numbers.below(bytes.len()), numbers.below(64));
            let end = bytes.len().min(from + length);
            let copied = bytes[from..end].to_vec();
            let room = bytes.len().min(at + copied.len()) - at;
            bytes[at..at + room].copy_from_slice(&copied[..room]);
        }
    }
}

/// The largest memory of the process so far, in KiB: of addresses, and of pages in use.
fn peak_memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    };
    (of("VmPeak"), of("VmHWM"))
}

fn variants() -> Vec<Options> {
    let of = |part| Options { part, ..Options::default() };
    let layer = |name: &str| Options { layer: Some(name.to_owned()), ..Options::default() };
    let raw = Options { raw: true, ..Options::default() };
    vec![of(Part::Values), of(Part::Cells), of(Part::Genes), layer("counts"), layer("scaled"), raw]
}

/// Reads a damaged file to its end or first error; returns what it came to.
fn read(path: &Path, options: &Options) -> Result<usize, String> {
    let matrix = open(path, options, &LIMITS).map_err(|error| error.to_string())?;
    let mut n_rows = 0;
    for batch in matrix {
        n_rows += batch.map_err(|error| error.to_string())?.num_rows();
    }
    Ok(n_rows)
}

/// Damages `original` many times at `path`, and reads `opened` each time.
fn survive(original: &[u8], path: &Path, opened: &Path, variants: &[Options], seed: u64) {
    let filled: Vec<usize> = (0..original.len()).filter(|at| original[*at] != 0).collect();
    let mut numbers = Numbers(seed);
    let (mut n_read, mut n_refused, mut n_panics) = (0, 0, 0);
    let (addresses, pages) = peak_memory();
    let mut slowest = Duration::ZERO;
    for case in 0..CASES {
        let mut bytes = original.to_vec();
        for _ in 0..=numbers.below(3) {
            if filled.iter().any(|at| *at >= bytes.len()) {
                break;
            }
            damage(&mut bytes, &filled, &mut numbers);
        }
        fs::write(path, &bytes).unwrap();
        let start = Instant::now();
        match read(opened, &variants[case % variants.len()]) {
            Ok(_) => n_read += 1,
            Err(text) => {
                n_refused += 1;
                n_panics += u64::from(text.contains("cannot be followed"));
            }
        }
        slowest = slowest.max(start.elapsed());
        assert!(slowest < LONGEST, "case {case} took {slowest:?}");
    }
    // The kernel's counters are approximate and may step back.
    let (addresses_after, pages_after) = peak_memory();
    let (addresses, pages) = (addresses_after.saturating_sub(addresses), pages_after.saturating_sub(pages));
    eprintln!(
        "{}: {n_read} read, {n_refused} refused, {n_panics} caught panics; slowest {slowest:?}; KiB added: \
         {addresses} addresses, {pages} pages",
        path.file_name().unwrap().display(),
    );
    assert!(n_refused > 0);
    assert!(pages < MEMORY_KIB && addresses < 2 * MEMORY_KIB);
}

fn survive_hdf5(name: &str, variants: &[Options], seed: u64) {
    let file = unpack(name);
    let original = fs::read(&file.path).unwrap();
    survive(&original, &file.path, &file.path, variants, seed);
}

#[test]
fn damaged_csr() {
    survive_hdf5("csr.h5ad", &variants(), 1);
}

#[test]
fn damaged_newer_format() {
    survive_hdf5("latest.h5ad", &variants(), 2);
}

#[test]
fn damaged_dense() {
    survive_hdf5("dense_gzip.h5ad", &variants()[..3], 3);
}

#[test]
fn damaged_csc() {
    survive_hdf5("csc_gzip.h5ad", &variants()[..3], 4);
}

#[test]
fn damaged_lzf() {
    survive_hdf5("csr_lzf.h5ad", &variants()[..3], 5);
}

#[test]
fn damaged_legacy() {
    survive_hdf5("legacy.h5ad", &variants()[..3], 6);
}

#[test]
fn damaged_tenx() {
    survive_hdf5("tenx_v3.h5", &variants()[..3], 7);
}

#[test]
fn damaged_market() {
    for (folder, names) in [
        ("market_v3", ["matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"]),
        ("market_v2", ["matrix.mtx", "barcodes.tsv", "genes.tsv"]),
    ] {
        for (seed, damaged) in (8..).zip(names) {
            let copy = tempfile::tempdir().unwrap();
            for name in names {
                fs::copy(data(folder).join(name), copy.path().join(name)).unwrap();
            }
            let path = copy.path().join(damaged);
            survive(&fs::read(&path).unwrap(), &path, copy.path(), &variants()[..3], seed);
        }
    }
}
