//! The facets that are emitted: the one table of their keys and versions.

use serde::Serialize;

/// What a facet says something about; also where it stands in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// `run.facets`.
    Run,
    /// `job.facets`.
    Job,
    /// `facets` of an input or output.
    Dataset,
    /// `inputFacets` of an input: what this run found out about it.
    Input,
    /// `outputFacets` of an output: what this run did to it.
    Output,
}

impl Holder {
    /// Returns where it stands in an event.
    pub fn path(self) -> &'static str {
        match self {
            Self::Run => "run.facets",
            Self::Job => "job.facets",
            Self::Dataset => "inputs[].facets, outputs[].facets",
            Self::Input => "inputs[].inputFacets",
            Self::Output => "outputs[].outputFacets",
        }
    }
}

/// A kind of facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FacetKind {
    /// Its key in the event.
    pub key: &'static str,
    /// The name of its definition and of its schema's file.
    pub definition: &'static str,
    /// The version of its schema.
    pub version: &'static str,
    /// Where it stands.
    pub holder: Holder,
    /// What we say in it.
    pub says: &'static str,
}

impl FacetKind {
    const fn new(
        holder: Holder,
        key: &'static str,
        definition: &'static str,
        version: &'static str,
        says: &'static str,
    ) -> Self {
        Self { key, definition, version, holder, says }
    }

    /// Returns the URL of its schema, as `_schemaURL` has it.
    pub fn schema_url(&self) -> String {
        let Self { definition, version, .. } = self;
        format!("https://openlineage.io/spec/facets/{version}/{definition}.json#/$defs/{definition}")
    }
}

pub(crate) const PROCESSING_ENGINE: FacetKind = FacetKind::new(
    Holder::Run,
    "processing_engine",
    "ProcessingEngineRunFacet",
    "1-1-1",
    "causeway, the version that ran it, the version of this adapter",
);
pub(crate) const NOMINAL_TIME: FacetKind = FacetKind::new(
    Holder::Run,
    "nominalTime",
    "NominalTimeRunFacet",
    "1-0-1",
    "the slot of the schedule, where a schedule started the run",
);
pub(crate) const PARENT: FacetKind =
    FacetKind::new(Holder::Run, "parent", "ParentRunFacet", "1-2-0", "the run of the pipeline, for a step");
pub(crate) const ERROR_MESSAGE: FacetKind = FacetKind::new(
    Holder::Run,
    "errorMessage",
    "ErrorMessageRunFacet",
    "1-0-1",
    "our error code and message, which holds no row value",
);
pub(crate) const JOB_TYPE: FacetKind = FacetKind::new(
    Holder::Job,
    "jobType",
    "JobTypeJobFacet",
    "2-0-4",
    "BATCH, CAUSEWAY, and PIPELINE, STATEMENT, STEP or CHECK",
);
pub(crate) const SQL: FacetKind =
    FacetKind::new(Holder::Job, "sql", "SQLJobFacet", "1-1-0", "the statement, in the Postgres dialect");
pub(crate) const SCHEMA: FacetKind = FacetKind::new(
    Holder::Dataset,
    "schema",
    "SchemaDatasetFacet",
    "1-2-0",
    "the columns of that version: name, SQL type, meaning and unit, position",
);
pub(crate) const VERSION: FacetKind = FacetKind::new(
    Holder::Dataset,
    "version",
    "DatasetVersionDatasetFacet",
    "1-0-1",
    "the version that was read or written: of a table, its Delta version",
);
pub(crate) const SYMLINKS: FacetKind = FacetKind::new(
    Holder::Dataset,
    "symlinks",
    "SymlinksDatasetFacet",
    "1-0-1",
    "what the catalog calls a table: `schema.table`",
);
pub(crate) const COLUMN_LINEAGE: FacetKind = FacetKind::new(
    Holder::Dataset,
    "columnLineage",
    "ColumnLineageDatasetFacet",
    "1-2-0",
    "where each column comes from; outputs only",
);
pub(crate) const ASSERTIONS: FacetKind = FacetKind::new(
    Holder::Input,
    "dataQualityAssertions",
    "DataQualityAssertionsDatasetFacet",
    "1-1-0",
    "the `-- check:` and whether it held, on each table it reads",
);
pub(crate) const OUTPUT_STATISTICS: FacetKind = FacetKind::new(
    Holder::Output,
    "outputStatistics",
    "OutputStatisticsOutputDatasetFacet",
    "1-0-2",
    "rows written; bytes and files where the step wrote the whole version",
);

/// Every facet that is emitted, in the order the docs list them.
pub const FACETS: &[FacetKind] = &[
    PROCESSING_ENGINE,
    NOMINAL_TIME,
    PARENT,
    ERROR_MESSAGE,
    JOB_TYPE,
    SQL,
    SCHEMA,
    VERSION,
    SYMLINKS,
    COLUMN_LINEAGE,
    ASSERTIONS,
    OUTPUT_STATISTICS,
];

/// What stands in a facet besides who made it and by which schema.
pub(crate) trait Body: Serialize {
    /// Its kind.
    const KIND: FacetKind;
}

/// A facet as it stands in an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Facet<T> {
    #[serde(rename = "_producer")]
    producer: String,
    #[serde(rename = "_schemaURL")]
    schema_url: String,
    #[serde(flatten)]
    body: T,
}

impl<T: Body> Facet<T> {
    pub(crate) fn new(producer: &str, body: T) -> Self {
        Self { producer: producer.to_owned(), schema_url: T::KIND.schema_url(), body }
    }
}
