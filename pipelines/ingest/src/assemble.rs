//! From the fields of a chunk to a checked batch and the rows refused.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter;
use arrow::datatypes::SchemaRef;

use crate::block::Block;
use crate::columns::{ColumnParser, NullValues, check_rules};
use crate::contract::Contract;
use crate::error::{IngestError, Result};
use crate::fault::{Fault, Faults, Reason};
use crate::tokens::{Chunk, Origin, Tokens};

/// The rows a chunk is cut to.
pub(crate) const CHUNK_ROWS: usize = 8192;

/// Buffers that a worker keeps from block to block.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) tokens: Tokens,
    pub(crate) separators: Vec<u32>,
}

/// Turns blocks into batches. One parser serves all workers.
pub(crate) trait BlockParser: Sync + Send {
    /// Parses one block.
    fn parse(&self, block: &Block, work: &mut Workspace) -> Result<Parsed>;
}

/// What a block holds.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) batches: Vec<Batch>,
    pub(crate) bad: Vec<(Origin, Fault)>,
    /// Good and bad rows together.
    pub(crate) n_rows: u32,
}

/// Rows that keep the contract.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) rows: RecordBatch,
    /// Where each row stands in the block; empty unless the contract has a key.
    pub(crate) origins: Vec<Origin>,
}

impl Parsed {
    /// Makes the result of a block that is one bad row.
    pub(crate) fn one_bad_row(reason: Reason, end: u32) -> Self {
        let origin = Origin { row: 0, start: 0, end };
        Self { batches: vec![], bad: vec![(origin, Fault { column: None, reason })], n_rows: 1 }
    }
}

/// Builds batches under a contract.
#[derive(Debug)]
pub(crate) struct Assembler {
    contract: Arc<Contract>,
    parsers: Vec<ColumnParser>,
    schema: SchemaRef,
    file: String,
}

impl Assembler {
    pub(crate) fn new(contract: &Arc<Contract>, file: &str) -> Self {
        let nulls = NullValues::new(&contract.format.null_values);
        Self {
            parsers: contract.columns.iter().map(|rule| ColumnParser::new(rule, &nulls)).collect(),
            schema: contract.schema(),
            contract: Arc::clone(contract),
            file: file.to_owned(),
        }
    }

    pub(crate) fn contract(&self) -> &Contract {
        &self.contract
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Parses and checks the tokens' rows. `width` fields stand in each, and `positions` says which
    /// of them holds each column of the contract.
    pub(crate) fn add_texts(
        &self,
        block: &[u8],
        tokens: &mut Tokens,
        positions: &[u16],
        may_hold_nul: bool,
        parsed: &mut Parsed,
    ) -> Result<()> {
        let Tokens { fields, origins, faults, scratch } = tokens;
        let width = fields.len() / origins.len().max(1);
        let chunk = Chunk { block, scratch, fields, width, may_hold_nul };
        let mut columns = Vec::with_capacity(positions.len());
        for ((position, parser), column) in positions.iter().zip(&self.parsers).zip(0_u16..) {
            columns.push(parser.parse(&chunk, *position, column, faults));
        }
        self.add_columns(columns, origins, faults, parsed)
    }

    /// Checks typed columns, which stand in the contract's order, and splits the rows.
    pub(crate) fn add_columns(
        &self,
        mut columns: Vec<ArrayRef>,
        origins: &[Origin],
        faults: &mut Faults,
        parsed: &mut Parsed,
    ) -> Result<()> {
        for ((rule, values), column) in self.contract.columns.iter().zip(&columns).zip(0_u16..) {
            check_rules(rule, column, values, faults);
        }
        parsed.n_rows +=
            u32::try_from(origins.len()).map_err(|_| self.internal("more than 4 billion rows in a block"))?;
        if faults.n_bad() > 0 {
            let is_good: BooleanArray = (0..faults.len()).map(|row| Some(faults.get(row).is_none())).collect();
            for values in &mut columns {
                *values = filter(values, &is_good).map_err(|error| self.internal(&error.to_string()))?;
            }
            parsed.bad.extend(
                origins.iter().enumerate().filter_map(|(row, origin)| faults.get(row).map(|fault| (*origin, fault))),
            );
        }
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let rows = rows.map_err(|error| self.internal(&error.to_string()))?;
        if rows.num_rows() > 0 {
            parsed.batches.push(Batch { rows, origins: self.good_origins(origins, faults) });
        }
        Ok(())
    }

    fn good_origins(&self, origins: &[Origin], faults: &Faults) -> Vec<Origin> {
        if self.contract.key.is_empty() {
            return vec![];
        }
        let good = origins.iter().enumerate().filter(|(row, _)| faults.get(*row).is_none());
        good.map(|(_, origin)| *origin).collect()
    }

    fn internal(&self, problem: &str) -> IngestError {
        IngestError::Internal { file: self.file.clone(), problem: problem.to_owned() }
    }
}
