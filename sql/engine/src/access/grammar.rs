//! CREATE and DROP of users, roles and policies; GRANT and REVOKE.

use causeway_model::{AccessChange, Grant, PUBLIC, PrincipalKind, Privilege, RowPolicy, Securable};
use datafusion::sql::parser::DFParser;
use datafusion::sql::sqlparser::ast::{
    CreatePolicy, CreatePolicyCommand, CreatePolicyType, CreateRole, CreateUser, DropPolicy, Ident, ObjectName, Owner,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::api::StatementKind;
use crate::error::{EngineError, ErrorKind, Result};
use crate::parameters::refuse_kept;
use crate::parse::{normalize, table_name};

/// A change of who may do what, as written.
#[derive(Debug, Clone)]
pub(crate) struct AccessStatement {
    pub(crate) kind: StatementKind,
    pub(crate) changes: Vec<AccessChange>,
    /// True with IF EXISTS or IF NOT EXISTS: what is done already is no error.
    pub(crate) lenient: bool,
}

/// What stands between GRANT and ON or TO.
struct Named {
    name: String,
    columns: Vec<String>,
}

type Parsed<T> = std::result::Result<T, ParserError>;

/// Parses `GRANT privilege [(columns)], … ON object TO name, …`, `GRANT role TO name`, and REVOKE … FROM.
pub(crate) fn grant(df: &mut DFParser<'_>) -> Parsed<AccessStatement> {
    let parser = &mut df.parser;
    let revoke = parser.parse_keyword(Keyword::REVOKE);
    if !revoke {
        parser.expect_keyword(Keyword::GRANT)?;
    }
    let named = parser.parse_comma_separated(named)?;
    let object = if parser.parse_keyword(Keyword::ON) { Some(object(parser)?) } else { None };
    parser.expect_keyword(if revoke { Keyword::FROM } else { Keyword::TO })?;
    let grantees = parser.parse_comma_separated(grantee)?;
    let mut changes = Vec::new();
    for grantee in &grantees {
        match &object {
            Some(object) => changes.extend(grants(&named, object, grantee, revoke)?),
            None => changes.extend(memberships(&named, grantee, revoke)?),
        }
    }
    let kind = if revoke { StatementKind::Revoke } else { StatementKind::Grant };
    Ok(AccessStatement { kind, changes, lenient: false })
}

fn named(parser: &mut Parser<'_>) -> Parsed<Named> {
    let name = normalize(&parser.parse_identifier()?);
    if name == "all" {
        let _ = parser.parse_keyword(Keyword::PRIVILEGES);
    }
    let mut columns = Vec::new();
    if parser.consume_token(&Token::LParen) {
        columns = parser.parse_comma_separated(|parser| Ok(normalize(&parser.parse_identifier()?)))?;
        parser.expect_token(&Token::RParen)?;
    }
    Ok(Named { name, columns })
}

fn object(parser: &mut Parser<'_>) -> Parsed<Securable> {
    if parser.parse_keyword(Keyword::SCHEMA) {
        return Ok(Securable::Schema(normalize(&parser.parse_identifier()?)));
    }
    if parser.parse_keyword(Keyword::OPERATOR) {
        return Ok(Securable::Operator(normalize(&parser.parse_identifier()?)));
    }
    let _ = parser.parse_keyword(Keyword::TABLE);
    let name = table_name(&parser.parse_object_name(false)?).map_err(|error| wrong(error.to_string()))?;
    Ok(Securable::Table(name))
}

fn grantee(parser: &mut Parser<'_>) -> Parsed<String> {
    let _ = parser.parse_keyword(Keyword::ROLE) || parser.parse_keyword(Keyword::USER);
    principal(&parser.parse_identifier()?).map_err(|error| wrong(error.to_string()))
}

fn wrong(problem: String) -> ParserError {
    ParserError::ParserError(problem)
}

fn memberships(named: &[Named], member: &str, revoke: bool) -> Parsed<Vec<AccessChange>> {
    let membership = |role: &Named| {
        if !role.columns.is_empty() || Privilege::ALL.iter().any(|privilege| privilege.name() == role.name) {
            return Err(wrong(format!("`{}` needs ON and what it is granted on", role.name)));
        }
        let (role, member) = (role.name.clone(), member.to_owned());
        Ok(if revoke { AccessChange::Leave { role, member } } else { AccessChange::Join { role, member } })
    };
    named.iter().map(membership).collect()
}

fn grants(named: &[Named], on: &Securable, grantee: &str, revoke: bool) -> Parsed<Vec<AccessChange>> {
    let mut changes = Vec::new();
    for Named { name, columns } in named {
        for privilege in privileges(name, on)? {
            if !columns.is_empty() && (privilege != Privilege::Select || !matches!(on, Securable::Table(_))) {
                return Err(wrong(format!("{name} on {on} takes no columns; SELECT on a table does")));
            }
            let columns: Vec<Option<String>> =
                if columns.is_empty() { vec![None] } else { columns.iter().cloned().map(Some).collect() };
            changes.extend(columns.into_iter().map(|column| {
                let grant = Grant { grantee: grantee.to_owned(), privilege, on: on.clone(), column };
                if revoke { AccessChange::Revoke(grant) } else { AccessChange::Grant(grant) }
            }));
        }
    }
    Ok(changes)
}

/// Returns the privileges that a word means on an object.
fn privileges(word: &str, on: &Securable) -> Parsed<Vec<Privilege>> {
    let offered: &[Privilege] = match on {
        Securable::Table(_) => {
            &[Privilege::Select, Privilege::Release, Privilege::Insert, Privilege::Update, Privilege::Delete]
        }
        Securable::Schema(_) => &[
            Privilege::Select,
            Privilege::Release,
            Privilege::Insert,
            Privilege::Update,
            Privilege::Delete,
            Privilege::Create,
        ],
        Securable::Operator(_) => &[Privilege::Execute],
    };
    let chosen: Vec<Privilege> =
        offered.iter().copied().filter(|privilege| word == "all" || privilege.name() == word).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = offered.iter().map(|privilege| privilege.name()).collect();
        return Err(wrong(format!("`{word}` cannot be granted on {on}; that takes all, {}", names.join(", "))));
    }
    Ok(chosen)
}

