//! What SQLite's errors mean to the caller of a catalog.

use causeway_model::CatalogError;

/// Sorts SQLite's extended result codes (<https://www.sqlite.org/rescode.html>).
pub(crate) fn translate(code: i32, message: &str) -> CatalogError {
    match code & 0xff {
        // BUSY, LOCKED
        5 | 6 => CatalogError::Busy("another process is writing to it; try again".into()),
        // READONLY
        8 => CatalogError::Backend(
            "it cannot be written: the file or its folder is read-only; give this user write permission".into(),
        ),
        // IOERR_SHMSIZE: the index of the log cannot grow
        10 if code == 4874 => full(),
        // IOERR
        10 => CatalogError::Backend(format!("reading or writing its file failed ({message}); check the disk")),
        // CORRUPT, NOTADB
        11 | 26 => CatalogError::Damaged(format!("{message}; restore the file from a backup")),
        // FULL
        13 => full(),
        // CANTOPEN
        14 => CatalogError::Backend(
            "its file cannot be opened or made; check that the folder exists and this user may write to it".into(),
        ),
        _ => CatalogError::Backend(format!("{message} (SQLite {code})")),
    }
}

fn full() -> CatalogError {
    CatalogError::Full("the disk is full; nothing of this call was recorded; free space, try again".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_and_locked_are_worth_another_try() {
        for code in [5, 6, 261, 517] {
            assert!(translate(code, "database is locked").retryable(), "{code}");
        }
    }

    #[test]
    fn a_full_disk_says_so() {
        for code in [13, 4874] {
            let error = translate(code, "database or disk is full");
            assert!(error.to_string().contains("disk is full"), "{error}");
            assert!(error.retryable() && error.code() == "CW0411", "{code}");
        }
    }

    #[test]
    fn a_read_only_file_says_so() {
        assert!(translate(1032, "attempt to write a readonly database").to_string().contains("read-only"));
    }

    #[test]
    fn corruption_is_damage() {
        for code in [11, 267, 26] {
            assert!(matches!(translate(code, "malformed"), CatalogError::Damaged(_)), "{code}");
        }
    }
}
