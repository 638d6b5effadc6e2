//! What the engine asks of the crate that offers `system.*`.

use std::fmt::Debug;
use std::sync::Arc;

use causeway_core::{Literal, Literals};
use causeway_model::Rights;
use datafusion::catalog::TableProvider;

/// A system function in FROM, such as `lineage_upstream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemFunction {
    /// Its name.
    pub name: &'static str,
    /// Its call.
    pub usage: &'static str,
    /// What it returns, one line.
    pub summary: &'static str,
}

/// The relations of the schema `system` and the functions that ask the catalog.
pub trait SystemRelations: Send + Sync + Debug {
    /// Lists the tables of the schema `system`.
    fn tables(&self) -> Vec<&'static str>;

    /// Returns a table of the schema `system`, with the rows that a user of these rights may see. Its
    /// scan asks the catalog; nothing is read before.
    fn table(&self, name: &str, rights: &Arc<Rights>) -> Option<Arc<dyn TableProvider>>;

    /// Lists the functions.
    fn functions(&self) -> Vec<SystemFunction>;

    /// Binds a call of a function.
    ///
    /// # Errors
    /// What is wrong with the arguments, in words.
    fn function(
        &self,
        name: &str,
        arguments: &[Literal],
        options: &Literals,
        rights: &Arc<Rights>,
    ) -> Result<Arc<dyn TableProvider>, String>;
}
