//! What the machine has: cores and memory, within the limits of a container.

use std::path::Path;

/// Memory assumed where the system does not say.
const UNKNOWN_MEMORY_BYTES: u64 = 4 << 30;

/// Cores and memory that this process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Cores.
    pub n_cores: usize,
    /// Bytes of memory, the smaller of the machine's and the container's.
    pub memory_bytes: u64,
}

impl Machine {
    /// Looks at the machine.
    pub fn detect() -> Self {
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        let physical = read(Path::new("/proc/meminfo")).and_then(|text| total_memory(&text));
        let container = read(Path::new("/sys/fs/cgroup/memory.max")).and_then(|text| text.trim().parse().ok());
        let memory_bytes = [physical, container].into_iter().flatten().min().unwrap_or(UNKNOWN_MEMORY_BYTES);
        Self { n_cores, memory_bytes }
    }
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Reads `MemTotal:       24689812 kB`.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_total_of_meminfo() {
        assert_eq!(total_memory("MemFree: 1 kB\nMemTotal:       24689812 kB\n"), Some(24_689_812 * 1024));
        assert_eq!(total_memory("nothing"), None);
        assert!(Machine::detect().n_cores >= 1);
    }
}
