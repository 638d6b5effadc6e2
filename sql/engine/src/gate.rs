//! The first gate: a statement that is too long, too deep or too long-chained is refused before it
//! is parsed, because recursive planners would run out of stack on it.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::error::{EngineError, ErrorKind, Result};

/// The longest chain of operators (`a + b + …`, `p OR q OR …`, `UNION`, `JOIN`) accepted. A chain is
/// a tree as deep as it is long.
const MAX_CHAIN: usize = 500;

/// Size limits of a statement.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest text, in bytes.
    pub max_bytes: usize,
    /// The deepest nesting of parentheses, brackets and CASE.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 1 << 20, max_depth: 64 }
    }
}

/// Cuts the text into tokens and checks its size and depth.
pub(crate) fn tokens(sql: &str, limits: &Limits) -> Result<Vec<TokenWithSpan>> {
    if sql.len() > limits.max_bytes {
        let problem = format!("the statement has {} bytes; the limit is {}", sql.len(), limits.max_bytes);
        return Err(EngineError::new(ErrorKind::TooComplex, problem)
            .with_hint("load long lists as a table and join it, or raise limits.max_statement_bytes"));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().map_err(|error| {
        EngineError::new(ErrorKind::Syntax, error.message).at(error.location.line, error.location.column)
    })?;
    check_nesting(&tokens, limits)?;
    Ok(tokens)
}

/// Counts open brackets and, for each of them, the operators since the last comma.
fn check_nesting(tokens: &[TokenWithSpan], limits: &Limits) -> Result<()> {
    let mut chains = vec![0_usize];
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => chains.push(0),
            Token::RParen | Token::RBracket | Token::RBrace if chains.len() > 1 => {
                chains.pop();
            }
            Token::Word(word) if word.keyword == Keyword::CASE => chains.push(0),
            Token::Word(word) if word.keyword == Keyword::END && chains.len() > 1 => {
                chains.pop();
            }
            Token::Comma | Token::SemiColon => set_last(&mut chains, 0),
            other if is_operator(other) => {
                let length = chains.last().copied().unwrap_or(0) + 1;
                set_last(&mut chains, length);
            }
            _ => {}
        }
        let start = token.span.start;
        if chains.len() > limits.max_depth {
            return Err(too_complex(format!("nested deeper than {}", limits.max_depth)).at(start.line, start.column));
        }
        if chains.last().is_some_and(|length| *length > MAX_CHAIN) {
            return Err(too_complex(format!("a chain of more than {MAX_CHAIN} operators")).at(start.line, start.column));
        }
    }
    Ok(())
}

fn set_last(chains: &mut [usize], length: usize) {
    if let Some(last) = chains.last_mut() {
        *last = length;
    }
}

fn too_complex(problem: String) -> EngineError {
    EngineError::new(ErrorKind::TooComplex, format!("the statement is too complex: {problem}"))
        .with_hint("use IN (…) instead of a chain of OR, or put the values into a table and join it")
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::BETWEEN
                | Keyword::IS
                | Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::JOIN
                | Keyword::COLLATE
                | Keyword::EXPLAIN
        ),
        Token::Whitespace(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Period
        | Token::Colon
        | Token::EOF
        | Token::Placeholder(_)
        | Token::RParen
        | Token::RBracket
        | Token::RBrace => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(sql: &str) -> Option<&'static str> {
        tokens(sql, &Limits::default()).err().map(|error| error.code())
    }

    #[test]
    fn ordinary_statements_pass() {
        assert_eq!(code("SELECT a + b, CASE WHEN x THEN 1 ELSE 2 END FROM t WHERE a IN (1, 2, 3) AND b OR c"), None);
        let list = (0..5000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        assert_eq!(code(&format!("SELECT * FROM t WHERE a IN ({list})")), None);
    }

    #[test]
    fn chains_nesting_and_length_are_refused() {
        assert_eq!(code(&format!("SELECT 1{}", " + 1".repeat(1000))), Some("CW0102"));
        assert_eq!(code(&format!("SELECT {}1{}", "(".repeat(100), ")".repeat(100))), Some("CW0102"));
        assert_eq!(code(&format!("SELECT {}1", "- ".repeat(1000))), Some("CW0102"));
        assert_eq!(code(&format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1000))), Some("CW0102"));
        assert_eq!(code(&" ".repeat(2 << 20)), Some("CW0102"));
    }
}