/// Reads a user's or role's name: letters, digits and `_ - . @`, at most 128.
fn principal(name: &Ident) -> Result<String> {
    let name = normalize(name);
    let good = |character: char| character.is_alphanumeric() || "_-.@".contains(character);
    if name.is_empty() || name.len() > 128 || !name.chars().all(good) {
        let problem = format!("`{name}` is not a user or role name: letters, digits and _ - . @, at most 128");
        return Err(EngineError::new(ErrorKind::Plan, problem));
    }
    Ok(name)
}

fn principal_object(name: &ObjectName) -> Result<String> {
    match name.0.as_slice() {
        [part] => principal(part.as_ident().unwrap_or(&Ident::new(""))),
        _ => Err(EngineError::new(ErrorKind::Plan, format!("`{name}` must be a single name; quote one with a dot"))),
    }
}

/// Reads CREATE USER.
pub(crate) fn create_user(user: &CreateUser) -> Result<AccessStatement> {
    if user.or_replace || !user.options.options.is_empty() || !user.tags.options.is_empty() {
        return Err(EngineError::new(ErrorKind::Unsupported, "CREATE USER takes a name and no options"));
    }
    let change = AccessChange::Create(PrincipalKind::User, principal(&user.name)?);
    Ok(AccessStatement { kind: StatementKind::CreateUser, changes: vec![change], lenient: user.if_not_exists })
}

/// Reads CREATE ROLE.
pub(crate) fn create_role(role: &CreateRole) -> Result<AccessStatement> {
    let names = role.names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let condition = if role.if_not_exists { "IF NOT EXISTS " } else { "" };
    if role.to_string() != format!("CREATE ROLE {condition}{names}") {
        return Err(EngineError::new(ErrorKind::Unsupported, "CREATE ROLE takes names and no options")
            .with_hint("GRANT role TO member adds members"));
    }
    let create = |name| Ok(AccessChange::Create(PrincipalKind::Role, principal_object(name)?));
    let changes = role.names.iter().map(create).collect::<Result<_>>()?;
    Ok(AccessStatement { kind: StatementKind::CreateRole, changes, lenient: role.if_not_exists })
}

/// Reads DROP USER and DROP ROLE.
pub(crate) fn drop_principals(kind: PrincipalKind, names: &[ObjectName], if_exists: bool) -> Result<AccessStatement> {
    let changes =
        names.iter().map(|name| Ok(AccessChange::Drop(kind, principal_object(name)?))).collect::<Result<_>>()?;
    let statement = match kind {
        PrincipalKind::User => StatementKind::DropUser,
        PrincipalKind::Role => StatementKind::DropRole,
    };
    Ok(AccessStatement { kind: statement, changes, lenient: if_exists })
}

/// Reads CREATE POLICY.
pub(crate) fn create_policy(policy: &CreatePolicy) -> Result<AccessStatement> {
    let for_reading = matches!(policy.command, None | Some(CreatePolicyCommand::All | CreatePolicyCommand::Select));
    let (Some(condition), None, true) = (&policy.using, &policy.with_check, for_reading) else {
        return Err(EngineError::new(ErrorKind::Unsupported, "a policy says which rows are shown")
            .with_hint("CREATE POLICY name ON schema.table [AS RESTRICTIVE] TO role USING (condition)"));
    };
    refuse_kept(condition, "a policy")?;
    let mut changes = Vec::new();
    for grantee in grantees(policy.to.as_deref())? {
        changes.push(AccessChange::AddPolicy(RowPolicy {
            table: table_name(&policy.table_name)?,
            name: normalize(&policy.name),
            grantee,
            condition: condition.to_string(),
            restrictive: policy.policy_type == Some(CreatePolicyType::Restrictive),
        }));
    }
    Ok(AccessStatement { kind: StatementKind::CreatePolicy, changes, lenient: false })
}

fn grantees(to: Option<&[Owner]>) -> Result<Vec<String>> {
    let Some(to) = to else { return Ok(vec![PUBLIC.to_owned()]) };
    to.iter()
        .map(|owner| match owner {
            Owner::Ident(name) => principal(name),
            other => Err(EngineError::new(ErrorKind::Unsupported, format!("a policy cannot be for {other}"))
                .with_hint("name a user or a role, or PUBLIC")),
        })
        .collect()
}

/// Reads DROP POLICY.
pub(crate) fn drop_policy(policy: &DropPolicy) -> Result<AccessStatement> {
    let change = AccessChange::DropPolicy { table: table_name(&policy.table_name)?, name: normalize(&policy.name) };
    Ok(AccessStatement { kind: StatementKind::DropPolicy, changes: vec![change], lenient: policy.if_exists })
}
