//! ALTER TABLE and ALTER VIEW … SET and RESET: what must be known of a table to protect the people in it.

use causeway_model::{DatasetKind, TableName};
use datafusion::sql::parser::DFParser;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::parse::{normalize, table_name};

const NAMES: [&str; 4] = ["identifying", "subject_key", "identity_domain", "protected"];

/// `ALTER TABLE name SET (…)` or `RESET (…)`, as written.
#[derive(Debug, Clone)]
pub(crate) struct SettingsStatement {
    pub(crate) name: TableName,
    /// Table or view.
    pub(crate) kind: DatasetKind,
    pub(crate) settings: Vec<Setting>,
}

/// One thing that is declared, or taken back: an empty list, `None`, false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting {
    Identifying(Vec<String>),
    SubjectKey(Option<String>),
    IdentityDomain(Option<String>),
    Protected(bool),
}

type Parsed<T> = Result<T, ParserError>;

/// Parses `ALTER {TABLE | VIEW} name {SET (name = value, …) | RESET (name, …)}`.
pub(crate) fn alter(df: &mut DFParser<'_>) -> Parsed<SettingsStatement> {
    let parser = &mut df.parser;
    parser.expect_keyword(Keyword::ALTER)?;
    let kind = match parser.expect_one_of_keywords(&[Keyword::TABLE, Keyword::VIEW])? {
        Keyword::VIEW => DatasetKind::View,
        _ => DatasetKind::Table,
    };
    let name = table_name(&parser.parse_object_name(false)?).map_err(|error| wrong(error.to_string()))?;
    let set = parser.expect_one_of_keywords(&[Keyword::SET, Keyword::RESET])? == Keyword::SET;
    parser.expect_token(&Token::LParen)?;
    let settings = parser.parse_comma_separated(|parser| if set { setting(parser) } else { reset(parser) })?;
    parser.expect_token(&Token::RParen)?;
    Ok(SettingsStatement { name, kind, settings })
}

fn setting(parser: &mut Parser<'_>) -> Parsed<Setting> {
    let name = setting_name(parser)?;
    parser.expect_token(&Token::Eq)?;
    Ok(match name {
        "identifying" => Setting::Identifying(columns(parser)?),
        "subject_key" => Setting::SubjectKey(Some(word(parser)?)),
        "identity_domain" => Setting::IdentityDomain(Some(word(parser)?)),
        _ => match parser.expect_one_of_keywords(&[Keyword::TRUE, Keyword::FALSE])? {
            Keyword::TRUE => Setting::Protected(true),
            _ => Setting::Protected(false),
        },
    })
}

fn reset(parser: &mut Parser<'_>) -> Parsed<Setting> {
    Ok(match setting_name(parser)? {
        "identifying" => Setting::Identifying(Vec::new()),
        "subject_key" => Setting::SubjectKey(None),
        "identity_domain" => Setting::IdentityDomain(None),
        _ => Setting::Protected(false),
    })
}

fn setting_name(parser: &mut Parser<'_>) -> Parsed<&'static str> {
    let given = normalize(&parser.parse_identifier()?);
    NAMES.into_iter().find(|name| *name == given).ok_or_else(|| {
        wrong(match causeway_core::nearest(&given, NAMES) {
            Some(nearest) => format!("there is no setting `{given}`; did you mean `{nearest}`?"),
            None => format!("there is no setting `{given}`; there are {}", NAMES.join(", ")),
        })
    })
}

fn columns(parser: &mut Parser<'_>) -> Parsed<Vec<String>> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(vec![word(parser)?]);
    }
    let columns = parser.parse_comma_separated(word)?;
    parser.expect_token(&Token::RParen)?;
    Ok(columns)
}

/// Reads a name, or a text in quotes.
fn word(parser: &mut Parser<'_>) -> Parsed<String> {
    let word = normalize(&parser.parse_identifier()?);
    if word.is_empty() || word.len() > 128 {
        return Err(wrong("a setting's value has 1 to 128 characters".to_owned()));
    }
    Ok(word)
}

fn wrong(problem: String) -> ParserError {
    ParserError::ParserError(problem)
}
