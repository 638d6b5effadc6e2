//! Lines of a text file, plain or packed with gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::str;

use flate2::read::MultiGzDecoder;

use crate::error::{CellsError, Result};
use crate::layout::file_name;
use crate::limits::Budget;

/// The longest line accepted, in bytes.
const LONGEST_LINE: u64 = 1 << 16;
/// Bytes asked of the system at once.
const READ_BYTES: usize = 1 << 18;

/// A file being read line by line.
pub(crate) struct Lines {
    file: String,
    reader: Box<dyn BufRead + Send>,
    is_packed: bool,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    /// Opens a file; its first bytes tell whether it is packed. One named `.gz` must be.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = file_name(path);
        let io_error = |source| CellsError::Io { file: file.clone(), source };
        let mut handle = File::open(path).map_err(io_error)?;
        let mut magic = Vec::with_capacity(2);
        (&mut handle).take(2).read_to_end(&mut magic).map_err(io_error)?;
        handle.rewind().map_err(io_error)?;
        let is_packed = magic == [0x1f, 0x8b];
        if file.ends_with(".gz") && !is_packed {
            let problem = "not what the file's name promises".to_owned();
            return Err(CellsError::Compression { file, problem });
        }
        let packed = BufReader::with_capacity(READ_BYTES, handle);
        let reader: Box<dyn BufRead + Send> = if is_packed {
            Box::new(BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(packed)))
        } else {
            Box::new(packed)
        };
        Ok(Self { file, reader, is_packed, line: Vec::new(), number: 0 })
    }

    /// The file's name.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// The number of the line read last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not empty, without its end.
    pub(crate) fn next(&mut self, budget: &mut Budget) -> Result<Option<&str>> {
        loop {
            self.line.clear();
            let read = (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| self.explain(error))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            budget.unpack(read as u64)?;
            if read as u64 == LONGEST_LINE {
                return Err(self.malformed(&format!("is longer than {LONGEST_LINE} bytes")));
            }
            while matches!(self.line.last(), Some(b'\n' | b'\r')) {
                self.line.pop();
            }
            if !self.line.is_empty() {
                break;
            }
        }
        match str::from_utf8(&self.line) {
            Ok(line) => Ok(Some(line)),
            Err(_) => Err(self.malformed("is not UTF-8")),
        }
    }

    /// The error that the line read last has something wrong.
    pub(crate) fn malformed(&self, problem: &str) -> CellsError {
        let problem = format!("line {} {problem}", self.number);
        CellsError::Malformed { file: self.file.clone(), format: "Matrix Market", problem }
    }

    fn explain(&self, error: io::Error) -> CellsError {
        let file = self.file.clone();
        if !self.is_packed {
            return CellsError::Io { file, source: error };
        }
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => "cut off before its end".to_owned(),
            _ => format!("damaged ({error})"),
        };
        CellsError::Compression { file, problem }
    }
}
