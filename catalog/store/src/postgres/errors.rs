//! What Postgres's errors mean to the caller of a catalog.

use causeway_model::CatalogError;

/// Sorts errors by their SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(crate) fn translate(code: &str, message: &str) -> CatalogError {
    match code {
        "28000" | "28P01" => CatalogError::Backend(format!(
            "the server refuses the log-in ({message}); correct user and password in the catalog's URL"
        )),
        "3D000" => CatalogError::Backend(format!("{message}; make it with `createdb`, or correct the catalog's URL")),
        "42501" => CatalogError::Backend(format!(
            "{message}; give the user the right to create and change tables there, or make it the database's owner"
        )),
        "25006" => CatalogError::Backend("the server takes no writes (a standby?); name the primary".into()),
        "22021" => CatalogError::Invalid("a text with a NUL character cannot be stored".into()),
        "53100" => CatalogError::Full(
            "the server's disk is full; nothing of this call was recorded; free space, try again".into(),
        ),
        "53300" => CatalogError::Busy(
            "the server has no connection left; try again, close some, or raise its max_connections".into(),
        ),
        "55P03" | "40001" | "40P01" => CatalogError::Busy("another process is writing to it; try again".into()),
        "57014" => CatalogError::Busy("a statement took too long and was stopped; try again".into()),
        code if is_farewell(code) => {
            CatalogError::Busy(format!("the server went away and did not come back in time ({message}); try again"))
        }
        "XX001" | "XX002" => CatalogError::Damaged(format!("{message}; restore the database from a backup")),
        _ => CatalogError::Backend(format!("{message} (Postgres {code})")),
    }
}

/// Returns true for what a server says when it shuts down, crashes, starts, or loses a connection.
/// Whatever was not committed is undone.
pub(crate) fn is_farewell(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03" | "25P03") || code.starts_with("08")
}

/// Says what to do about a server that cannot be reached.
pub(crate) fn unreachable(why: &str) -> String {
    if why.contains("certificate") {
        return no_tls(why);
    }
    format!("the server cannot be reached ({why}); start it, or correct host and port in the catalog's URL")
}

/// Says what to do about an encryption that cannot be agreed on.
pub(crate) fn no_tls(why: &str) -> String {
    format!("no encrypted connection ({why}); check sslmode and sslrootcert in the catalog's URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_no_absent_server() {
        let message = unreachable("invalid peer certificate: UnknownIssuer");
        assert!(message.contains("sslrootcert") && !message.contains("start it"), "{message}");
    }

    #[test]
    fn what_passes_is_worth_another_try() {
        for code in ["55P03", "40001", "40P01", "57014", "53300", "57P01", "57P03", "08006", "53100"] {
            assert!(translate(code, "").retryable(), "{code}");
        }
        for code in ["28P01", "3D000", "42501", "25006", "42P01"] {
            assert!(!translate(code, "").retryable(), "{code}");
        }
    }

    #[test]
    fn corruption_is_damage() {
        assert!(matches!(translate("XX001", "invalid page"), CatalogError::Damaged(_)));
    }
}
