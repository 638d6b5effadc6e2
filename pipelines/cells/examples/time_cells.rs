//! Times the reading of a matrix: `time_cells PATH [PATH …]`.
//!
//! A large file comes from `tests/data/make_fixtures.py --large 20000000 PATH`.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use causeway_cells::{Limits, Options, open};

#[expect(clippy::print_stdout, reason = "the figures are the output of this program")]
fn main() -> Result<(), Box<dyn Error>> {
    for argument in std::env::args().skip(1) {
        let start = Instant::now();
        let mut matrix = open(Path::new(&argument), &Options::default(), &Limits::default())?;
        let opened = start.elapsed().as_secs_f64();
        let mut n_rows = 0_u64;
        for batch in matrix.by_ref() {
            n_rows += batch?.num_rows() as u64;
        }
        let seconds = start.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a figure of two digits")]
        let rate = n_rows as f64 / seconds / 1e6;
        println!(
            "{argument}: {} cells, {} genes, {n_rows} values in {seconds:.2} s (opened in {opened:.2} s), {rate:.1} \
             million a second, peak memory {}",
            matrix.n_cells(),
            matrix.n_genes(),
            peak_memory(),
        );
    }
    Ok(())
}

/// The largest memory of the process so far, as Linux tells it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |size| size.trim().to_owned())
}
